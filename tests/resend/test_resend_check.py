"""The probe `GET /domains`: is the key known, and may the sender's domain send?"""

import logging
from collections.abc import Callable

import pytest

from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_testing.http import Close, HttpServer, Reply, Silence, Step

Resend = Callable[..., DeliveringSender]
Server = Callable[..., HttpServer]
RESTRICTED = Reply(401, {"statusCode": 401, "name": "restricted_api_key", "message": "only send emails"})
ELSE = "Something else may have answered: check RESEND_API_URL and proxies"


def domains(*, has_more: bool = False, **statuses: str) -> Reply:
    """Return a list of domains, with _ for the dot in their names."""
    data = [{"id": "1", "name": name.replace("_", "."), "status": status} for name, status in statuses.items()]
    return Reply(200, {"object": "list", "has_more": has_more, "data": data})


@pytest.mark.parametrize("status", ["verified", "partially_verified"])
def test_a_verified_domain_is_success(status: str, http_server: Server, resend: Resend) -> None:
    """One GET with the key asks for as many domains as there may be on a page, and nothing is sent."""
    server = http_server(domains(other_org="failed", example_com=status))
    sender = resend(server)
    sender.check_connection()
    assert sender.test_connection() is True
    first, _ = server.requests
    assert (first.method, first.path, first.body) == ("GET", "/domains?limit=100", b"")
    assert first.headers["authorization"] == "Bearer re_hunter2"
    assert first.headers["user-agent"].startswith("postroom/")
    assert "idempotency-key" not in first.headers


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (domains(example_com="pending"), "pending"),
        (domains(example_com="not_started"), "not_started"),
        (domains(example_com="failed"), "failed"),
        (domains(other_org="verified"), "not there"),
        (domains(mail_example_com="verified"), "not there"),
        (domains(), "not there"),
        (Reply(200, {"data": [None, "example.com", {}, {"name": "example.com"}]}), "None"),
    ],
)
def test_a_domain_that_may_not_send_is_said(reply: Reply, status: str, http_server: Server, resend: Resend) -> None:
    """The error names the domain and its status, and where to verify it."""
    with pytest.raises(MailRejectedError) as caught:
        resend(http_server(reply)).check_connection()
    assert str(caught.value) == (
        f"resend: the domain example.com of the sender is not verified at Resend (it is {status}). "
        "Verify it at https://resend.com/domains, or set MAIL_DEFAULT_SEND_FROM to one that is"
    )
    assert (caught.value.stage, caught.value.outcome) == ("sender", Outcome.NOT_SENT)


@pytest.mark.parametrize("sender", [None, "", "onboarding@resend.dev", "Ada <delivered@RESEND.dev>", "not an address"])
def test_no_domain_is_asked_for_where_there_is_none_of_ours(
    sender: str | None, http_server: Server, resend: Resend
) -> None:
    """Without a default sender, with Resend's own domain, or with nonsense, a key that is known is enough."""
    resend(http_server(domains()), default_from=sender).check_connection()


def test_a_domain_on_a_further_page_is_not_missed(http_server: Server, resend: Resend) -> None:
    """Where there are more domains than came, nothing is said about one that did not come."""
    server = http_server(domains(other_org="verified", has_more=True))
    resend(server).check_connection()
    assert len(server.requests) == 1


