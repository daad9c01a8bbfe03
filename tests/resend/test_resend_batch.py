"""Many messages by `POST /emails/batch`: each keeps its place and its own result, whatever Resend answers."""

import datetime
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from postroom import (
    Attachment,
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailError,
    MailMessage,
    MailMessageError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailUnavailableError,
    Outcome,
    Receipt,
)
from postroom_testing.http import Close, HttpServer, Reply, Request, Reset, Silence, Step, Truncate

Resend = Callable[..., DeliveringSender]
Server = Callable[..., HttpServer]
LOOK = "The messages of this batch may have been sent: look for them in Resend's log before you send them again"
FILE = Attachment("a.txt", b"text")


def messages(count: int) -> list[MailMessage]:
    """Return messages whose subjects are their numbers."""
    return [MailMessage(f"grace{n}@example.com", str(n), text="Hello", from_="ada@example.com") for n in range(count)]


def vendor(request: Request) -> Step:
    """Accept everything; the id of a mail is made of its subject."""
    said = request.json()
    if request.path == "/emails":
        return Reply(200, {"id": f"id-{said['subject']}"})
    return Reply(200, {"data": [{"id": f"id-{each['subject']}"} for each in said]})


def ids(results: list[Receipt | MailError]) -> list[str | None]:
    """Return the vendor's ids of receipts."""
    return [result.provider_id if isinstance(result, Receipt) else None for result in results]


def refusal(status: int, name: str, **headers: str) -> Reply:
    """Return a failure in Resend's words."""
    return Reply(status, {"statusCode": status, "name": name, "message": "no"}, headers)


def errors(results: list[Receipt | MailError]) -> list[MailSendError]:
    """Return results that are all errors, each an object of its own."""
    found = [result for result in results if isinstance(result, MailSendError)]
    assert len(found) == len(results) == len({id(error) for error in found})
    return found


def test_messages_go_in_hundreds_and_results_keep_their_order(http_server: Server, resend: Resend) -> None:
    """250 messages are three requests, and each receipt is that of its message."""
    server = http_server(answer=vendor)
    sent = messages(250)
    results = list(resend(server).deliver_many(sent))
    assert ids(results) == [f"id-{n}" for n in range(250)]
    assert [r.message_id for r in results if isinstance(r, Receipt)] == [message.message_id for message in sent]
    assert [r.accepted for r in results if isinstance(r, Receipt)] == [message.recipients for message in sent]
    assert [(r.method, r.path, len(r.json())) for r in server.requests] == [
        ("POST", "/emails/batch", 100),
        ("POST", "/emails/batch", 100),
        ("POST", "/emails/batch", 50),
    ]


def test_a_batch_is_permissive_and_has_a_key_of_its_own(http_server: Server, resend: Resend) -> None:
    """Every batch asks for permissive validation, under a key that only the same messages have again."""
    server = http_server(answer=vendor)
    sender, sent = resend(server), messages(110)
    for _ in range(2):
        list(sender.deliver_many(sent))
    assert {request.headers["x-batch-validation"] for request in server.requests} == {"permissive"}
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer re_hunter2"}
    first, second, third, fourth = (request.headers["idempotency-key"] for request in server.requests)
    assert (first, second) == (third, fourth)
    assert first != second
    assert 1 <= len(first) <= 256
    assert [r.body for r in server.requests[:2]] == [r.body for r in server.requests[2:]]


def test_nothing_is_taken_or_sent_before_a_result_is_asked_for(http_server: Server, resend: Resend) -> None:
    """The first result takes a hundred messages from an endless iterable, and sends them."""
    server, taken = http_server(answer=vendor), itertools.count()

    def endless() -> Iterator[MailMessage]:
        while True:
            yield MailMessage("grace@example.com", str(next(taken)), text="Hello")

    results = resend(server).deliver_many(endless())
    assert server.requests == []
    assert ids([next(results)]) == ["id-0"]
    assert len(server.requests) == 1
    assert next(taken) == 100


def test_a_refused_message_does_not_take_the_others_down(http_server: Server, resend: Resend) -> None:
    """An error by index is a rejection of that message, and the others have the ids that follow."""
    answer = {
        "data": [{"id": "first"}, {"id": "third"}],
        "errors": [{"index": 3, "message": "bad `to`"}, {"index": 1, "message": "bad `from`"}],
    }
    server = http_server(Reply(200, answer))
    results = list(resend(server).deliver_many(messages(4)))
    assert ids(results) == ["first", None, "third", None]
    for index, said in ((1, "bad `from`"), (3, "bad `to`")):
        error = results[index]
        assert isinstance(error, MailRejectedError)
        assert str(error) == (
            f"resend: 127.0.0.1:{server.port} refused it: {said}. Correct the field that the answer names"
        )
        assert (error.code, error.transient, error.outcome, error.safe_to_retry) == (
            None,
            False,
            Outcome.NOT_SENT,
            True,
        )
    assert len(server.requests) == 1


