"""The way to Resend, step by step: it goes on to the key and to the sender's domain, and sends nothing."""

import json
import socket
import ssl
from collections.abc import Callable

import pytest

from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailRejectedError,
    MailSendError,
    MailUnavailableError,
    Outcome,
    Step,
)
from postroom_testing import Certificates
from postroom_testing.http import HttpServer, Reply

Resend = Callable[..., DeliveringSender]
Server = Callable[..., HttpServer]

VERIFIED = Reply(200, {"data": [{"name": "example.com", "status": "verified"}]})
RESTRICTED = Reply(401, {"name": "restricted_api_key", "message": "This API key is restricted to only send emails"})
FULL = Step("key", "Resend knows the key, which may do everything", {"access": "full"})


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def probe(sender: DeliveringSender) -> tuple[list[Step], MailSendError | None]:
    """Return the steps that were taken, and the error of the next one."""
    made: list[Step] = []
    try:
        made.extend(sender.probe())
    except MailSendError as error:
        return made, error
    return made, None


def test_all_steps_are_taken(http_server: Server, resend: Resend, ca: Certificates) -> None:
    """From the name to the sender's domain, by one GET and no POST, without the key in what is said."""
    server = http_server(VERIFIED, tls=ca.good)
    steps, error = probe(resend(server, ca_file=ca.ca_file))
    assert error is None
    assert [step.name for step in steps] == ["dns", "connect", "tls", "key", "sender"]
    facts = {"domain": "example.com", "checked": True, "status": "verified"}
    assert steps[-2:] == [FULL, Step("sender", "the domain example.com is verified", facts)]
    assert [(request.method, request.path) for request in server.requests] == [("GET", "/domains?limit=100")]
    assert "hunter2" not in f"{steps} {json.dumps([dict(step.facts) for step in steps])}"


@pytest.mark.parametrize(
    ("reply", "sender", "key", "said"),
    [
        (
            *(RESTRICTED, "ada@example.com", "sending"),
            "the key may send and nothing else, so the sender's domain is not checked",
        ),
        (VERIFIED, None, "full", "no sender is configured, so no domain is checked"),
        (
            *(Reply(200, {"data": [], "has_more": True}), "ada@example.com", "full"),
            "there are more domains than on one page, so the sender's is not checked",
        ),
        (VERIFIED, "onboarding@resend.dev", "full", "the domain resend.dev is Resend's own"),
    ],
    ids=["restricted", "no sender", "more pages", "resend.dev"],
)
def test_what_is_not_checked_is_said_with_the_reason(
    reply: Reply, sender: str | None, key: str, said: str, http_server: Server, resend: Resend
) -> None:
    """A step says what is known, and why the rest is not."""
    steps, error = probe(resend(http_server(reply), default_from=sender))
    assert error is None
    assert [step.name for step in steps] == ["dns", "connect", "key", "sender"]
    assert (steps[-2].facts["access"], steps[-1].said) == (key, said)
    assert steps[-1].facts["checked"] is (sender == "onboarding@resend.dev")


KEY_REMEDY = "Make a new key at https://resend.com/api-keys, and set RESEND_API_KEY"
ELSE = "Something else may have answered: check RESEND_API_URL and proxies"
WRONG: dict[str, tuple[Reply, list[str], type[MailSendError], str, str]] = {
    "wrong key": (
        *(Reply(403, {"name": "invalid_api_key", "message": "API key is invalid"}), ["dns", "connect"]),
        *(MailAuthError, "key", KEY_REMEDY),
    ),
    "deleted key": (
        *(Reply(400, {"name": "validation_error", "message": "API key is invalid"}), ["dns", "connect"]),
        *(MailAuthError, "key", KEY_REMEDY),
    ),
    "unverified sender": (
        *(Reply(200, {"data": [{"name": "example.com", "status": "pending"}]}), ["dns", "connect", "key"]),
        *(MailRejectedError, "sender"),
        "Verify it at https://resend.com/domains, or set MAIL_DEFAULT_SEND_FROM to one that is",
    ),
    "captive portal": (
        *(Reply(200, "<html>Welcome to the hotel</html>"), ["dns", "connect"]),
        *(MailUnavailableError, "key", ELSE),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_step_that_fails_is_named(case: str, http_server: Server, resend: Resend) -> None:
    """The error has the step's name, and what to do; the connection check ends with the same error."""
    reply, names, kind, stage, remedy = WRONG[case]
    sender = resend(http_server(reply))
    steps, error = probe(sender)
    assert error is not None
    assert [step.name for step in steps] == names
    assert (type(error), error.stage, error.remedy, error.outcome) == (kind, stage, remedy, Outcome.NOT_SENT)
    with pytest.raises(kind) as caught:
        sender.check_connection()
    assert (str(caught.value), vars(caught.value)) == (str(error), vars(error))


def test_a_name_that_there_is_not_fails_at_dns(http_server: Server, resend: Resend) -> None:
    """Nothing is reached by a name that nobody knows."""
    steps, error = probe(resend(http_server(), api_url="https://nowhere.invalid"))
    assert (steps, type(error)) == ([], MailConnectionError)
    assert error is not None
    assert error.stage == "dns"
    assert "RESEND_API_URL" in str(error.remedy)


def test_a_refused_connection_fails_at_connect(http_server: Server, resend: Resend) -> None:
    """Where nobody listens, the second step fails."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        steps, error = probe(resend(http_server(), api_url=f"https://127.0.0.1:{reserved.getsockname()[1]}"))
    assert [step.name for step in steps] == ["dns"]
    assert error is not None
    assert (error.stage, error.remedy) == ("connect", "Check RESEND_API_URL, and that this host may reach it")


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("expired", "The service needs a new certificate"),
        ("wrong_host", "Check RESEND_API_URL: its name is not in the certificate"),
        ("unknown_ca", "If you trust this service, set RESEND_CA_FILE to the PEM file of its CA"),
    ],
)
def test_a_certificate_that_is_not_valid_fails_at_tls(
    kind: str, remedy: str, http_server: Server, resend: Resend, ca: Certificates
) -> None:
    """The key is not shown to whoever cannot say who they are."""
    context: ssl.SSLContext = getattr(ca, kind)
    server = http_server(VERIFIED, tls=context)
    steps, error = probe(resend(server, ca_file=ca.ca_file))
    assert [step.name for step in steps] == ["dns", "connect"]
    assert error is not None
    assert (error.stage, error.remedy) == ("tls", remedy)
    assert server.requests == []


def test_a_check_makes_one_request_on_one_connection(http_server: Server, resend: Resend) -> None:
    """The steps of the way are taken for a probe alone."""
    server = http_server(VERIFIED)
    resend(server).check_connection()
    assert (server.connections, len(server.requests)) == (1, 1)
