"""A message as Resend takes it: https://resend.com/docs/api-reference/emails/send-email.

The same message always gives the same payload: Resend answers an idempotency key with another body by 409.
"""

import datetime
import re
from typing import Any

from postroom import Address, Attachment, MailMessage
from postroom_http import fields

Payload = dict[str, Any]

_SPECIAL = re.compile(r'[()<>\[\]:;@\\,"]')  # RFC 5322 section 3.2.3, but the dot


def to_payload(message: MailMessage) -> Payload:
    """Return the body of `POST /emails`. `from_` is set."""
    assert message.from_ is not None  # noqa: S101  core has filled it in
    everybody = fields.recipients(message)
    payload: Payload = {
        "from": _sender(message.from_),
        "to": [_mailbox(address) for address in everybody.to],
        "cc": [_mailbox(address) for address in everybody.cc],
        "bcc": [_mailbox(address) for address in everybody.bcc],
        "reply_to": [_mailbox(address) for address in message.reply_to],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": fields.headers(message),
        "attachments": [_attachment(each) for each in message.attachments],
        "tags": _tags(message),
        "scheduled_at": _scheduled_at(message.send_at),
    }
    payload = {key: value for key, value in payload.items() if value}
    # Without a text, Resend would make one from the HTML; an empty one opts out.
    return payload if message.text else {**payload, "text": ""}


def _mailbox(address: Address) -> str:
    # Resend refuses a name in quotes, as a comma or a dot in it needs them. It takes encoded words.
    # A name that looks like one would be decoded.
    if address.name and (str(address).startswith('"') or "=?" in address.name):
        return f"{fields.encoded_words(address.name)} <{address.spec}>"
    return str(address)


def _sender(address: Address) -> str:
    # In `from` it is the other way round: an encoded word is answered with 451 security_error. A bare name works,
    # unless a character in it has a meaning.
    if address.name and not _SPECIAL.search(address.name):
        return f"{address.name} <{address.spec}>"
    return str(address)


def _attachment(attachment: Attachment) -> Payload:
    made: Payload = {
        "filename": attachment.filename,
        "content": fields.content(attachment),
        "content_type": attachment.content_type,
    }
    return {**made, "content_id": attachment.content_id} if attachment.inline else made


def _tags(message: MailMessage) -> list[Payload]:
    pairs = {**dict.fromkeys(message.tags, "true"), **message.metadata}
    return [{"name": name, "value": value} for name, value in pairs.items()]


def _scheduled_at(moment: datetime.datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
