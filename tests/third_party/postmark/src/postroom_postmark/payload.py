"""A message as Postmark takes it: https://postmarkapp.com/developer/api/email-api#send-a-single-email."""

from typing import Any

from postroom import Address, Attachment, MailMessage
from postroom_http import fields

Payload = dict[str, Any]


def to_payload(message: MailMessage) -> Payload:
    """Return the body of `POST /email`. Core has set `from_`."""
    everybody = fields.recipients(message)
    payload: Payload = {
        "From": str(message.from_),
        "To": _mailboxes(everybody.to),
        "Cc": _mailboxes(everybody.cc),
        "Bcc": _mailboxes(everybody.bcc),
        "ReplyTo": _mailboxes(message.reply_to),
        "Subject": message.subject,
        "HtmlBody": message.html,
        "TextBody": message.text,
        "Headers": [{"Name": name, "Value": value} for name, value in fields.headers(message).items()],
        "Attachments": [_attachment(each) for each in message.attachments],
        "Tag": next(iter(message.tags), None),
        "Metadata": dict(message.metadata),
    }
    return {key: value for key, value in payload.items() if value}


def _mailboxes(addresses: tuple[Address, ...]) -> str:
    # One text, with commas between. Names with a comma are in quotes.
    return ", ".join(str(address) for address in addresses)


def _attachment(attachment: Attachment) -> Payload:
    made: Payload = {
        "Name": attachment.filename,
        "Content": fields.content(attachment),
        "ContentType": attachment.content_type,
    }
    # An attachment with a ContentID is shown inline.
    return {**made, "ContentID": f"cid:{attachment.content_id}"} if attachment.inline else made
