"""The settings of `smtp-oauth2`, and what boot costs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oauth_servers import CLIENT_ID, CLIENT_SECRET, TENANT
from postroom import DeliveringSender, MailSenderFactory, MailSettingsError
from postroom_smtp_oauth2.settings import SmtpOAuth2Settings

NEEDED = {"username": "app@example.org", "client_id": CLIENT_ID, "tenant_id": TENANT}
OTHER = "1a2b3c4d-0000-4000-8000-2f5b6c1d9e10"
GIVEN = {**NEEDED, "client_secret": CLIENT_SECRET}


def make(config: dict[str, Any]) -> DeliveringSender:
    return MailSenderFactory.create_sender("smtp-oauth2", config)


def load(**more: Any) -> SmtpOAuth2Settings:
    return SmtpOAuth2Settings(username="app@example.org", managed_identity=True, **more)


def problem(config: dict[str, Any]) -> str:
    with pytest.raises(MailSettingsError) as caught:
        make(config)
    assert CLIENT_SECRET not in str(caught.value) + repr(caught.value)
    return str(caught.value)


def test_the_defaults_are_microsofts() -> None:
    """Server, port and STARTTLS need not be set."""
    settings = load(tenant_id=TENANT)
    assert (settings.server, settings.port, settings.mode) == ("smtp.office365.com", 587, "starttls")
    assert settings.authority == f"https://login.microsoftonline.com/{TENANT}"
    assert settings.scope == "https://outlook.office365.com/.default"
    assert make(GIVEN).is_configured()


@pytest.mark.parametrize(
    ("cloud", "server", "authority", "scope"),
    [
        ("gcc-high", "smtp.office365.us", "login.microsoftonline.us", "outlook.office365.us"),
        ("dod", "outlook-dod.office365.us", "login.microsoftonline.us", "outlook-dod.office365.us"),
        ("china", "smtp.partner.outlook.cn", "login.partner.microsoftonline.cn", "partner.outlook.cn"),
    ],
)
def test_a_cloud_is_a_preset_that_every_field_overrides(cloud: Any, server: str, authority: str, scope: str) -> None:
    """Sources disagree about the sovereign clouds."""
    preset = load(oauth2_cloud=cloud, tenant_id=TENANT)
    assert (preset.server, preset.authority) == (server, f"https://{authority}/{TENANT}")
    assert preset.scope == f"https://{scope}/.default"
    given = {"server": "s", "oauth2_authority": "https://a", "oauth2_scope": "c/.default"}
    own = load(oauth2_cloud=cloud, tenant_id=TENANT, **given)
    assert (own.server, own.authority, own.scope) == ("s", f"https://a/{TENANT}", "c/.default")


@pytest.mark.parametrize(
    ("given", "authority"),
    [
        ("https://login.example.org", f"https://login.example.org/{TENANT}"),
        ("https://login.example.org:8443/", f"https://login.example.org:8443/{TENANT}"),
        ("https://login.example.org/contoso.com", "https://login.example.org/contoso.com"),
        ("https://login.example.org/contoso.com/v2.0", "https://login.example.org/contoso.com"),
        (f"https://login.example.org/{OTHER}/v2.0/", f"https://login.example.org/{OTHER}"),
        ("https://fs.contoso.com/adfs", "https://fs.contoso.com/adfs"),
    ],
)
def test_an_authority_may_hold_the_tenant(given: str, authority: str) -> None:
    """As Microsoft's pages show it, with version and without."""
    assert load(tenant_id=TENANT, oauth2_authority=given).authority == authority


@pytest.mark.parametrize(
    "tenant",
    [
        TENANT,
        TENANT.upper(),
        "contoso.com",
        "contoso.onmicrosoft.com",
        "Contoso-1.OnMicrosoft.com",
        "xn--bcher-kva.xn--p1ai",
    ],
)
def test_a_tenant_is_an_id_or_a_domain(tenant: str) -> None:
    """Both are on its page in the portal."""
    assert load(tenant_id=tenant).authority == f"https://login.microsoftonline.com/{tenant}"


