"""The way to a mailbox by token: what the token says stands before the login, and what it lacks behind a refusal."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from mail_stack import MAILBOX, MailStack
from oauth_servers import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE,
    ROLE,
    TENANT,
    Answer,
    Drop,
    Fault,
    OAuthServer,
    entra_error,
)
from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailSendError,
    MailUnavailableError,
    Outcome,
    Step,
)
from postroom_testing import Certificates
from postroom_testing.smtp import SmtpServer

Make = Callable[..., DeliveringSender]
WAY = ["dns", "connect", "greeting", "tls", "ehlo", "token"]
TO = "ada@example.com"
REFUSED = b"535 5.7.3 Authentication unsuccessful [XX1PR01CA0001.example.PROD.OUTLOOK.COM]\r\n"


@pytest.fixture
def start(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> Callable[..., SmtpServer]:
    """Start a server that offers a login with a token, and answers AUTH so."""

    def run(*auth: bytes, implicit: bool = False) -> SmtpServer:
        offer = ("AUTH LOGIN XOAUTH2",)
        script: dict[str, Any] = {"AUTH": [*auth]} if auth else {}
        return smtp_server(
            script, tls=ca.good, implicit=implicit, extensions=offer if implicit else (), extensions_in_tls=offer
        )

    return run


@pytest.fixture
def probe(oauth: OAuthServer) -> Callable[..., tuple[list[Step], Any]]:
    """Probe, and return the steps that were taken, and the error of the next one; no secret is in either."""

    def run(sender: DeliveringSender, recipient: str | None = None) -> tuple[list[Step], Any]:
        steps: list[Step] = []
        failed: MailSendError | None = None
        with sender:
            try:
                steps.extend(sender.probe(recipient))
            except MailSendError as error:
                failed = error
        if failed is not None:
            assert str(failed).isprintable()
            assert (failed.provider, failed.outcome) == ("smtp-oauth2", Outcome.NOT_SENT)
        shown = f"{steps} {json.dumps([dict(step.facts) for step in steps])} {failed} {failed and vars(failed)}"
        for secret in (CLIENT_SECRET, *oauth.issued):
            assert secret not in shown
        return steps, failed

    return run


Probe = Callable[..., tuple[list[Step], Any]]


def names(steps: list[Step]) -> list[str]:
    """Return the names of steps."""
    return [step.name for step in steps]


def test_the_token_is_a_step_before_the_login(
    start: Callable[..., SmtpServer], make: Make, probe: Probe, oauth: OAuthServer
) -> None:
    """What it says is there before anybody refuses it; one token is asked for, and nothing is sent."""
    server = start()
    steps, error = probe(make(SMTP_PORT=str(server.port)), TO)
    assert error is None
    assert names(steps) == [*WAY, "auth", "mail", "rcpt"]
    assert server.wait().verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    assert server.verbs[-4:] == ["MAIL", "RCPT", "RSET", "QUIT"]
    assert "DATA" not in server.verbs
    assert (oauth.count(), server.bodies) == (1, [])


def test_with_implicit_tls_it_is_the_same(start: Callable[..., SmtpServer], make: Make, probe: Probe) -> None:
    """The token comes behind EHLO, which is the last thing before the login."""
    server = start(implicit=True)
    steps, error = probe(make(SMTP_PORT=str(server.port), SMTP_TLS_MODE="implicit", MAIL_DEFAULT_SEND_FROM=None))
    assert error is None
    assert names(steps) == ["dns", "connect", "tls", "greeting", "ehlo", "token", "auth"]


def test_the_claims_are_facts(make: Make, probe: Probe, oauth: OAuthServer) -> None:
    """Audience, roles, tenant, application and object, as plain data and in one line; never the token itself."""
    steps, error = probe(make())
    assert error is None
    (token,) = (step for step in steps if step.name == "token")
    facts = json.loads(json.dumps(dict(token.facts)))
    assert (facts["aud"], facts["roles"], facts["tid"], facts["appid"]) == (RESOURCE, [ROLE], TENANT, CLIENT_ID)
    assert facts.keys() == {"aud", "roles", "tid", "oid", "appid", "exp"}
    assert facts["oid"]
    assert token.said.startswith(f"aud={RESOURCE} roles={ROLE} tid={TENANT} appid={CLIENT_ID} oid={facts['oid']} ends")
    assert token.said.isprintable()


def test_a_token_that_cannot_be_read_is_opaque(make: Make, probe: Probe, oauth: OAuthServer) -> None:
    """Nobody has to give tokens that say something."""
    oauth.fail("token", Answer(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": "0paque-t0ken"}))
    steps, error = probe(make())
    assert error is None
    (token,) = (step for step in steps if step.name == "token")
    assert (token.said, dict(token.facts)) == ("opaque", {})
    assert "0paque-t0ken" not in str(steps)


def test_the_log_has_no_token(make: Make, probe: Probe, oauth: OAuthServer, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG neither."""
    caplog.set_level(logging.DEBUG)
    probe(make(), TO)
    assert "MAIL FROM" in caplog.text
    assert oauth.issued[-1] not in caplog.text
    assert CLIENT_SECRET not in caplog.text


