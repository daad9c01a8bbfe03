"""What the tests of SendGrid share: strategies for messages that it takes, a small message, a sender, sound errors."""

import datetime
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from message_strategies import (
    TRAPS,
    attachments,
    file_names,
    header_texts,
    mailboxes,
    messages,
)
from postroom import (
    Address,
    Attachment,
    DeliveringSender,
    MailError,
    MailMessage,
    MailMessageError,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Secret,
)
from postroom_sendgrid.settings import SendGridSettings
from postroom_testing.http import HttpServer

KEY = "SG.correct-horse.battery-staple"


def ascii_texts() -> SearchStrategy[str]:
    """Printable ASCII, with what is hard to write in it."""
    pieces = st.sampled_from([trap for trap in TRAPS if trap.isascii() and len(trap) < 200])
    characters = st.characters(min_codepoint=32, max_codepoint=126)
    return st.lists(pieces | characters, min_size=1, max_size=4).map("".join).filter(_may_be_said)


def files() -> SearchStrategy[Attachment]:
    """Attachments, the greatest part of which SendGrid takes."""
    plain = st.builds(Attachment, file_names(), st.binary(min_size=1, max_size=200), st.sampled_from((None, "a/b")))
    return plain | attachments().filter(lambda file: ";" not in file.content_type and len(file.content) > 0)


@st.composite
def sendgrid_messages(draw: st.DrawFn) -> MailMessage:
    """Complete messages with all that SendGrid can carry. It takes most of them; some break a limit."""
    tags = st.sampled_from(("welcome", "a, b", "x" * 255)) | ascii_texts()
    words = header_texts().filter(_may_be_said)
    hours = draw(st.none() | st.floats(-1000, 71))
    zone = datetime.timezone(draw(st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))))
    people = draw(st.lists(mailboxes(), min_size=1, max_size=2))
    base = draw(messages())
    return attrs.evolve(
        base,
        from_=people[0],
        # Sometimes the same address again, in the next field or in other letters of the domain.
        cc=[*base.cc, *draw(st.sampled_from(((), base.to, base.bcc)))],
        bcc=[*base.bcc, *draw(st.sampled_from(((), base.to, base.cc)))],
        reply_to=[*base.reply_to, *draw(st.sampled_from(((), base.reply_to, people)))],
        attachments=draw(st.lists(files(), max_size=3)),
        tags=draw(st.lists(tags, max_size=11)),
        metadata=draw(st.dictionaries(words | st.sampled_from(("order", "postroom_ID")), words, max_size=3)),
        send_at=None if hours is None else datetime.datetime.now(zone) + datetime.timedelta(hours=hours),
    )


def message(**more: Any) -> MailMessage:
    """Return a small message with `more` on top."""
    return MailMessage(
        **{"to": "ada@example.com", "subject": "Hello", "text": "Hello, Ada.", "from_": "grace@example.com", **more}
    )


def options(**more: Any) -> SendGridSettings:
    """Return settings with `more` on top."""
    return SendGridSettings(**{"api_key": Secret(KEY), **more})


def sender(server: HttpServer, **more: object) -> DeliveringSender:
    """Return a sender through the public API. Its time-out is one that a test never reaches."""
    config: dict[str, object] = {"api_key": KEY, "api_url": server.url, "timeout": 10, **more}
    return MailSenderFactory.create_sender("sendgrid", config)


def error_of(server: HttpServer, mail: MailMessage | None = None, **more: object) -> Any:
    """Deliver, which must fail, and return the error after the checks that every error must pass."""
    with sender(server, **more) as made, pytest.raises(MailError) as caught:
        made.deliver(mail or message())
    return sound(caught.value)


def sound(error: MailError) -> MailError:
    """Return the error, if it is one printable line without the key that pickles, and does not contradict itself."""
    text = str(error)
    assert text.isprintable(), f"not one printable line: {text!r}"
    dumped = pickle.dumps(error)
    copy = pickle.loads(dumped)
    assert (type(copy), str(copy), vars(copy)) == (type(error), text, vars(error))
    for shown in (text, repr(error), repr(error.__cause__), repr(error.__context__), dumped.decode("latin-1")):
        assert KEY not in shown
    if isinstance(error, MailSendError):
        assert "bug of the provider" not in text, f"a foreign exception: {error.__cause__!r}"
        assert error.provider == "sendgrid"
        assert error.safe_to_retry is (error.outcome is Outcome.NOT_SENT)  # SendGrid recognises no second attempt
    return error


def _may_be_said(value: str) -> bool:
    """Return True if the model takes it as a name, a tag and in metadata."""
    try:
        Address("a", "example.com", value)
    except MailMessageError:
        return False
    return True