def test_a_key_that_may_only_send_is_success(
    http_server: Server, resend: Resend, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the key to use; a log line says that the domain could not be checked."""
    sender = resend(http_server(RESTRICTED))
    with caplog.at_level(logging.INFO, "postroom"):
        sender.check_connection()
        assert sender.test_connection() is True
    line = "the key may send and nothing else, so the sender's domain is not checked"
    assert caplog.record_tuples == [("postroom.resend", logging.INFO, line)] * 2


@pytest.mark.parametrize(
    ("step", "kind", "text"),
    [
        (
            Reply(403, {"statusCode": 403, "name": "invalid_api_key", "message": "API key is invalid"}),
            MailAuthError,
            (
                "resend: {} answered 403: invalid_api_key, API key is invalid. "
                "Make a new key at https://resend.com/api-keys, and set RESEND_API_KEY"
            ),
        ),
        (
            Reply(401, {"statusCode": 401, "name": "missing_api_key", "message": "Missing API Key"}),
            MailAuthError,
            "resend: {} answered 401: missing_api_key, Missing API Key. Set RESEND_API_KEY",
        ),
        (
            Reply(401, "<html>restricted_api_key</html>"),
            MailAuthError,
            "resend: {} answered 401: nothing that its API would say. " + ELSE,
        ),
        (
            Reply(404, "<html>"),
            MailRejectedError,
            "resend: {} answered 404: nothing that its API would say. " + ELSE,
        ),
        (
            Reply(404, {"statusCode": 404, "name": "not_found", "message": "no"}),
            MailRejectedError,
            "resend: {} answered 404: not_found, no. Check RESEND_API_URL",
        ),
        (
            Reply(429, {"statusCode": 429, "name": "rate_limit_exceeded", "message": "slowly"}),
            MailRateLimitError,
            "resend: {} answered 429: rate_limit_exceeded, slowly. Wait; many messages at once go best by deliver_many",
        ),
        (Close(), MailConnectionError, None),
        (Silence(), MailTimeoutError, None),
    ],
    ids=["invalid", "missing", "html-401", "html-404", "not-found", "rate", "closed", "silent"],
)
def test_what_is_wrong_is_said(
    step: Step, kind: type[MailSendError], text: str | None, http_server: Server, resend: Resend
) -> None:
    """The error says what failed and what to do; no message was under way, so nothing is unknown."""
    server = http_server(step)
    sender = resend(server, timeout=0.3)
    with pytest.raises(MailSendError) as caught:
        sender.check_connection()
    assert type(caught.value) is kind
    assert (caught.value.outcome, caught.value.provider) == (Outcome.NOT_SENT, "resend")
    if text is not None:
        assert str(caught.value) == text.format(f"127.0.0.1:{server.port}")
    assert sender.test_connection() is False


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "<html>Welcome to the hotel</html>"),
        Reply(200, []),
        Reply(200, {"data": None}),
        Reply(200, {}),
        Reply(201, {"data": []}),
        Reply(500, "<html>"),
    ],
    ids=["html", "list", "null", "empty", "201", "500"],
)
def test_what_is_no_list_of_domains_is_no_success(reply: Reply, http_server: Server, resend: Resend) -> None:
    """A login page of a hotel is not Resend; and as nothing was sent, nothing is unknown."""
    server = http_server(reply)
    sender = resend(server, default_from=None)
    with pytest.raises(MailUnavailableError) as caught:
        sender.check_connection()
    assert caught.value.reason == f"127.0.0.1:{server.port} answered {reply.status}: nothing that its API would say"
    assert (caught.value.outcome, caught.value.safe_to_retry) == (Outcome.NOT_SENT, True)
    assert sender.test_connection() is False


def test_an_odd_entry_in_the_list_is_passed_over(http_server: Server, resend: Resend) -> None:
    """What is no domain does not hide the one that is."""
    odd = [{"name": ["x"], "status": "verified"}, {"name": {}, "status": []}, 7]
    reply = Reply(200, {"data": [*odd, {"name": "example.com", "status": "verified"}]})
    resend(http_server(reply)).check_connection()


def test_a_failed_test_logs_the_reason_without_the_key(
    http_server: Server, resend: Resend, caplog: pytest.LogCaptureFixture
) -> None:
    """`test_connection` does not raise: its warning has the text of the error, and no secret."""
    server = http_server(Reply(403, {"name": "invalid_api_key", "message": "re_hunter2 is not a key"}))
    assert resend(server).test_connection() is False
    assert caplog.messages == [
        (
            f"mail: resend: connection test failed: 127.0.0.1:{server.port} answered 403: invalid_api_key, "
            "*** is not a key. Make a new key at https://resend.com/api-keys, and set RESEND_API_KEY"
        )
    ]
    assert "hunter2" not in caplog.text
