"""The connection test: may the key send, and is the sender verified, as far as the key may see that."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailError,
    MailRateLimitError,
    MailRejectedError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_testing.http import HttpServer, Reply, Request, Silence, Step
from sendgrid_messages import KEY, sender, sound

Start = Callable[..., HttpServer]

SCOPES = Reply(200, {"scopes": ["mail.send", "alerts.read"]})
HIDDEN = Reply(403, {"errors": [{"message": "access forbidden", "field": None}]})
NOBODY = Reply(200, {"results": []})
NO_DOMAIN = Reply(200, [])
FROM = "Grace <grace@mail.example.com>"
ALL = ["/v3/scopes", "/v3/whitelabel/domains?limit=200", "/v3/verified_senders?limit=200"]


def vendor(*, scopes: Step = SCOPES, domains: Step = NO_DOMAIN, senders: Step = NOBODY) -> Callable[[Request], Step]:
    """Return a SendGrid that answers these."""
    steps = dict(zip(ALL, (scopes, domains, senders), strict=True))
    return lambda request: steps.get(request.path, Reply(404))


def check(server: HttpServer, **more: object) -> None:
    """Check the connection, which must succeed."""
    with sender(server, **more) as made:
        made.check_connection()


def failure(server: HttpServer, **more: object) -> Any:
    """Check the connection, which must fail, and return the error."""
    with sender(server, **more) as made, pytest.raises(MailError) as caught:
        made.check_connection()
    return sound(caught.value)


def paths(server: HttpServer) -> list[str]:
    return [request.path for request in server.requests]


def domain(name: object, valid: object = True) -> Reply:
    return Reply(200, [{"id": 1, "domain": name, "subdomain": "em1", "valid": valid}])


def single(address: object, verified: object = True) -> Reply:
    return Reply(200, {"results": [{"id": 1, "from_email": address, "verified": verified}]})


def test_a_key_with_the_scope_passes(http_server: Start) -> None:
    """One GET for the key's scopes suffices where no default sender is set."""
    server = http_server(answer=vendor())
    check(server)
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/v3/scopes", b"")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "content-type" not in request.headers


def test_a_key_without_the_scope_may_not_send(http_server: Start) -> None:
    """A key that SendGrid knows, and that lacks mail.send, is an authentication error with the way out."""
    server = http_server(answer=vendor(scopes=Reply(200, {"scopes": ["mail.batch.read"]})))
    error = failure(server)
    assert type(error) is MailAuthError
    assert (error.stage, error.outcome, error.transient) == ("scopes", Outcome.NOT_SENT, False)
    assert str(error) == (
        "sendgrid: SendGrid knows the key, and the key may not send. "
        "Give it the scope mail.send at https://app.sendgrid.com/settings/api_keys"
    )


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (Reply(401, {"errors": [{"message": "no such key", "field": None}]}), MailAuthError, "401: no such key"),
        (HIDDEN, MailAuthError, "403: access forbidden"),
        (Reply(403, "<html></html>"), MailAuthError, "403: nothing that its API would say"),
        (Reply(200, "<html></html>"), MailUnavailableError, "200: nothing that its API would say"),
        (Reply(200, {"scopes": None}), MailUnavailableError, "200: nothing that its API would say"),
        (Reply(200, []), MailUnavailableError, "200: nothing that its API would say"),
        (Reply(404, "<html></html>"), MailRejectedError, "404: nothing that its API would say"),
        (Reply(302, "", {"Location": "/v3/elsewhere"}), MailRejectedError, "302: nothing that its API would say"),
        (Reply(429, {"errors": [{"message": "slow down"}]}), MailRateLimitError, "429: slow down"),
        (Reply(500, {"errors": [{"message": "oops"}]}), MailUnavailableError, "500: oops"),
    ],
)
def test_any_other_answer_is_an_error_and_nothing_was_sent(
    http_server: Start, reply: Reply, kind: type[MailError], said: str
) -> None:
    """What does not list the scopes fails the check; since no mail was in it, nothing is unknown."""
    server = http_server(answer=vendor(scopes=reply))
    error = failure(server)
    assert type(error) is kind
    assert error.reason == f"{server.host}:{server.port} answered {said}"
    assert error.outcome is Outcome.NOT_SENT
    assert "may have been sent" not in str(error)
    assert paths(server) == ["/v3/scopes"]


def test_a_key_that_is_refused_names_the_way_to_another_one(http_server: Start) -> None:
    """The text for a bad key says where to make one, and that the EU has its own address."""
    server = http_server(answer=vendor(scopes=Reply(401, {"errors": [{"message": "no such key", "field": None}]})))
    assert str(failure(server)) == (
        f"sendgrid: {server.host}:{server.port} answered 401: no such key. Make a new key with the scope mail.send at "
        "https://app.sendgrid.com/settings/api_keys, and set SENDGRID_API_KEY; "
        "a subuser in the EU needs SENDGRID_API_URL=https://api.eu.sendgrid.com"
    )


