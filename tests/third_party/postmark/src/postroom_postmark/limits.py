"""What Postmark does not take."""

from postroom import Limit, MailMessage
from postroom_http import fields

_SEND = "https://postmarkapp.com/developer/api/email-api"
_SIZES = "https://postmarkapp.com/support/article/1056-what-are-the-attachment-and-email-size-limits"
_METADATA = "https://postmarkapp.com/support/article/1125-custom-metadata-faq"
_MIB = 1024 * 1024  # octets


def _recipients(message: MailMessage) -> str | None:
    count = len(message.recipients)
    return str(count) if count > 50 else None


def _body(message: MailMessage) -> str | None:
    longest = max(len((body or "").encode()) for body in (message.html, message.text))
    return f"one of {longest} octets" if longest > 5 * _MIB else None


def _size(message: MailMessage) -> str | None:
    bodies = sum(len((body or "").encode()) for body in (message.html, message.text))
    size = fields.encoded_size(message) + bodies
    return f"{size} octets" if size > 10 * _MIB else None


def _tags(message: MailMessage) -> str | None:
    count = len(message.tags)
    return str(count) if count > 1 else None


def _metadata(message: MailMessage) -> str | None:
    too_long = (key for key, value in message.metadata.items() if len(key) > 20 or len(value) > 80)
    return f"{len(message.metadata)}" if len(message.metadata) > 10 else next(map(repr, too_long), None)


LIMITS = (
    Limit("at most 50 recipients in to, cc and bcc", _recipients, source=_SEND),
    Limit("bodies of at most 5 MB", _body, source=_SIZES),
    Limit("messages of at most 10 MB, with their files in base64", _size, source=_SIZES),
    Limit("at most one tag", _tags, source=_SEND),
    Limit("at most 10 pairs of metadata, with keys of 20 and values of 80 characters", _metadata, source=_METADATA),
)
