"""What SendGrid does not take is refused before any network, with the rule and the page that says so."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from postroom import Address, Attachment, MailMessageError
from postroom_sendgrid.limits import LIMITS
from postroom_testing.http import HttpServer, Reply
from sendgrid_messages import error_of, message, sender

Start = Callable[..., HttpServer]

ERRORS = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"
PAGE = "https://docs.sendgrid.com/api-reference/mail-send/limitations"
SEND = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"
MEGA = 1024 * 1024


def people(count: int, start: str = "a") -> list[str]:
    return [f"{start}{number}@example.com" for number in range(count)]


def file(**more: Any) -> Attachment:
    return Attachment(**{"filename": "a.txt", "content": b"abc", "content_type": "text/plain", **more})


def arguments(size: int) -> dict[str, str]:
    """Return metadata that makes this many octets as JSON with an id of three characters."""
    rest = size - len('{"a": "", "postroom_id": "abc"}')
    return {"a": "x" * rest}


def ahead(**more: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=72, **more)


LATE = datetime.datetime(2100, 1, 2, 3, 4, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))

# What the message has, what is said, and where it stands.
REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "1001 in to": (
        lambda: {"to": people(1001)},
        "at most 1000 recipients in to, cc and bcc; this message has 1001",
        PAGE,
    ),
    "1001 in all": (
        lambda: {"to": people(400), "cc": people(400, "b"), "bcc": people(201, "c")},
        "at most 1000 recipients in to, cc and bcc; this message has 1001",
        PAGE,
    ),
    "1001 for replies": (
        lambda: {"reply_to": people(1001)},
        "at most 1000 addresses in reply_to; this message has 1001",
        SEND,
    ),
    **{
        f"non-ASCII address in {field}": (
            lambda field=field: {field: "zoë@example.com"},
            "addresses in ASCII; this message has zoë@example.com",
            ERRORS,
        )
        for field in ("to", "cc", "bcc", "reply_to", "from_")
    },
    "30 MB of base64": (
        lambda: {"attachments": [file(content=bytes(30 * MEGA * 3 // 4))]},
        f"messages of less than 30 MB, with their files in base64; this message has {30 * MEGA + 11} octets",
        PAGE,
    ),
    "30 MB of text": (
        lambda: {"text": "é" * (10 * MEGA), "html": "x" * (10 * MEGA)},
        f"messages of less than 30 MB, with their files in base64; this message has {30 * MEGA} octets",
        PAGE,
    ),
    "a type with a parameter": (
        lambda: {"attachments": [file(), file(content_type="text/plain; charset=utf-8")]},
        "attachments whose content_type has no parameters; this message has 'text/plain; charset=utf-8'",
        ERRORS,
    ),
    "an empty file": (
        lambda: {"attachments": [file(), file(filename="b.txt", content=b"")]},
        "attachments that are not empty; this message has 'b.txt'",
        ERRORS,
    ),
    "X-SG-ID": (
        lambda: {"headers": {"X-Sg-Id": "1"}},
        "headers other than X-SG-ID and X-SG-EID; this message has X-Sg-Id",
        ERRORS,
    ),
    "X-SG-EID": (
        lambda: {"headers": {"X-A": "1", "x-sg-eid": "1"}},
        "headers other than X-SG-ID and X-SG-EID; this message has x-sg-eid",
        ERRORS,
    ),
    "10000 octets of metadata": (
        lambda: {"id": "abc", "metadata": arguments(10_000)},
        "metadata of less than 10000 octets, as JSON and with our id; this message has 10000",
        PAGE,
    ),
    "metadata under our key": (
        lambda: {"metadata": {"postroom_id": "1"}},
        "metadata without the key that our id has; this message has 'postroom_id'",
        SEND,
    ),
    "11 tags": (
        lambda: {"tags": [str(number) for number in range(11)]},
        "at most 10 tags; this message has 11",
        SEND,
    ),
    "a long tag": (
        lambda: {"tags": ["a", "x" * 256]},
        "tags of at most 255 characters; this message has one of 256",
        SEND,
    ),
    "a tag that is not ASCII": (lambda: {"tags": ["a", "größe"]}, "tags in ASCII; this message has 'größe'", ERRORS),
    "too far ahead": (
        lambda: {"send_at": LATE},
        "a send_at of at most 72 hours ahead; this message has 2100-01-02T03:04:05+01:00",
        SEND,
    ),
}
TAKEN: dict[str, Callable[[], dict[str, Any]]] = {
    "1000 recipients": lambda: {"to": people(400), "cc": people(400, "b"), "bcc": people(200, "c")},
    "repeated recipients": lambda: {"to": people(1000), "cc": people(1000), "bcc": people(1000)},
    "1000 for replies, some repeated": lambda: {"reply_to": [*people(1000), *people(1000)]},
    "other names that are not ASCII": lambda: {"to": "Zoë <zoe@example.com>", "reply_to": "Zoë <zoe@example.com>"},
    "a domain that is not ASCII": lambda: {"to": "ada@münchen.example"},
    "almost 10000 octets of metadata": lambda: {"id": "abc", "metadata": arguments(9_999)},
    "10 tags, some repeated": lambda: {"tags": [str(number % 10) for number in range(30)]},
    "a tag of 255": lambda: {"tags": ["x" * 255]},
    "72 hours ahead": lambda: {"send_at": ahead(seconds=-1)},
    "the past": lambda: {"send_at": datetime.datetime(1969, 12, 31, tzinfo=datetime.UTC)},
    "another of their headers": lambda: {"headers": {"X-SG-Other": "1"}},
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_message_over_a_limit_never_leaves(http_server: Start, case: str) -> None:
    """The refusal names the rule, what breaks it, and the vendor's page; the server hears nothing."""
    make, said, source = REFUSED[case]
    server = http_server(Reply(202))
    error = error_of(server, message(**make()))
    assert type(error) is MailMessageError
    assert str(error) == f"sendgrid takes {said} ({source})"
    assert (server.requests, server.connections) == ([], 0)