def test_every_message_of_a_batch_may_be_refused(http_server: Server, resend: Resend) -> None:
    """No data and an error for each is an answer, too."""
    answer = {"data": [], "errors": [{"index": index, "message": f"bad {index}"} for index in range(3)]}
    server = http_server(Reply(200, answer))
    found = errors(list(resend(server).deliver_many(messages(3))))
    assert [error.reason for error in found] == [f"127.0.0.1:{server.port} refused it: bad {n}" for n in range(3)]


def test_files_and_times_go_singly_in_their_place(http_server: Server, resend: Resend) -> None:
    """What a batch does not carry has a request and a key of its own, and its result stands where the message did."""
    server = http_server(answer=vendor)
    sent = messages(5)
    sent[1] = attrs.evolve(sent[1], attachments=[FILE])
    sent[3] = attrs.evolve(sent[3], send_at=datetime.datetime.now(datetime.UTC))
    results = list(resend(server).deliver_many(sent))
    assert ids(results) == [f"id-{n}" for n in range(5)]
    batch, *singles = server.requests
    assert [item["subject"] for item in batch.json()] == ["0", "2", "4"]
    assert [(r.path, r.json()["subject"], r.headers["idempotency-key"]) for r in singles] == [
        ("/emails", "1", sent[1].idempotency_key),
        ("/emails", "3", sent[3].idempotency_key),
    ]
    assert all("x-batch-validation" not in request.headers for request in singles)


def test_a_refused_single_stands_in_its_place(http_server: Server, resend: Resend) -> None:
    """A message with a file that is refused leaves the batch around it alone."""
    server = http_server(answer=lambda r: vendor(r) if r.path != "/emails" else refusal(422, "invalid_attachment"))
    sent = messages(3)
    sent[1] = attrs.evolve(sent[1], attachments=[FILE])
    results = list(resend(server).deliver_many(sent))
    assert ids(results) == ["id-0", None, "id-2"]
    assert isinstance(results[1], MailRejectedError)


def test_a_batch_of_one_goes_singly(http_server: Server, resend: Resend) -> None:
    """One message, or one that is left beside a file, goes by `/emails` under its own key."""
    server = http_server(answer=vendor)
    sent = [*messages(1), attrs.evolve(messages(2)[1], attachments=[FILE])]
    assert ids(list(resend(server).deliver_many(sent))) == ["id-0", "id-1"]
    assert [(r.path, r.headers["idempotency-key"]) for r in server.requests] == [
        ("/emails", sent[0].idempotency_key),
        ("/emails", sent[1].idempotency_key),
    ]


def test_no_messages_are_no_request(http_server: Server, resend: Resend) -> None:
    """Nothing to send asks for nothing."""
    server = http_server(answer=vendor)
    assert list(resend(server).deliver_many([])) == []
    assert server.connections == 0


def test_what_is_refused_here_keeps_its_place(http_server: Server, resend: Resend) -> None:
    """Messages without a sender, with too many recipients, or of another type are errors in their place."""
    server = http_server(answer=vendor)
    sent: list[Any] = messages(6)
    sent[0] = "not a message"
    sent[2] = attrs.evolve(sent[2], to=[f"a{n}@example.com" for n in range(51)])
    sent[4] = attrs.evolve(sent[4], from_=None)
    results = list(resend(server, default_from=None).deliver_many(sent))
    assert ids(results) == [None, "id-1", None, "id-3", None, "id-5"]
    assert all(isinstance(results[index], MailMessageError) for index in (0, 2, 4))
    assert [len(request.json()) for request in server.requests] == [3]


