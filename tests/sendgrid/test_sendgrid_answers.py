"""Every answer of SendGrid's, and everything else that may answer, becomes the right error with the right outcome."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom import (
    Concealer,
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
from postroom_http.answer import Answer
from postroom_http.failures import Peer
from postroom_sendgrid import answers
from postroom_testing.http import Close, HttpServer, Reply, Reset, Silence
from sendgrid_messages import KEY, error_of, message

Start = Callable[..., HttpServer]

NEW_KEY = (
    "Make a new key with the scope mail.send at https://app.sendgrid.com/settings/api_keys, and set SENDGRID_API_KEY; "
    "a subuser in the EU needs SENDGRID_API_URL=https://api.eu.sendgrid.com"
)
VERIFY = "Verify the sender (MAIL_DEFAULT_SEND_FROM), or its domain, at https://app.sendgrid.com/settings/sender_auth"
CREDITS = "Wait until the credits renew, or take a larger plan"
PLACE = "Check SENDGRID_API_URL"
SOMETHING_ELSE = "Something else may have answered: check SENDGRID_API_URL and proxies"
LOOK = "The message may have been sent: look for postroom_id=abc in SendGrid's events before you send it again"
NOT_THEIRS = "nothing that its API would say"
NAMED = "Correct what the answer names"
SMALLER = "Send smaller files, or links to them"
HTML = "<html><body>Blocked</body></html>"

BAD_KEY = "The provided authorization grant is invalid, expired, or revoked"
UNVERIFIED = "The from address does not match a verified Sender Identity."


def errors(text: object, field: object = None) -> dict[str, object]:
    """Return a failure as SendGrid writes it."""
    return {"errors": [{"message": text, "field": field, "help": None}]}


# Status, body, class, transient, outcome, what is said, remedy.
Row = tuple[int, object, type[MailSendError], bool, Outcome, str, str | None]
TABLE: dict[str, Row] = {
    "400 about a field": (
        *(400, errors("Does not contain a valid address.", "personalizations.0.to.0.email"), MailRejectedError, False),
        *(Outcome.NOT_SENT, "personalizations.0.to.0.email: Does not contain a valid address.", NAMED),
    ),
    "400 about from": (400, errors("bad", "from"), MailRejectedError, False, Outcome.NOT_SENT, "from: bad", NAMED),
    "401 bad key": (401, errors(BAD_KEY), MailAuthError, False, Outcome.NOT_SENT, BAD_KEY, NEW_KEY),
    "401 no credits": (
        *(401, errors("Maximum credits exceeded"), MailQuotaError, True, Outcome.NOT_SENT),
        *("Maximum credits exceeded", CREDITS),
    ),
    "401 as HTML": (401, HTML, MailAuthError, False, Outcome.NOT_SENT, NOT_THEIRS, SOMETHING_ELSE),
    "403 scope": (
        *(403, errors("access forbidden"), MailAuthError, False, Outcome.NOT_SENT),
        *("access forbidden", NEW_KEY),
    ),
    "403 from": (
        *(403, errors(UNVERIFIED, "from"), MailRejectedError, False, Outcome.NOT_SENT),
        *(f"from: {UNVERIFIED}", VERIFY),
    ),
    "403 from.email": (
        *(403, errors("no", "from.email"), MailRejectedError, False, Outcome.NOT_SENT),
        *("from.email: no", VERIFY),
    ),
    "403 as HTML": (403, HTML, MailAuthError, False, Outcome.NOT_SENT, NOT_THEIRS, SOMETHING_ELSE),
    "404": (404, errors("Not Found"), MailRejectedError, False, Outcome.NOT_SENT, "Not Found", PLACE),
    "404 as HTML": (404, HTML, MailRejectedError, False, Outcome.NOT_SENT, NOT_THEIRS, SOMETHING_ELSE),
    "405": (405, errors("no"), MailRejectedError, False, Outcome.NOT_SENT, "no", PLACE),
    "406": (406, errors("no"), MailRejectedError, False, Outcome.NOT_SENT, "no", NAMED),
    "415": (415, errors("no"), MailRejectedError, False, Outcome.NOT_SENT, "no", NAMED),
    "413": (413, errors("big"), MailRejectedError, False, Outcome.NOT_SENT, "big", SMALLER),
    "413 as HTML": (413, HTML, MailRejectedError, False, Outcome.NOT_SENT, NOT_THEIRS, SMALLER),
    "429": (
        *(429, errors("too many requests"), MailRateLimitError, True, Outcome.NOT_SENT),
        *("too many requests", "Wait, and send less at a time"),
    ),
    "500": (500, errors("oops"), MailUnavailableError, False, Outcome.UNKNOWN, "oops", LOOK),
    "500 as HTML": (500, HTML, MailUnavailableError, False, Outcome.UNKNOWN, NOT_THEIRS, LOOK),
    "502": (502, HTML, MailUnavailableError, False, Outcome.UNKNOWN, NOT_THEIRS, LOOK),
    "503": (503, errors("busy"), MailUnavailableError, True, Outcome.NOT_SENT, "busy", "Try again later"),
    "504": (504, HTML, MailUnavailableError, False, Outcome.UNKNOWN, NOT_THEIRS, LOOK),
    "200 outside of the sandbox": (200, b"", MailUnavailableError, False, Outcome.UNKNOWN, NOT_THEIRS, LOOK),
    "204": (204, b"", MailUnavailableError, False, Outcome.UNKNOWN, NOT_THEIRS, LOOK),
    "301": (
        *(301, HTML, MailRejectedError, False, Outcome.NOT_SENT),
        *(NOT_THEIRS, "It redirects: set SENDGRID_API_URL to where the API is"),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_an_answer_becomes_its_error(http_server: Start, case: str) -> None:
    """Status and field decide the class, what became of the message, and what to do."""
    status, body, kind, transient, outcome, said, remedy = TABLE[case]
    server = http_server(Reply(status, body))
    error = error_of(server, message(id="abc"))
    assert type(error) is kind
    assert (error.code, error.stage, error.transient, error.outcome) == (status, "request", transient, outcome)
    assert error.safe_to_retry is (outcome is Outcome.NOT_SENT)
    assert error.remedy == remedy
    assert error.reason == f"{server.host}:{server.port} answered {status}: {said}"
    assert error.retry_after is None
    assert len(server.requests) == 1  # nothing is repeated, and no redirect followed


def test_an_error_reads_as_one_line_with_its_remedy(http_server: Start) -> None:
    """The whole text, as an operator finds it in a log."""
    server = http_server(Reply(403, errors(UNVERIFIED, "from")))
    assert str(error_of(server)) == (
        f"sendgrid: {server.host}:{server.port} answered 403: from: {UNVERIFIED} "
        "Verify the sender (MAIL_DEFAULT_SEND_FROM), or its domain, at https://app.sendgrid.com/settings/sender_auth"
    )


LONG = (
    f"{UNVERIFIED} Mail cannot be sent until this error is resolved. Visit https://sendgrid.com/docs/for-developers/"
    "sending-email/sender-identity/ to see the Sender Identity requirements"
)  # https://github.com/sendgrid/sendgrid-ruby/pull/489


@pytest.mark.parametrize(
    ("body", "kind", "remedy"),
    [
        (errors(LONG, "from"), MailRejectedError, VERIFY),
        (errors(LONG), MailRejectedError, VERIFY),
        (errors("x" * 300, "from"), MailRejectedError, VERIFY),
        (errors("no", "from_name"), MailAuthError, NEW_KEY),
        (errors("The key was removed (from) the account"), MailAuthError, NEW_KEY),
        ({"errors": [{"message": "no"}, {"message": "no", "field": "from"}]}, MailAuthError, NEW_KEY),
    ],
    ids=["as it is", "without a field", "longer than what is kept", "another field", "in a text", "second"],
)
@pytest.mark.parametrize("status", [401, 403])
def test_the_first_field_tells_the_sender_from_the_key(
    http_server: Start, status: int, body: object, kind: type[MailSendError], remedy: str
) -> None:
    """One status stands for both; however long the text is, the field that it is about decides."""
    error = error_of(http_server(Reply(status, body)))
    assert (type(error), error.remedy) == (kind, remedy)


def test_all_errors_of_an_answer_are_said(http_server: Start) -> None:
    """Several errors stand in one line, each with its field."""
    body = {"errors": [{"message": "one", "field": "subject"}, {"message": "two"}]}
    server = http_server(Reply(400, body))
    assert error_of(server).reason == f"{server.host}:{server.port} answered 400: subject: one; two"


def test_a_key_that_is_quoted_back_is_hidden(http_server: Start) -> None:
    """An answer that holds the key is shown with stars in its place."""
    server = http_server(Reply(401, errors(f"the key {KEY}\nis bad")))
    assert error_of(server).reason == f"{server.host}:{server.port} answered 401: the key *** is bad"


ODD: dict[str, tuple[object, str]] = {
    "null": (None, NOT_THEIRS),
    "a list": ([1], NOT_THEIRS),
    "text": ('"no"', NOT_THEIRS),
    "broken JSON": ('{"errors": [', NOT_THEIRS),
    "no UTF-8": (b"\xff\xfe{", NOT_THEIRS),
    "empty": (b"", NOT_THEIRS),
    "no errors": ({"error": "no"}, NOT_THEIRS),
    "null errors": ({"errors": None}, NOT_THEIRS),
    "errors as text": ({"errors": "no"}, NOT_THEIRS),
    "errors as an object": ({"errors": {"message": "no"}}, NOT_THEIRS),
    "an empty list": ({"errors": []}, NOT_THEIRS),
    "a list of texts": ({"errors": ["no", None, 1, []]}, NOT_THEIRS),
    "nothing but brackets": ("[" * 200_000, NOT_THEIRS),
    "null fields": ({"errors": [{"message": None, "field": None, "help": None}]}, NOT_THEIRS),
    "an empty object": ({"errors": [{}]}, NOT_THEIRS),
    "numbers": ({"errors": [{"message": 1, "field": 2}]}, "2: 1"),
    "nested": ({"errors": [{"message": {"a": "b"}, "field": ["from"]}]}, "['from']: {'a': 'b'}"),
    "a good one among bad ones": ({"errors": [None, {"message": "no"}]}, "no"),
}


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
@pytest.mark.parametrize("shape", ODD)
def test_errors_of_odd_shape_never_crash(http_server: Start, shape: str, status: int) -> None:
    """Whatever stands in the body, the status alone suffices for an error."""
    body, said = ODD[shape]
    server = http_server(Reply(status, body))
    error = error_of(server)
    assert error.code == status
    assert error.reason == f"{server.host}:{server.port} answered {status}: {said}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("errors", "message", "field", "help")), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.sampled_from((200, 302, 400, 401, 403, 404, 413, 429, 500, 503)), JSON)
def test_any_json_makes_an_error(status: int, body: Any) -> None:
    """No JSON whatsoever makes the reading of an answer fail."""
    peer = Peer("api.sendgrid.com", Concealer(KEY))
    said = json.dumps({"errors": body if isinstance(body, list) else [body]}).encode()
    error = answers.explain(Answer(status, {}, said), peer, answers.lost(message()))
    assert isinstance(error, MailSendError)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"X-RateLimit-Reset": "{in 30 s}"}, 5, 30),
        ({"X-RateLimit-Reset": "{30 s ago}"}, 0, 0),
        ({"X-RateLimit-Reset": "0"}, 0, 0),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "7"}, 7, 7),
        ({"X-RateLimit-Reset": "-5", "Retry-After": "7"}, 7, 7),
        ({"X-RateLimit-Reset": "", "Retry-After": "7"}, 7, 7),
        ({"X-RateLimit-Reset": "9" * 400, "Retry-After": "7"}, 7, 7),
        ({"X-RateLimit-Reset": "\u00b2", "Retry-After": "7"}, 7, 7),
        ({"Retry-After": "7"}, 7, 7),
        ({"X-RateLimit-Reset": "{in 30 s}", "Retry-After": "99"}, 5, 30),
    ],
)
def test_a_rate_limit_says_how_long_to_wait(
    http_server: Start, headers: dict[str, str], least: float, most: float
) -> None:
    """The second of the epoch in X-RateLimit-Reset becomes a wait from now, never negative; else Retry-After counts."""
    now = int(time.time())
    times = {"{in 30 s}": str(now + 30), "{30 s ago}": str(now - 30)}
    sent = {name: times.get(value, value) for name, value in headers.items()}
    error = error_of(http_server(Reply(429, errors("too many requests"), sent)))
    assert type(error) is MailRateLimitError
    assert least <= error.retry_after <= most


@pytest.mark.parametrize("garbage", ["soon", "-5", "1e9", "", "9" * 400])
def test_a_wait_that_makes_no_sense_is_none(http_server: Start, garbage: str) -> None:
    """Headers that are no number and no date say nothing."""
    headers = {"X-RateLimit-Reset": garbage, "Retry-After": garbage}
    assert error_of(http_server(Reply(429, errors("no"), headers))).retry_after is None


def test_other_answers_take_their_wait_from_retry_after(http_server: Start) -> None:
    """X-RateLimit-Reset is in every answer of SendGrid's, and is about something else than a 503."""
    headers = {"X-RateLimit-Reset": str(int(time.time()) + 500), "Retry-After": "3"}
    assert error_of(http_server(Reply(503, errors("busy"), headers))).retry_after == 3


