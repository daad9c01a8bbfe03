"""What SendGrid does not take, or takes and spoils without a word."""

import datetime
import json

from postroom import Limit, MailMessage
from postroom_http import fields
from postroom_sendgrid.payload import ID, custom_args

_ERRORS = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors"
_LIMITS = "https://docs.sendgrid.com/api-reference/mail-send/limitations"
_SEND = "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"
_RECIPIENTS = 1000
_SIZE = 30 * 1024 * 1024  # octets
_CUSTOM_ARGS = 10_000  # octets
_TAGS = 10
_TAG = 255  # characters
_AHEAD = datetime.timedelta(hours=72)
_HEADERS = ("x-sg-id", "x-sg-eid")  # the others that it forbids are refused by core


def _recipients(message: MailMessage) -> str | None:
    return _above(_RECIPIENTS, len(message.recipients))


def _reply_to(message: MailMessage) -> str | None:
    return _above(_RECIPIENTS, len({address.spec for address in message.reply_to}))


def _ascii(message: MailMessage) -> str | None:
    return fields.non_ascii_address(message)


def _size(message: MailMessage) -> str | None:
    bodies = sum(len(body.encode()) for body in (message.html, message.text) if body)
    size = fields.encoded_size(message) + bodies
    return f"{size} octets" if size >= _SIZE else None


def _type(message: MailMessage) -> str | None:
    return next((repr(each.content_type) for each in message.attachments if ";" in each.content_type), None)


def _empty(message: MailMessage) -> str | None:
    return next((repr(each.filename) for each in message.attachments if not each.content), None)


def _header(message: MailMessage) -> str | None:
    return next((name for name in message.headers if name.lower() in _HEADERS), None)


def _arguments(message: MailMessage) -> str | None:
    size = len(json.dumps(custom_args(message)))
    return f"{size}" if size >= _CUSTOM_ARGS else None


def _reserved(message: MailMessage) -> str | None:
    return repr(ID) if ID in message.metadata else None


def _tags(message: MailMessage) -> str | None:
    return _above(_TAGS, len({*message.tags}))


def _tag(message: MailMessage) -> str | None:
    return next((f"one of {len(tag)}" for tag in message.tags if len(tag) > _TAG), None)


def _tag_ascii(message: MailMessage) -> str | None:
    return next((repr(tag) for tag in message.tags if not tag.isascii()), None)


def _ahead(message: MailMessage) -> str | None:
    if message.send_at is None or message.send_at - datetime.datetime.now(datetime.UTC) <= _AHEAD:
        return None
    return message.send_at.isoformat()


def _above(most: int, count: int) -> str | None:
    return str(count) if count > most else None


LIMITS = (
    Limit("at most 1000 recipients in to, cc and bcc", _recipients, source=_LIMITS),
    Limit("at most 1000 addresses in reply_to", _reply_to, source=_SEND),
    # It accepts others with 202, and drops them as invalid: https://github.com/sendgrid/sendgrid-csharp/issues/656.
    Limit("addresses in ASCII", _ascii, source=_ERRORS),
    Limit("messages of less than 30 MB, with their files in base64", _size, source=_LIMITS),
    Limit("attachments whose content_type has no parameters", _type, source=_ERRORS),
    Limit("attachments that are not empty", _empty, source=_ERRORS),
    Limit("headers other than X-SG-ID and X-SG-EID", _header, source=_ERRORS),
    Limit("metadata of less than 10000 octets, as JSON and with our id", _arguments, source=_LIMITS),
    Limit("metadata without the key that our id has", _reserved, source=_SEND),
    Limit("at most 10 tags", _tags, source=_SEND),
    Limit("tags of at most 255 characters", _tag, source=_SEND),
    Limit("tags in ASCII", _tag_ascii, source=_ERRORS),
    Limit("a send_at of at most 72 hours ahead", _ahead, source=_SEND),
)