def test_a_service_that_is_silent_or_gone_is_said(http_server: Start) -> None:
    """A time-out and a refused connection end the check, and nothing was sent."""
    error = failure(http_server(Silence()), timeout=0.3)
    assert (type(error), error.outcome) == (MailTimeoutError, Outcome.NOT_SENT)
    gone = HttpServer()
    with gone:
        pass
    error = failure(gone)
    assert (type(error), error.outcome) == (MailConnectionError, Outcome.NOT_SENT)


@pytest.mark.parametrize(
    "seen",
    [
        {"domains": domain("mail.example.com")},
        {"domains": domain("Mail.Example.COM")},
        {"domains": domain("example.com")},
        {"senders": single("grace@mail.example.com")},
        {"senders": single("GRACE@Mail.Example.com")},
        {
            "domains": Reply(
                200, [None, "x", {"domain": ["a"], "valid": True}, {"domain": "example.com", "valid": True}]
            )
        },
        {"senders": Reply(200, {"results": [None, {}, {"from_email": "grace@mail.example.com", "verified": True}]})},
    ],
)
def test_a_verified_sender_passes(http_server: Start, seen: dict[str, Step]) -> None:
    """Verified is who has the domain, a domain above it, or a single sender, in whatever case."""
    server = http_server(answer=vendor(**seen))
    check(server, default_from=FROM)
    assert paths(server) == ALL


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"domains": domain("mail.example.com", valid=False)},
        {"domains": domain("other.mail.example.com")},
        {"domains": domain("le.com")},
        {"domains": domain(["mail.example.com"])},
        {"domains": domain(None)},
        {"senders": single("grace@mail.example.com", verified=False)},
        {"senders": single("ada@mail.example.com")},
        {"senders": single(None)},
    ],
)
def test_a_sender_that_is_not_verified_is_said(http_server: Start, seen: dict[str, Step]) -> None:
    """When the key may see both lists, and the sender is in neither, the check fails with the way out."""
    error = failure(http_server(answer=vendor(**seen)), default_from=FROM)
    assert type(error) is MailRejectedError
    assert (error.stage, error.outcome, error.transient) == ("sender", Outcome.NOT_SENT, False)
    assert str(error) == (
        "sendgrid: neither the sender grace@mail.example.com nor its domain is verified at SendGrid. "
        "Verify it at https://app.sendgrid.com/settings/sender_auth, or set MAIL_DEFAULT_SEND_FROM to one that is"
    )


@pytest.mark.parametrize(
    "seen",
    [
        {"domains": HIDDEN},
        {"senders": HIDDEN},
        {"domains": HIDDEN, "senders": HIDDEN},
        {"domains": Reply(200, [{"domain": f"d{n}.example", "valid": True} for n in range(200)])},
        {"senders": Reply(200, {"results": [{"from_email": f"a{n}@b.example", "verified": True} for n in range(200)]})},
        {"domains": Reply(200, "<html></html>")},
        {"domains": Reply(200, {"results": []})},
        {"senders": Reply(200, [])},
        {"senders": Reply(200, {"results": None})},
        {"senders": Reply(500)},
    ],
)
def test_what_the_key_may_not_see_makes_no_claim(
    http_server: Start, caplog: pytest.LogCaptureFixture, seen: dict[str, Step]
) -> None:
    """A list that is hidden, or longer than one page, is said once as INFO, and the check succeeds."""
    server = http_server(answer=vendor(**seen))
    with caplog.at_level(logging.INFO, "postroom.sendgrid"):
        check(server, default_from=FROM)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "the key may not see all verified senders, so mail.example.com is not checked")
    ]


def test_a_list_that_just_fits_a_page_still_counts(http_server: Start) -> None:
    """With one entry less than a page the list is complete, and a missing sender is an error."""
    domains = Reply(200, [{"domain": f"d{n}.example", "valid": True} for n in range(199)])
    assert type(failure(http_server(answer=vendor(domains=domains)), default_from=FROM)) is MailRejectedError


def test_a_default_sender_that_is_none_is_left_to_core(http_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be an address has been warned of when the sender was made; the check asks for the scopes alone."""
    server = http_server(answer=vendor())
    check(server, default_from="nobody")
    assert paths(server) == ["/v3/scopes"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_probe_answers_yes_or_no(http_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    """`test_connection` never raises, and logs the reason."""
    with sender(http_server(answer=vendor())) as made:
        assert made.test_connection() is True
    assert caplog.records == []
    with sender(http_server(answer=vendor(scopes=HIDDEN))) as made:
        assert made.test_connection() is False
    assert "answered 403: access forbidden" in caplog.text
    assert KEY not in caplog.text
