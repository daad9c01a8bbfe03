"""The parts of a payload that every API needs."""

import base64
import datetime
from email.header import decode_header, make_header

from hypothesis import example, given, settings
from hypothesis import strategies as st

from message_strategies import attachments, header_values, messages
from postroom import Attachment, MailMessage
from postroom_http import fields


def mail(**more: object) -> MailMessage:
    """Return a message."""
    return MailMessage(**{"to": "a@example.com", "subject": "-", "text": "-", **more})  # type: ignore[arg-type]


def test_everybody_gets_the_message_once() -> None:
    """To wins over cc, and cc over bcc; the first display name stays, and the order."""
    found = fields.recipients(
        mail(
            to="Ada <a@example.com>, b@example.com, Other <a@example.com>",
            cc="c@example.com, B <b@example.com>, c@example.com",
            bcc=["a@example.com", "d@example.com", "c@example.com", "d@example.com"],
        )
    )
    assert [str(each) for each in found.to] == ["Ada <a@example.com>", "b@example.com"]
    assert [str(each) for each in found.cc] == ["c@example.com"]
    assert [str(each) for each in found.bcc] == ["d@example.com"]


@settings(max_examples=100)
@given(messages(ascii_only=False))
def test_nobody_is_lost(message: MailMessage) -> None:
    """Together, the three lists are the message's recipients, in their order."""
    found = fields.recipients(message)
    assert tuple(each.spec for each in (*found.to, *found.cc, *found.bcc)) == message.recipients


@settings(max_examples=150)
@given(header_values().filter(lambda value: not value.isascii()))
@example("a\u2028b\u2029é")
@example("é" * 22 + "\U0001f600" * 40)
@example(" \té ")
def test_encoded_words_are_read_back(value: str) -> None:
    """Any text that is not ASCII becomes encoded words on one line, each of legal length, and comes back the same."""
    written = fields.encoded_words(value)
    assert written.isascii()
    assert written.isprintable()
    assert all(len(word) <= 75 for word in written.split(" "))
    assert all(word.startswith("=?utf-8?") and word.endswith("?=") for word in written.split(" "))
    assert str(make_header(decode_header(written))) == value


def test_ascii_headers_stay_as_they_are() -> None:
    """Only values that are not ASCII are encoded."""
    message = mail(headers={"List-Unsubscribe": "<https://example.com/u?=1>", "X-Name": "Zoë Ω"})
    assert fields.headers(message) == {
        "List-Unsubscribe": "<https://example.com/u?=1>",
        "X-Name": "=?utf-8?b?Wm/DqyDOqQ==?=",
    }


@settings(max_examples=100)
@given(st.lists(attachments(), max_size=4))
def test_the_size_is_that_of_base64(files: list[Attachment]) -> None:
    """The size that limits are checked with is exactly that of the files as they travel."""
    message = mail(attachments=files, date=datetime.datetime.now(datetime.UTC))
    assert fields.encoded_size(message) == sum(len(fields.content(each)) for each in files)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_content_is_base64(content: bytes) -> None:
    """A file's octets come back, and there is no line end between them."""
    written = fields.content(Attachment("a.bin", content))
    assert base64.b64decode(written, validate=True) == content
    assert "\n" not in written


def test_an_address_that_is_not_ascii_is_found_wherever_it_is() -> None:
    """The first one is named, be it the sender's or one to reply to."""
    for field in ("to", "cc", "bcc", "from_", "reply_to"):
        assert fields.non_ascii_address(mail(**{field: "Grüße <grüße@example.com>"})) == "grüße@example.com"
    assert fields.non_ascii_address(mail(to="b@example.com, ü@example.com", cc="ä@example.com")) == "ü@example.com"


def test_names_and_domains_may_be_of_any_script() -> None:
    """A display name is no address, and a domain is kept as its A-label."""
    message = mail(to="Zoë <zoe@münchen.example>", from_="日本 <a@日本.example>")
    assert fields.non_ascii_address(message) is None