PLACES = {
    "folders": "../contoso.com",
    "a folder behind": "contoso.com/oauth2",
    "an encoded folder": "%2e%2e%2fcontoso.com",
    "a user": "@evil.example/contoso.com",
    "a query": "contoso.com?x=",
    "a fragment": "contoso.com#",
    "a port": "contoso.com:443",
    "a blank": "contoso .com",
    "a line end": "contoso\n.com",
    "NUL": f"{TENANT}\0",
    "a backslash": "contoso.com\\evil",
    "a scheme": "https://contoso.com",
    "braces": f"{{{TENANT}}}",
    "half an ID": TENANT[:-1],
    "an ID and more": f"{TENANT}0",
    "a label": "contoso",
    "an address": "10.0.0.1",
    "a dot": ".",
    "two dots": "..",
    "a dot in front": ".contoso.com",
    "no label": "contoso..com",
    "a hyphen": "-contoso.com",
    "no ASCII": "bücher.example",
    "a long s": "conto\u017fo.com",
    "wide digits": "\uff11.contoso.com",
    "everybody": "common",
    "all organizations": "Organizations",
    "people": "consumers",
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_tenant_is_refused(place: str) -> None:
    """It becomes a part of the address that the secret goes to, by itself or within the authority."""
    tenant = PLACES[place]
    said = problem({**GIVEN, "tenant_id": tenant})
    assert "set tenant_id (SMTP_TENANT_ID)" in said
    assert ("tenant id must name one tenant" in said) or ("must hold no control characters" in said)
    said = problem({**GIVEN, "oauth2_authority": f"https://login.example.org/{tenant}"})
    assert "set oauth2_authority (SMTP_OAUTH2_AUTHORITY)" in said


@pytest.mark.parametrize(
    ("authority", "said"),
    [
        ("http://localhost", "must begin with https://"),
        ("login.example.org", "must look like https://"),
        ("https://", "must look like https://"),
        ("https://login.example.org:99999", "is not a URL"),
        ("https://ada:pass-word@login.example.org", "must hold no user name and no password"),
        ("https://login.example.org@evil.example", "must hold no user name and no password"),
        ("https://login.example.org?pass-word", "must hold no ? and no #"),
        ("https://login.example.org/#/contoso.com", "must hold no ? and no #"),
        ("https://login.example.org\\@evil.example", "must look like https://"),
        ("https://login.example.org\\evil", "must look like https://"),
        ("https://login.example .org", "must look like https://"),
        ("https://lögin.example.org", "must look like https://"),
        (f"https://login.example.org/{TENANT}/oauth2/v2.0/token", "must end with its host, or with one tenant"),
        ("https://login.example.org/common/v2.0", "must end with its host, or with one tenant"),
        ("https://login.example.org//contoso.com", "must end with its host, or with one tenant"),
    ],
)  # fmt: skip
def test_an_authority_is_a_host_and_perhaps_a_tenant(authority: str, said: str) -> None:
    """Nothing leads the secret elsewhere, and what is wrong is said without the value."""
    found = problem({**GIVEN, "oauth2_authority": authority})
    assert f"oauth2 authority {said}" in found
    assert "pass-word" not in found
    assert "set oauth2_authority (SMTP_OAUTH2_AUTHORITY)" in found


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (NEEDED, "exactly one credential is needed"),
        ({**GIVEN, "managed_identity": True}, "client_secret (SMTP_CLIENT_SECRET) and managed_identity"),
        ({**GIVEN, "federated_token_file": __file__}, "client_secret (SMTP_CLIENT_SECRET) and federated_token_file"),
        ({**NEEDED, "client_certificate": "/nowhere"}, "client certificate does not exist here"),
        ({**NEEDED, "federated_token_file": "/nowhere"}, "federated token file does not exist here"),
        ({**GIVEN, "oauth2_ca_file": "/nowhere"}, "oauth2 ca file does not exist here"),
        ({**GIVEN, "tenant_id": None}, "tenant_id (SMTP_TENANT_ID)"),
        ({**GIVEN, "client_id": " "}, "client_id (SMTP_CLIENT_ID)"),
        ({**GIVEN, "username": None}, "SMTP username is required"),
        ({**GIVEN, "username": "ada\udcfc@example.org"}, "username must be valid UTF-8"),
        ({**GIVEN, "username": "ada@example.org\x01auth=Bearer x"}, "username must hold no control characters"),
        ({**GIVEN, "client_id": "a\x7fb"}, "client id must hold no control characters"),
        ({**GIVEN, "client_secret": "a\x00b"}, "client secret must hold no control characters"),
        ({**GIVEN, "oauth2_cloud": "moon"}, "oauth2 cloud must be"),
        ({**GIVEN, "oauth2_provider": "google"}, "oauth2 provider must be"),
        ({**GIVEN, "use_tls": False}, "never sent in plain text"),
        ({**GIVEN, "tls_mode": "none"}, "never sent in plain text"),
        ({**GIVEN, "auth_type": "basic"}, "auth type must be oauth2"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(config: dict[str, Any], said: str) -> None:
    """With the variable to set, and no value."""
    assert said in problem(config)


def test_importing_the_plugin_and_building_load_neither_msal_nor_requests(tmp_path: Path) -> None:
    """In a process of its own, which may not open a socket, for boot does no I/O."""
    program = f"""
import socket, sys
def refuse(*_, **__): raise SystemExit("a socket was opened")
sys.addaudithook(lambda event, _: refuse() if event in ("socket.connect", "socket.getaddrinfo") else None)
import postroom_smtp_oauth2.plugin
assert not {{"msal", "requests"}} & sys.modules.keys()
from postroom import MailSenderFactory
sender = MailSenderFactory.create_sender("smtp-oauth2", {GIVEN!r})
assert sender.is_configured()
print([name for name in ("msal", "requests", "jwt", "cryptography") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (run.stdout, run.stderr) == ("[]\n", "")
