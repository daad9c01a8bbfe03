"""What Resend does not take. Its own refusals come later, by mail that does not arrive or not at all."""

import datetime
import re
from collections.abc import Iterator

from postroom import Limit, MailMessage
from postroom_http import fields

_SEND = "https://resend.com/docs/api-reference/emails/send-email"
_SCHEDULE = "https://resend.com/docs/dashboard/emails/schedule-email"
_TO = 50
_ATTACHMENTS = 40 * 1024 * 1024  # octets
_AHEAD = datetime.timedelta(days=30)
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


def _to(message: MailMessage) -> str | None:
    count = len(fields.recipients(message).to)
    return f"{count}" if count > _TO else None


def _ascii(message: MailMessage) -> str | None:
    return fields.non_ascii_address(message)


def _sender(message: MailMessage) -> str | None:
    name = message.from_.name if message.from_ is not None else ""
    return repr(name[:50]) if "=?" in name else None


def _size(message: MailMessage) -> str | None:
    size = fields.encoded_size(message)
    return f"{size} octets" if size > _ATTACHMENTS else None


def _disposition(message: MailMessage) -> str | None:
    named = (each.filename for each in message.attachments if each.content_id is not None and not each.inline)
    return next((f"it on the attachment {name!r}" for name in named), None)


def _alphabet(message: MailMessage) -> str | None:
    return next((repr(word[:50]) for word in _words(message) if not _TAG.fullmatch(word)), None)


def _words(message: MailMessage) -> Iterator[str]:
    yield from message.tags
    for key, value in message.metadata.items():
        yield key
        yield value


def _distinct(message: MailMessage) -> str | None:
    return next((f"{tag!r} as both" for tag in message.tags if tag in message.metadata), None)


def _ahead(message: MailMessage) -> str | None:
    if message.send_at is None or message.send_at - datetime.datetime.now(datetime.UTC) <= _AHEAD:
        return None
    return f"{message.send_at.isoformat()}"


LIMITS = (
    Limit("at most 50 addresses in to", _to, source=_SEND),
    # Amazon SES, which sends for Resend, has no SMTPUTF8.
    Limit(
        "addresses in ASCII",
        _ascii,
        source="https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html",
    ),
    # It answers encoded words there with 451, and there is no other way to write such a name.
    Limit("a sender's name without =?", _sender, source="https://resend.com/docs/api-reference/errors"),
    Limit("attachments of at most 40 MB in base64", _size, source=_SEND),
    # It shows whatever has a content_id as inline.
    Limit(
        "a content_id with inline=True only",
        _disposition,
        source="https://resend.com/docs/dashboard/emails/embed-inline-images",
    ),
    Limit("tags and metadata of 1 to 256 ASCII letters, digits, _ and -", _alphabet, source=_SEND),
    # Both become its "tags", which are pairs; a tag's value is "true".
    Limit("a word as a tag or as a key of metadata", _distinct, source=_SEND),
    Limit("a send_at of at most 30 days ahead", _ahead, source=_SCHEDULE),
)