@pytest.mark.parametrize(
    "first",
    [
        Close(),
        Reset(),
        Silence(),
        Truncate(Reply(200, {"data": [{"id": "a"}, {"id": "b"}]})),
        Reply(200, "<html>"),
        refusal(500, "internal_server_error"),
        Reply(502, "<html>"),
        refusal(409, "concurrent_idempotent_requests"),
    ],
    ids=["closed", "reset", "silent", "truncated", "html", "500", "502", "concurrent"],
)
def test_a_lost_answer_is_asked_for_once_more(first: Step, http_server: Server, resend: Resend) -> None:
    """The same body under the same key goes out again, and the second answer counts."""
    server = http_server(first, Reply(200, {"data": [{"id": "id-0"}, {"id": "id-1"}]}))
    results = list(resend(server, timeout=0.3).deliver_many(messages(2)))
    assert ids(results) == ["id-0", "id-1"]
    one, two = server.requests
    assert (one.path, one.body, one.headers["idempotency-key"]) == (two.path, two.body, two.headers["idempotency-key"])


@pytest.mark.parametrize(
    "second",
    [
        Close(),
        refusal(400, "validation_error"),
        refusal(401, "missing_api_key"),
        refusal(409, "concurrent_idempotent_requests"),
        refusal(409, "invalid_idempotent_request"),
        refusal(422, "invalid_parameter"),
        refusal(429, "rate_limit_exceeded"),
        refusal(500, "application_error"),
        Reply(403, "error code: 1010"),
    ],
    ids=["closed", "400", "401", "concurrent", "other-body", "422", "429", "500", "html"],
)
def test_what_was_lost_stays_unknown_when_the_second_attempt_fails(
    second: Step, http_server: Server, resend: Resend
) -> None:
    """A refusal of the second attempt says nothing of the first: each message is unknown, and not safe to repeat."""
    server = http_server(Close(), second)
    found = errors(list(resend(server).deliver_many(messages(3))))
    for error in found:
        assert type(error) is MailConnectionError
        assert error.reason == f"127.0.0.1:{server.port} was lost before it answered: the server closed the connection"
        assert error.remedy == LOOK
        assert (error.outcome, error.safe_to_retry, error.transient) == (Outcome.UNKNOWN, False, False)
    assert len(server.requests) == 2


def test_a_service_that_fails_twice_leaves_the_messages_unknown(http_server: Server, resend: Resend) -> None:
    """Two answers of 500 are no answer: nobody knows, and the remedy says where to look."""
    server = http_server(refusal(500, "application_error"))
    for error in errors(list(resend(server).deliver_many(messages(2)))):
        assert type(error) is MailUnavailableError
        assert str(error) == f"resend: 127.0.0.1:{server.port} answered 500: application_error, no. {LOOK}"
        assert (error.outcome, error.safe_to_retry) == (Outcome.UNKNOWN, False)
    assert len(server.requests) == 2


def test_a_batch_that_cannot_leave_is_not_sent(http_server: Server, resend: Resend) -> None:
    """Where nobody listens, no message was sent, and each may go again."""
    server = http_server()
    sender = resend(server, api_url="http://127.0.0.1:9")
    for error in errors(list(sender.deliver_many(messages(2)))):
        assert type(error) is MailConnectionError
        assert (error.outcome, error.safe_to_retry) == (Outcome.NOT_SENT, True)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "validation_error"),
        (403, "validation_error"),
        (413, "too_large"),
        (422, "invalid_parameter"),
        (451, "security_error"),
    ],
)
def test_a_batch_that_is_refused_for_its_content_goes_one_by_one(
    status: int, name: str, http_server: Server, resend: Resend
) -> None:
    """One message may have been the cause, so the others get through alone, under their own keys."""

    def answer(request: Request) -> Step:
        bad = request.path == "/emails/batch" or request.json()["subject"] == "1"
        return refusal(status, name) if bad else vendor(request)

    server, sent = http_server(answer=answer), messages(3)
    results = list(resend(server).deliver_many(sent))
    assert ids(results) == ["id-0", None, "id-2"]
    assert isinstance(results[1], MailRejectedError)
    assert results[1].code == status
    assert [r.path for r in server.requests] == ["/emails/batch", "/emails", "/emails", "/emails"]
    assert [r.headers["idempotency-key"] for r in server.requests[1:]] == [each.idempotency_key for each in sent]


