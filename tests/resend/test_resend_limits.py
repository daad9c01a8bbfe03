"""What Resend does not take is refused before any network, with the rule and the page that has it."""

import datetime
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from postroom import Attachment, Capability, DeliveringSender, MailMessage, MailMessageError
from postroom_resend.plugin import postroom_provider
from postroom_testing.http import HttpServer, Reply

Resend = Callable[..., DeliveringSender]
Server = Callable[..., HttpServer]
SEND = "https://resend.com/docs/api-reference/emails/send-email"
SES = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html"
INLINE = "https://resend.com/docs/dashboard/emails/embed-inline-images"
SCHEDULE = "https://resend.com/docs/dashboard/emails/schedule-email"
MESSAGE = MailMessage("grace@example.com", "Hello", "<p>Hi</p>", "ada@example.com")
WORDS = "tags and metadata of 1 to 256 ASCII letters, digits, _ and -"
LATE = datetime.datetime(2999, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
LARGEST = 40 * 1024 * 1024 // 4 * 3  # octets that are 40 MiB in base64


def people(count: int) -> list[str]:
    """Return so many addresses."""
    return [f"a{n}@example.com" for n in range(count)]


@pytest.mark.parametrize(
    ("change", "rule", "found", "source"),
    [
        ({"to": people(51)}, "at most 50 addresses in to", "51", SEND),
        ({"to": "zoë@example.com"}, "addresses in ASCII", "zoë@example.com", SES),
        ({"cc": "zoë@example.com"}, "addresses in ASCII", "zoë@example.com", SES),
        ({"bcc": "zoë@example.com"}, "addresses in ASCII", "zoë@example.com", SES),
        ({"reply_to": "zoë@example.com"}, "addresses in ASCII", "zoë@example.com", SES),
        ({"from_": "zoë@example.com"}, "addresses in ASCII", "zoë@example.com", SES),
        (
            {"attachments": [Attachment("l.png", b"", content_id="logo")]},
            "a content_id with inline=True only",
            "it on the attachment 'l.png'",
            INLINE,
        ),
        ({"tags": ["sign up"]}, WORDS, "'sign up'", SEND),
        ({"tags": [""]}, WORDS, "''", SEND),
        ({"tags": ["é"]}, WORDS, "'é'", SEND),
        ({"tags": ["x" * 257]}, WORDS, repr("x" * 50), SEND),
        ({"metadata": {"a.b": "1"}}, WORDS, "'a.b'", SEND),
        ({"metadata": {"user": "a@example.com"}}, WORDS, "'a@example.com'", SEND),
        ({"metadata": {"user": ""}}, WORDS, "''", SEND),
        (
            {"tags": ["user"], "metadata": {"user": "1"}},
            "a word as a tag or as a key of metadata",
            "'user' as both",
            SEND,
        ),
        ({"send_at": LATE}, "a send_at of at most 30 days ahead", "2999-01-02T03:04:05+00:00", SCHEDULE),
    ],
)
def test_a_limit_is_refused_before_any_network(
    change: dict[str, Any], rule: str, found: str, source: str, http_server: Server, resend: Resend
) -> None:
    """The error names the rule, what breaks it, and where Resend says so; no connection is made."""
    server = http_server()
    with pytest.raises(MailMessageError) as caught:
        resend(server).send(attrs.evolve(MESSAGE, **change))
    assert str(caught.value) == f"resend takes {rule}; this message has {found} ({source})"
    assert (server.requests, server.connections) == ([], 0)


def test_files_of_more_than_40_mb_are_refused(http_server: Server, resend: Resend) -> None:
    """What counts is the size of all files in base64."""
    server = http_server()
    files = [Attachment("a.bin", bytes(LARGEST)), Attachment("b.bin", b"1")]
    with pytest.raises(MailMessageError) as caught:
        resend(server).send(attrs.evolve(MESSAGE, attachments=files))
    assert str(caught.value) == (
        f"resend takes attachments of at most 40 MB in base64; this message has 41943044 octets ({SEND})"
    )
    assert (server.requests, server.connections) == ([], 0)


@pytest.mark.parametrize(
    "change",
    [
        {"to": people(50)},
        {"to": people(50) * 2, "cc": people(60)},
        {"attachments": [Attachment("a.bin", bytes(LARGEST))]},
        {"attachments": [Attachment("l.png", b"", content_id="logo", inline=True)]},
        {"tags": ["a-Z_9", "x" * 256, "a-Z_9"], "metadata": {"y" * 256: "z" * 256}},
        {"send_at": datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=29)},
        {"send_at": datetime.datetime(1999, 1, 1, tzinfo=datetime.UTC)},
        {"to": "grace@münchen.example", "from_": "Zoë <zoe@example.com>"},
    ],
    ids=["50", "twice", "40-mb", "inline", "words", "29-days", "past", "idn"],
)
def test_what_just_keeps_the_limits_passes(change: dict[str, Any]) -> None:
    """The last value that a rule allows is not refused."""
    postroom_provider().check(attrs.evolve(MESSAGE, **change))


def test_50_recipients_and_as_many_copies_are_sent(http_server: Server, resend: Resend) -> None:
    """Only to has a limit of 50, and who is there twice counts once."""
    server = http_server(Reply(200, {"id": "1"}))
    copies = [f"b{n}@example.com" for n in range(60)]
    resend(server).send(attrs.evolve(MESSAGE, to=people(50) * 2, cc=copies))
    [request] = server.requests
    assert (len(request.json()["to"]), len(request.json()["cc"])) == (50, 60)


def test_resend_declares_every_capability() -> None:
    """There is no part of a message that it cannot carry at all."""
    assert postroom_provider().capabilities == set(Capability)


def test_every_limit_names_a_page_of_the_web() -> None:
    """A reader can check each rule."""
    assert all(limit.source.startswith("https://") for limit in postroom_provider().limits)
