"""The way to SendGrid, step by step: it goes on to the key, its scopes and the sender, and sends nothing."""

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
from postroom_testing.http import HttpServer, Reply, Request
from sendgrid_messages import KEY, sender, sound

Start = Callable[..., HttpServer]

SCOPES = Reply(200, {"scopes": ["mail.send", "alerts.read"]})
HIDDEN = Reply(403, {"errors": [{"message": "access forbidden", "field": None}]})
DOMAINS = Reply(200, [{"domain": "example.com", "valid": True}])
FROM = "Grace <grace@example.com>"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def vendor(*, scopes: Reply = SCOPES, domains: Reply = DOMAINS) -> Callable[[Request], Reply]:
    """Return a SendGrid that answers these, and knows no single senders."""

    def answer(request: Request) -> Reply:
        if request.path == "/v3/scopes":
            return scopes
        return domains if request.path.startswith("/v3/whitelabel/domains") else Reply(200, {"results": []})

    return answer


def probe(made: DeliveringSender) -> tuple[list[Step], MailSendError | None]:
    """Return the steps that were taken, and the error of the next one."""
    steps: list[Step] = []
    with made:
        try:
            steps.extend(made.probe())
        except MailSendError as error:
            sound(error)
            return steps, error
    return steps, None


def test_all_steps_are_taken(http_server: Start, ca: Certificates) -> None:
    """From the name to the sender, by GETs and no POST, without the key in what is said."""
    server = http_server(answer=vendor(), tls=ca.good)
    steps, error = probe(sender(server, ca_file=ca.ca_file, default_from=FROM))
    assert error is None
    assert [step.name for step in steps] == ["dns", "connect", "tls", "key", "scopes", "sender"]
    assert [step.said for step in steps[3:]] == [
        "SendGrid knows the key",
        "the key has 2 scopes, mail.send among them",
        "example.com may send",
    ]
    assert [dict(step.facts) for step in steps[4:]] == [
        {"count": 2, "may_send": True},
        {"domain": "example.com", "checked": True},
    ]
    assert {request.method for request in server.requests} == {"GET"}
    assert KEY not in f"{steps} {json.dumps([dict(step.facts) for step in steps])}"


@pytest.mark.parametrize(
    ("default_from", "domains", "said"),
    [
        (FROM, HIDDEN, "the key may not see all verified senders, so example.com is not checked"),
        (None, DOMAINS, "no sender is configured, so none is checked"),
    ],
    ids=["hidden", "no sender"],
)
def test_what_is_not_checked_is_said_with_the_reason(
    http_server: Start, default_from: str | None, domains: Reply, said: str
) -> None:
    """A step says what is known, and why the rest is not."""
    server = http_server(answer=vendor(scopes=Reply(200, {"scopes": ["mail.send"]}), domains=domains))
    steps, error = probe(sender(server, default_from=default_from))
    assert error is None
    assert [step.name for step in steps] == ["dns", "connect", "key", "scopes", "sender"]
    assert steps[-2].said == "the key has 1 scope, mail.send among them"
    assert (steps[-1].said, steps[-1].facts["checked"]) == (said, False)


KEY_REMEDY = (
    "Make a new key with the scope mail.send at https://app.sendgrid.com/settings/api_keys, and set SENDGRID_API_KEY; "
    "a subuser in the EU needs SENDGRID_API_URL=https://api.eu.sendgrid.com"
)
BAD_KEY = {"errors": [{"message": "The provided authorization grant is invalid, expired, or revoked", "field": None}]}
WRONG: dict[str, tuple[dict[str, Reply], list[str], type[MailSendError], str, str]] = {
    "wrong key": ({"scopes": Reply(401, BAD_KEY)}, ["dns", "connect"], MailAuthError, "key", KEY_REMEDY),
    "missing scope": (
        *({"scopes": Reply(200, {"scopes": ["alerts.read"]})}, ["dns", "connect", "key"], MailAuthError, "scopes"),
        "Give it the scope mail.send at https://app.sendgrid.com/settings/api_keys",
    ),
    "unverified sender": (
        *({"domains": Reply(200, [])}, ["dns", "connect", "key", "scopes"], MailRejectedError, "sender"),
        "Verify it at https://app.sendgrid.com/settings/sender_auth, or set MAIL_DEFAULT_SEND_FROM to one that is",
    ),
    "captive portal": (
        *({"scopes": Reply(200, "<html>Welcome</html>")}, ["dns", "connect"], MailUnavailableError, "key"),
        "Something else may have answered: check SENDGRID_API_URL and proxies",
    ),
    "a proxy that refuses": (
        *({"scopes": Reply(403, "<html>Blocked</html>")}, ["dns", "connect"], MailAuthError, "key"),
        "Something else may have answered: check SENDGRID_API_URL and proxies",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_step_that_fails_is_named(http_server: Start, case: str) -> None:
    """The error has the step's name, and what to do; the connection check ends with the same error."""
    answers, names, kind, stage, remedy = WRONG[case]
    server = http_server(answer=vendor(**answers))
    steps, error = probe(sender(server, default_from=FROM))
    assert error is not None
    assert [step.name for step in steps] == names
    assert (type(error), error.stage, error.remedy, error.outcome) == (kind, stage, remedy, Outcome.NOT_SENT)
    with sender(server, default_from=FROM) as made, pytest.raises(kind) as caught:
        made.check_connection()
    assert (str(caught.value), vars(caught.value)) == (str(error), vars(error))


def test_a_name_that_there_is_not_fails_at_dns(http_server: Start) -> None:
    """Nothing is reached by a name that nobody knows."""
    steps, error = probe(sender(http_server(), api_url="https://nowhere.invalid"))
    assert (steps, type(error)) == ([], MailConnectionError)
    assert error is not None
    assert error.stage == "dns"
    assert "SENDGRID_API_URL" in str(error.remedy)


def test_a_refused_connection_fails_at_connect(http_server: Start) -> None:
    """Where nobody listens, the second step fails."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        steps, error = probe(sender(http_server(), api_url=f"https://127.0.0.1:{reserved.getsockname()[1]}"))
    assert [step.name for step in steps] == ["dns"]
    assert error is not None
    assert (error.stage, error.remedy) == ("connect", "Check SENDGRID_API_URL, and that this host may reach it")


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("not_yet_valid", "Compare the clocks of this host and of the service"),
        ("wrong_host", "Check SENDGRID_API_URL: its name is not in the certificate"),
        ("self_signed", "If you trust this service, set SENDGRID_CA_FILE to the PEM file of its CA"),
    ],
)
def test_a_certificate_that_is_not_valid_fails_at_tls(
    http_server: Start, ca: Certificates, kind: str, remedy: str
) -> None:
    """The key is not shown to whoever cannot say who they are."""
    context: ssl.SSLContext = getattr(ca, kind)
    server = http_server(SCOPES, tls=context)
    steps, error = probe(sender(server, ca_file=ca.ca_file))
    assert [step.name for step in steps] == ["dns", "connect"]
    assert error is not None
    assert (error.stage, error.remedy) == ("tls", remedy)
    assert server.requests == []


def test_a_check_makes_its_requests_on_one_connection(http_server: Start) -> None:
    """The steps of the way are taken for a probe alone."""
    server = http_server(answer=vendor())
    with sender(server, default_from=FROM) as made:
        made.check_connection()
    assert (server.connections, len(server.requests)) == (1, 3)