@pytest.mark.parametrize(
    ("reply", "kind", "transient"),
    [
        (refusal(401, "missing_api_key"), MailAuthError, False),
        (refusal(403, "invalid_api_key"), MailAuthError, False),
        (refusal(404, "not_found"), MailRejectedError, False),
        (refusal(409, "invalid_idempotent_request"), MailRejectedError, False),
        (refusal(429, "rate_limit_exceeded", **{"retry-after": "3"}), MailRateLimitError, True),
        (Reply(302, "", {"Location": "https://example.com/"}), MailRejectedError, False),
        (Reply(503, "<html>"), MailUnavailableError, True),
    ],
    ids=["missing-key", "wrong-key", "wrong-place", "other-body", "rate", "redirect", "unavailable"],
)
def test_what_no_single_message_causes_is_the_error_of_each(
    reply: Reply, kind: type[MailSendError], transient: bool, http_server: Server, resend: Resend
) -> None:
    """Nothing is tried singly then, and every message has an error object of its own."""
    server = http_server(reply)
    found = errors(list(resend(server).deliver_many(messages(3))))
    for error in found:
        assert type(error) is kind
        assert (error.code, error.transient, error.provider) == (reply.status, transient, "resend")
        assert (error.outcome, error.safe_to_retry) == (Outcome.NOT_SENT, True)
        assert error.retry_after == (3.0 if reply.status == 429 else None)
    assert len(server.requests) == 1


ID = {"id": "x"}
BAD = {"index": 1, "message": "no"}


@pytest.mark.parametrize(
    "said",
    [
        *({}, [], 7, "text", {"id": "x"}, [ID, ID, ID]),
        *({"data": None}, {"data": {}}, {"data": "xxx"}, {"data": []}, {"data": [ID, ID]}, {"data": [ID] * 4}),
        *({"data": [ID, ID, None]}, {"data": [ID, ID, {}]}, {"data": [ID, ID, "x"]}),
        *({"data": [ID, ID, {"id": 1}]}, {"data": [ID, ID, {"id": ""}]}, {"data": [ID, ID, {"id": None}]}),
        *({"errors": [{**BAD, "index": index} for index in range(3)]}, {"data": [ID] * 3, "errors": [BAD]}),
        {"data": [ID], "errors": [BAD]},
        *({"data": [ID] * 2, "errors": [{**BAD, "index": index}]} for index in (-1, 3, 100, "1", "x", True, False)),
        *({"data": [ID] * 2, "errors": [{**BAD, "index": index}]} for index in (1.0, 1.5, None, [1], {}, 10**400)),
        *({"data": [ID] * 2, "errors": found} for found in ([BAD, BAD], [{"message": "no"}], ["no"], [None], [1])),
        *({"data": [ID] * 3, "errors": found} for found in ([None], [{}], ["no"], "no", {"1": "no"}, 1, True)),
        *({"data": [ID], "errors": [BAD, BAD]}, {"data": [ID], "errors": [BAD, {**BAD, "index": -2}]}),
        {"data": [ID] * 2, "errors": [BAD, {"message": "no"}]},
        {"data": [ID, None, ID], "errors": [BAD]},
    ],
    ids=lambda said: repr(said)[:80],
)
def test_an_answer_of_a_wrong_shape_leaves_every_message_unknown(
    said: object, http_server: Server, resend: Resend
) -> None:
    """Nobody knows whose an id is then: no message is lost, none gets another one's id, all are unknown."""
    body = said if not isinstance(said, str) else f'"{said}"'
    server = http_server(Reply(200, body))
    found = errors(list(resend(server).deliver_many(messages(3))))
    assert len(found) == 3
    for error in found:
        assert str(error) == f"resend: 127.0.0.1:{server.port} answered 200: nothing that its API would say. {LOOK}"
        assert type(error) is MailUnavailableError
        assert (error.outcome, error.safe_to_retry, error.transient) == (Outcome.UNKNOWN, False, False)
    one, two = server.requests
    assert (one.body, one.headers["idempotency-key"]) == (two.body, two.headers["idempotency-key"])


@pytest.mark.parametrize("none", [None, [], "", 0])
def test_no_errors_may_be_said_in_several_ways(none: object, http_server: Server, resend: Resend) -> None:
    """`errors` may be missing, empty or null when all are accepted."""
    server = http_server(Reply(200, {"data": [{"id": "a"}, {"id": "b"}], "errors": none}))
    assert ids(list(resend(server).deliver_many(messages(2)))) == ["a", "b"]


def test_one_lost_batch_leaves_the_next_alone(http_server: Server, resend: Resend) -> None:
    """The second hundred goes out although nobody knows about the first."""
    server = http_server(answer=lambda r: Close() if r.json()[0]["subject"] == "0" else vendor(r))
    results = list(resend(server).deliver_many(messages(150)))
    assert all(error.outcome is Outcome.UNKNOWN for error in errors(results[:100]))
    assert ids(results[100:]) == [f"id-{n}" for n in range(100, 150)]
