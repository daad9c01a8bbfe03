"""A message as text that a terminal shows and does not obey."""

import re
from collections.abc import Iterator

from postroom import Attachment, MailMessage

_RULE = "-" * 72
_WIDTH = 11  # characters of the longest label that is always there, and its colon
_LINE_END = re.compile(r"\r\n|\r")
# An escape sequence in a body could change the terminal's title, its clipboard, or what was printed before. C1 holds
# sequences of one character (ECMA-48 section 5.3).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def to_text(message: MailMessage) -> str:
    """Return the whole message as lines: fields, then the bodies as they are, but what `visible` changes."""
    lines = [_RULE, *(f"{label + ':':{_WIDTH}} {value}" for label, value in _fields(message))]
    for kind, body in (("text", message.text), ("html", message.html)):
        if body is not None:
            lines += ["", f"--- {kind} ---", body]
    return visible("\n".join([*lines, _RULE, ""]))


def visible(text: str) -> str:
    """Return `text` with newlines for all line ends, and control characters but the tab written out, such as ESC."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", _LINE_END.sub("\n", text))


def _fields(message: MailMessage) -> Iterator[tuple[str, str]]:
    yield "From", str(message.from_)
    for label, mailboxes in (("To", message.to), ("Cc", message.cc), ("Bcc", message.bcc)):
        if mailboxes:
            yield label, ", ".join(map(str, mailboxes))
    if message.reply_to:
        yield "Reply-To", ", ".join(map(str, message.reply_to))
    yield "Subject", message.subject
    yield "Date", message.date.isoformat(" ")
    yield "Message-ID", message.message_id
    yield from message.headers.items()
    if message.tags:
        yield "Tags", ", ".join(message.tags)
    for key, value in message.metadata.items():
        yield "Metadata", f"{key}={value}"
    if message.send_at is not None:
        yield "Send at", message.send_at.isoformat(" ")
    for attachment in message.attachments:
        yield "Attachment", _described(attachment)


def _described(attachment: Attachment) -> str:
    """Return name, type and size of a file, and how the HTML body refers to it."""
    shown = f", inline as cid:{attachment.content_id}" if attachment.inline else ""
    return f"{attachment.filename} ({attachment.content_type}, {len(attachment.content)} bytes{shown})"
