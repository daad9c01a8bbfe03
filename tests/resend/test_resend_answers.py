"""What Resend's answers mean: by status and name, and what is known when none comes."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailMessage,
    MailQuotaError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_testing.http import Close, Drip, HttpServer, Reply, Reset, Silence, Step, Truncate

Resend = Callable[..., DeliveringSender]
Server = Callable[..., HttpServer]
MESSAGE = MailMessage("grace@example.com", "Hello", "<p>Hi</p>", idempotency_key="welcome/42")
AGAIN = "Send the same message again within 24 hours: Resend knows it by its idempotency key"
NEW_KEY = "Make a new key at https://resend.com/api-keys, and set RESEND_API_KEY"
VERIFY = (
    "Verify the domain of the sender (MAIL_DEFAULT_SEND_FROM) at https://resend.com/domains; without one, mail goes "
    "from onboarding@resend.dev to your own address only"
)
OTHER = "Another message had this idempotency_key within 24 hours: give each message its own"
NAMED = "Correct the field that the answer names"
SMALLER = "Send smaller files, or links to them"
ELSE = "Something else may have answered: check RESEND_API_URL and proxies"
OPEN = {"transient": True, "outcome": Outcome.UNKNOWN}
LATER = {"transient": True}


def caught(sender: DeliveringSender, message: MailMessage = MESSAGE) -> MailSendError:
    """Return the error of a send."""
    with pytest.raises(MailSendError) as found:
        sender.send(message)
    return found.value


def facts(error: MailSendError) -> dict[str, Any]:
    """Return what a caller decides by."""
    return {
        "kind": type(error),
        "remedy": error.remedy,
        "transient": error.transient,
        "outcome": error.outcome,
        "safe_to_retry": error.safe_to_retry,
        "retry_after": error.retry_after,
    }


@pytest.mark.parametrize("retry_after", [None, "7"])
@pytest.mark.parametrize(
    ("status", "name", "kind", "remedy", "more"),
    [
        (400, "validation_error", MailRejectedError, NAMED, {}),
        (
            400,
            "invalid_idempotency_key",
            MailRejectedError,
            "Set idempotency_key to 1 to 256 visible ASCII characters",
            {},
        ),
        (401, "missing_api_key", MailAuthError, "Set RESEND_API_KEY", {}),
        (401, "restricted_api_key", MailAuthError, f"The key may not do this. {NEW_KEY}", {}),
        (403, "invalid_api_key", MailAuthError, NEW_KEY, {}),
        (403, "validation_error", MailRejectedError, VERIFY, {}),
        (404, "not_found", MailRejectedError, "Check RESEND_API_URL", {}),
        (405, "method_not_allowed", MailRejectedError, "Check RESEND_API_URL", {}),
        (409, "invalid_idempotent_request", MailRejectedError, OTHER, {}),
        (409, "concurrent_idempotent_requests", MailUnavailableError, AGAIN, OPEN),
        (422, "missing_required_field", MailRejectedError, "Add the field that the answer names", {}),
        (
            422,
            "invalid_from_address",
            MailRejectedError,
            "Check the sender (MAIL_DEFAULT_SEND_FROM), and the name in it",
            {},
        ),
        (422, "invalid_attachment", MailRejectedError, "Give the attachment a name and content, or leave it out", {}),
        (422, "invalid_parameter", MailRejectedError, NAMED, {}),
        (422, "invalid_access", MailRejectedError, NEW_KEY, {}),
        (422, "invalid_region", MailRejectedError, "Add the domain again at https://resend.com/domains", {}),
        (422, "validation_error", MailRejectedError, f"{NAMED}; for a test, send to delivered@resend.dev", {}),
        (429, "rate_limit_exceeded", MailRateLimitError, "Wait; many messages at once go best by deliver_many", LATER),
        (429, "daily_quota_exceeded", MailQuotaError, "Wait until tomorrow, or take a larger plan", LATER),
        (429, "monthly_quota_exceeded", MailQuotaError, "Wait until next month, or take a larger plan", LATER),
        (451, "security_error", MailRejectedError, "Resend sees a risk in the message: ask its support", {}),
        (500, "application_error", MailUnavailableError, AGAIN, OPEN),
        (500, "internal_server_error", MailUnavailableError, AGAIN, OPEN),
        # Names that nobody knows yet go by their status.
        (400, "brand_new", MailRejectedError, "Correct what the answer names", {}),
        (401, "brand_new", MailAuthError, "Check RESEND_API_KEY", {}),
        (403, "brand_new", MailAuthError, "Check RESEND_API_KEY", {}),
        (413, "brand_new", MailRejectedError, SMALLER, {}),
        (429, "brand_new", MailRateLimitError, "Wait, and send less at a time", LATER),
        (502, "brand_new", MailUnavailableError, AGAIN, OPEN),
        (503, "brand_new", MailUnavailableError, "Try again later", LATER),
    ],
)
def test_status_and_name_decide(
    status: int,
    name: str,
    kind: type[MailSendError],
    remedy: str,
    more: dict[str, Any],
    retry_after: str | None,
    http_server: Server,
    resend: Resend,
) -> None:
    """Each pair has its class, its remedy, and says whether the same message may go again, and when."""
    headers = {"retry-after": retry_after} if retry_after else {}
    server = http_server(Reply(status, {"statusCode": status, "name": name, "message": "In short, no."}, headers))
    error = caught(resend(server))
    assert facts(error) == {
        "kind": kind,
        "remedy": remedy,
        "transient": False,
        "outcome": Outcome.NOT_SENT,
        "safe_to_retry": True,  # what is unknown is so by the key, what was not sent in any case
        "retry_after": 7.0 if retry_after else None,
        **more,
    }
    assert (error.code, error.stage, error.provider) == (status, "request", "resend")
    assert str(error) == f"resend: 127.0.0.1:{server.port} answered {status}: {name}, In short, no. {remedy}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401])
def test_a_key_that_is_gone_is_no_wrong_message(status: int, http_server: Server, resend: Resend) -> None:
    """Resend says so by the name that wrong fields have; its text tells them apart."""
    error = caught(resend(http_server(Reply(status, {"name": "validation_error", "message": "API key is invalid"}))))
    assert (type(error), error.remedy) == (MailAuthError, NEW_KEY)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            "The example.com domain is not verified. Please, add and verify your domain on https://resend.com/domains",
            "Verify the domain of the sender (MAIL_DEFAULT_SEND_FROM) at https://resend.com/domains",
        ),
        (
            "You can only send testing emails to your own email address (ada@example.com).",
            "Verify a domain at https://resend.com/domains, and set MAIL_DEFAULT_SEND_FROM to an address there",
        ),
    ],
)
def test_a_domain_that_is_not_verified_is_no_wrong_key(
    text: str, remedy: str, http_server: Server, resend: Resend
) -> None:
    """Both texts of 403 lead to the domains, each by its own way."""
    error = caught(resend(http_server(Reply(403, {"name": "validation_error", "message": text}))))
    assert (type(error), error.remedy) == (MailRejectedError, remedy)


def test_the_words_of_a_message_decide_nothing(http_server: Server, resend: Resend) -> None:
    """A name of a failure in an address that is quoted back is not that failure."""
    quoted = "Invalid `to`: rate_limit_exceeded@example.com missing_api_key daily_quota_exceeded"
    error = caught(resend(http_server(Reply(422, {"name": "invalid_parameter", "message": quoted}))))
    assert (type(error), error.remedy) == (MailRejectedError, NAMED)


@pytest.mark.parametrize(
    ("reply", "kind", "remedy", "more"),
    [
        (Reply(403, "error code: 1010"), MailAuthError, ELSE, {}),
        (Reply(401, "<html>Sign in</html>"), MailAuthError, ELSE, {}),
        (Reply(403, {"error": "forbidden"}), MailAuthError, ELSE, {}),
        (Reply(404, "<html>"), MailRejectedError, ELSE, {}),
        (Reply(422, "<html>"), MailRejectedError, ELSE, {}),
        (Reply(413, "<html>"), MailRejectedError, SMALLER, {}),
        (Reply(429, "<html>"), MailRateLimitError, "Wait, and send less at a time", LATER),
        (Reply(503, "<html>"), MailUnavailableError, "Try again later", LATER),
        (Reply(500, "<html>"), MailUnavailableError, AGAIN, OPEN),
        (Reply(502, b""), MailUnavailableError, AGAIN, OPEN),
        (Reply(504, "<html>"), MailUnavailableError, AGAIN, OPEN),
        (Reply(520, "<html>"), MailUnavailableError, AGAIN, OPEN),
        (
            Reply(302, "", {"Location": "https://example.com/"}),
            MailRejectedError,
            "It redirects: set RESEND_API_URL to where the API is",
            {},
        ),
        (Reply(200, "<html>Welcome to the hotel</html>"), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, b""), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, b"\xff\xfe\x00"), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, []), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, {}), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, {"id": None}), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, {"id": ""}), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, {"id": 7}), MailUnavailableError, AGAIN, OPEN),
        (Reply(200, {"name": 7}), MailUnavailableError, AGAIN, OPEN),
        (Reply(202, {"id": "x"}), MailUnavailableError, AGAIN, OPEN),
        (Reply(204), MailUnavailableError, AGAIN, OPEN),
    ],
    ids=lambda value: f"{value.status} {value.body!r}" if isinstance(value, Reply) else "",
)
def test_what_resend_would_not_say_goes_by_its_status(
    reply: Reply,
    kind: type[MailSendError],
    remedy: str,
    more: dict[str, Any],
    http_server: Server,
    resend: Resend,
) -> None:
    """HTML, text and JSON of others are never quoted, and a 2xx without an id is no success."""
    server = http_server(reply)
    error = caught(resend(server))
    assert facts(error) == {
        "kind": kind,
        "remedy": remedy,
        "transient": False,
        "outcome": Outcome.NOT_SENT,
        "safe_to_retry": True,
        "retry_after": None,
        **more,
    }
    assert error.reason == f"127.0.0.1:{server.port} answered {reply.status}: nothing that its API would say"


def test_the_content_type_of_an_answer_does_not_matter(http_server: Server, resend: Resend) -> None:
    """An id is an id, even if something on the way calls it text."""
    server = http_server(Reply(200, {"id": "x"}, {"Content-Type": "text/plain"}))
    assert resend(server).deliver(MESSAGE).provider_id == "x"


LOST = [
    (Close(), MailConnectionError, "was lost before it answered: the server closed the connection"),
    (Reset(), MailConnectionError, "was lost before it answered: connection reset by peer"),
    (Silence(), MailTimeoutError, "did not answer in time"),
    (
        Truncate(Reply(200, {"id": "first"})),
        MailUnavailableError,
        "answered 200: nothing that its API would say",
    ),
    (
        Drip(Reply(200, {"id": "first"}), interval=0.1),
        MailUnavailableError,
        "answered 200: nothing that its API would say",
    ),
    (Reply(500, {"name": "application_error", "message": "sorry"}), MailUnavailableError, None),
]


@pytest.mark.parametrize(
    ("step", "kind", "said"), LOST, ids=["closed", "reset", "silent", "truncated", "dripping", "500"]
)
def test_a_lost_answer_is_unknown_and_safe_to_ask_for_again(
    step: Step, kind: type[MailSendError], said: str | None, http_server: Server, resend: Resend
) -> None:
    """The message may have been sent; a second send has the same key and the same octets, even after a queue."""
    server = http_server(step, Reply(200, {"id": "id-1"}))
    sender = resend(server, timeout=0.3, deadline=0.6)
    error = caught(sender)
    assert type(error) is kind
    assert (error.outcome, error.safe_to_retry, error.transient) == (Outcome.UNKNOWN, True, True)
    assert error.remedy == AGAIN
    assert said is None or error.reason == f"127.0.0.1:{server.port} {said}"
    assert len(server.requests) == 1

    assert sender.deliver(pickle.loads(pickle.dumps(MESSAGE))).provider_id == "id-1"
    first, second = server.requests
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "welcome/42"


def test_where_nobody_listens_nothing_was_sent(http_server: Server, resend: Resend) -> None:
    """A refused connection is not a lost answer."""
    error = caught(resend(http_server(), api_url="http://127.0.0.1:9"))
    assert type(error) is MailConnectionError
    assert (error.outcome, error.transient, error.stage) == (Outcome.NOT_SENT, True, "connect")


def test_resends_words_are_one_short_line_without_the_key(http_server: Server, resend: Resend) -> None:
    """Line ends, escape codes and the key itself do not reach a log; nor does more than 200 characters."""
    message = "bad\r\n\x1b[31mkey re_hunter2 \ud800" + "x" * 500
    error = caught(resend(http_server(Reply(422, {"name": "invalid_parameter", "message": message}))))
    assert "answered 422: invalid_parameter, bad [31mkey *** xxx" in str(error)
    assert len(str(error)) < 300
    assert "hunter2" not in repr(error) + str(pickle.loads(pickle.dumps(error)))
    assert str(error).isprintable()


def test_messages_of_their_own_have_keys_of_their_own(http_server: Server, resend: Resend) -> None:
    """The key is the message's, so two messages alike are two mails."""
    server = http_server(Reply(200, {"id": "x"}))
    sender = resend(server)
    messages = [MailMessage("grace@example.com", "Hello", "-") for _ in range(2)]
    for message in messages:
        sender.send(message)
    assert [r.headers["idempotency-key"] for r in server.requests] == [message.id for message in messages]
    assert server.requests[0].body == server.requests[1].body