@pytest.mark.parametrize("roles", [(), ("Mail.Send",), (ROLE,)])
def test_a_refused_token_is_answered_with_the_commands(
    start: Callable[..., SmtpServer], make: Make, probe: Probe, oauth: OAuthServer, roles: tuple[str, ...]
) -> None:
    """With the IDs of this token; the role is missed only where it is missing."""
    oauth.tokens.roles = roles
    server = start(b"334 \r\n", REFUSED)
    steps, error = probe(make(SMTP_PORT=str(server.port)), TO)
    assert names(steps) == WAY
    assert (type(error), error.stage, error.code, error.enhanced_code) == (MailAuthError, "auth", 535, "5.7.3")
    oid = steps[-1].facts["oid"]
    for words in (
        f"New-ServicePrincipal -AppId {CLIENT_ID} -ObjectId {oid}",
        f"Add-MailboxPermission -Identity {MAILBOX} -User {oid}",
        f"Add-RecipientPermission {MAILBOX} -Trustee {oid}",
        "New-ManagementRoleAssignment",
    ):
        assert words in error.remedy
    assert ("The token lacks the role SMTP.SendAsApp" in error.remedy) is (ROLE not in roles)
    assert "MAIL" not in server.wait().verbs


def test_a_mail_server_that_looks_into_the_token_refuses_it_with_the_commands(
    mail: MailStack, make: Make, probe: Probe, oauth: OAuthServer
) -> None:
    """Postfix and Dovecot, with a token that lacks the role."""
    oauth.tokens.roles = ()
    steps, error = probe(make(SMTP_PORT=str(mail.port)))
    assert (names(steps), error.stage) == (WAY, "auth")
    assert "The token lacks the role SMTP.SendAsApp" in error.remedy
    assert "New-ServicePrincipal" in error.remedy


def test_a_mail_server_that_takes_the_token_is_probed_to_the_end(mail: MailStack, make: Make, probe: Probe) -> None:
    """And gets no message."""
    steps, error = probe(make(SMTP_PORT=str(mail.port)), "one@example.com")
    assert error is None
    assert names(steps) == [*WAY, "auth", "mail", "rcpt"]
    assert mail._paths() == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.\r\n",
            "Set-TransportConfig",
        ),
        (b"454 4.7.0 Temporary authentication failure\r\n", "Wait some minutes"),
    ],
)
def test_what_the_server_explains_itself_stays(
    start: Callable[..., SmtpServer], make: Make, probe: Probe, reply: bytes, words: str
) -> None:
    """The commands for a token would lead astray."""
    server = start(b"334 \r\n", reply)
    steps, error = probe(make(SMTP_PORT=str(server.port)))
    assert (names(steps), error.stage) == (WAY, "auth")
    assert words in error.remedy
    assert "New-ServicePrincipal" not in error.remedy


FAULTS: dict[str, tuple[Fault, type[MailSendError], str]] = {
    "wrong secret": (entra_error(7000215), MailAuthError, "SMTP_CLIENT_SECRET"),
    "no such tenant": (entra_error(90002), MailAuthError, "SMTP_TENANT_ID"),
    "throttled": (Answer(429, {"error": "x"}), MailRateLimitError, "Wait"),
    "in trouble": (Answer(503, "<html>"), MailUnavailableError, "Wait, and try again"),
    "redirect": (Answer(302, "", {"Location": "https://localhost:1/"}), MailAuthError, "SMTP_OAUTH2_AUTHORITY"),
    "captive portal": (Answer(200, "<html>Welcome"), MailUnavailableError, "check SMTP_OAUTH2_AUTHORITY and proxies"),
    "dropped": (Drop(), MailConnectionError, "Check SMTP_OAUTH2_AUTHORITY"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_identity_service_that_fails_is_the_step_token(
    start: Callable[..., SmtpServer], make: Make, probe: Probe, oauth: OAuthServer, fault: str
) -> None:
    """Up to EHLO all is well, no login is tried, and the remedy is that of the identity service."""
    what, kind, remedy = FAULTS[fault]
    oauth.fail("token", what)
    server = start()
    steps, error = probe(make(SMTP_PORT=str(server.port)), TO)
    assert names(steps) == WAY[:-1]
    assert (type(error), error.stage) == (kind, "token")
    assert remedy in error.remedy
    assert "AUTH" not in server.wait().verbs  # wait() raises if the connection stays open


def test_a_mail_server_that_cannot_be_reached_costs_no_token(make: Make, probe: Probe, oauth: OAuthServer) -> None:
    """The way to the server comes first."""
    with SmtpServer() as gone:
        port = gone.port
    steps, error = probe(make(SMTP_PORT=str(port)))
    assert (names(steps), error.stage) == (["dns"], "connect")
    assert oauth.count() == 0


@pytest.mark.parametrize("after", [5, 6, 7])
def test_a_probe_that_is_abandoned_closes_its_connection(
    start: Callable[..., SmtpServer], make: Make, after: int
) -> None:
    """Before the token, behind it, and behind the login."""
    server = start()
    with make(SMTP_PORT=str(server.port)) as sender:
        steps = sender.probe(TO)
        for _ in range(after):
            next(steps)
        del steps
        server.wait()  # raises if the client does not go
    assert ("AUTH" in server.verbs) is (after > 6)
    assert "MAIL" not in server.verbs