@pytest.mark.parametrize(
    ("step", "timeout", "kind", "said"),
    [
        (Silence(), 0.3, MailTimeoutError, "did not answer in time"),
        (Close(), 10, MailConnectionError, "was lost before it answered: the server closed the connection"),
        (Reset(), 10, MailConnectionError, "was lost before it answered: connection reset by peer"),
    ],
)
def test_a_lost_answer_is_unknown_and_not_safe_to_retry(
    http_server: Start, step: Any, timeout: float, kind: type[MailSendError], said: str
) -> None:
    """When the request has left and no answer comes, the error says what to look for, and advises no second send."""
    server = http_server(step)
    mail: MailMessage = message()
    error = error_of(server, mail, timeout=timeout)
    assert type(error) is kind
    assert (error.outcome, error.safe_to_retry, error.transient, error.code) == (Outcome.UNKNOWN, False, False, None)
    assert str(error) == (
        f"sendgrid: {server.host}:{server.port} {said}. The message may have been sent: "
        f"look for postroom_id={mail.id} in SendGrid's events before you send it again"
    )
    assert len(server.requests) == 1


def test_a_refused_connection_is_not_sent(http_server: Start) -> None:
    """Nothing has left when nobody listens, so the message may be sent again."""
    server = HttpServer(Reply(202))
    with server:
        pass
    error = error_of(server)
    assert type(error) is MailConnectionError
    assert (error.outcome, error.safe_to_retry, error.transient) == (Outcome.NOT_SENT, True, True)
    assert "postroom_id" not in str(error)