@pytest.mark.parametrize("case", TAKEN)
def test_a_message_at_the_limit_leaves(http_server: Start, case: str) -> None:
    """The last value that the service takes goes out."""
    server = http_server(Reply(202))
    with sender(server) as made:
        made.send(message(**TAKEN[case]()))
    assert len(server.requests) == 1


def test_every_limit_is_provoked_here() -> None:
    """No rule is without a message that breaks it, and every rule has a page behind it."""
    provoked = {said.partition("; this message has ")[0] for _, said, _ in REFUSED.values()}
    assert {limit.rule for limit in LIMITS} == provoked
    assert all(limit.source.startswith("https://") for limit in LIMITS)


def test_a_default_sender_is_held_to_the_limits(http_server: Start) -> None:
    """An address in MAIL_DEFAULT_SEND_FROM that is not ASCII is refused as in a message, and no check passes."""
    server = http_server(Reply(202))
    error = error_of(server, message(from_=None), default_from="zoë@example.com")
    assert type(error) is MailMessageError
    assert str(error) == f"sendgrid takes addresses in ASCII; this message has zoë@example.com ({ERRORS})"
    with sender(server, default_from="zoë@example.com") as made:
        assert made.test_connection() is False
    assert server.requests == []


@pytest.mark.parametrize("name", ["Zoë", "通知", "お知らせ", "Grüße, Müller & Söhne"])
def test_a_senders_name_that_is_not_ascii_goes_out(
    http_server: Start, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """SendGrid sends it; a WARNING says what some mail programs make of it, since there is no cure."""
    server = http_server(Reply(202))
    with sender(server, default_from=str(Address("zoe", "example.com", name))) as made:
        made.send(message(from_=None))
    assert server.requests[0].json()["from"] == {"email": "zoe@example.com", "name": name}
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == (
        "mail: sendgrid: MAIL_DEFAULT_SEND_FROM: its name is not ASCII, and some mail programs show question marks for "
        "it (https://github.com/sendgrid/sendgrid-nodejs/issues/1457)"
    )


def test_a_default_sender_does_not_matter_to_a_message_that_has_its_own(http_server: Start) -> None:
    """The limits look at the sender that the message goes out with."""
    server = http_server(Reply(202))
    with sender(server, default_from="zoë@example.com") as made:
        made.send(message())
    assert server.requests[0].json()["from"] == {"email": "grace@example.com"}
