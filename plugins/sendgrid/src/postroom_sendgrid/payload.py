"""A message as SendGrid takes it: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send."""

from typing import Any

from postroom import Address, Attachment, MailMessage
from postroom_http import fields
from postroom_sendgrid.settings import SendGridSettings

Payload = dict[str, Any]

ID = "postroom_id"
"""Name of the message's id in SendGrid's events. They can settle what a lost answer leaves open."""


def to_payload(message: MailMessage, settings: SendGridSettings) -> Payload:
    """Return the body of `POST /v3/mail/send`. `from_` is set."""
    assert message.from_ is not None  # noqa: S101  core has filled it in
    payload: Payload = {
        "personalizations": [_personalization(message)],
        "from": _mailbox(message.from_),
        "reply_to_list": _reply_to(message),
        "subject": message.subject,
        "content": _content(message),
        "attachments": [_attachment(each) for each in message.attachments],
        "headers": fields.headers(message),
        "categories": list(dict.fromkeys(message.tags)),
        "send_at": int(message.send_at.timestamp()) if message.send_at is not None else None,
        "tracking_settings": _tracking(settings),
        "mail_settings": {"sandbox_mode": {"enable": True}} if settings.sandbox else None,
    }
    return {key: value for key, value in payload.items() if value}


def custom_args(message: MailMessage) -> dict[str, str]:
    """Return what SendGrid hands back in its events."""
    return {**message.metadata, ID: message.id}


def _personalization(message: MailMessage) -> Payload:
    """One for all recipients, so that each sees the others of to and cc, as in any mail."""
    # It answers a second spelling of an address with 400 as well: https://github.com/sendgrid/sendgrid-ruby/issues/436.
    everybody = fields.recipients(message, fold_case=True)
    made: Payload = {
        "to": [_recipient(address) for address in everybody.to],
        "cc": [_recipient(address) for address in everybody.cc],
        "bcc": [_recipient(address) for address in everybody.bcc],
        "custom_args": custom_args(message),
    }
    return {key: value for key, value in made.items() if value}


def _mailbox(address: Address) -> Payload:
    return {"email": address.spec, "name": address.name} if address.name else {"email": address.spec}


def _recipient(address: Address) -> Payload:
    # SendGrid forgets the quotes that a name with a comma or semicolon needs, in personalizations only, and takes what
    # is before it for another address: https://github.com/sendgrid/sendgrid-python/issues/291.
    if "," in address.name or ";" in address.name:
        return {"email": address.spec, "name": str(address).removesuffix(f" <{address.spec}>")}
    return _mailbox(address)


def _reply_to(message: MailMessage) -> list[Payload]:
    distinct: dict[str, Address] = {}
    for address in message.reply_to:
        distinct.setdefault(address.spec.lower(), address)
    return [_mailbox(address) for address in distinct.values()]


def _content(message: MailMessage) -> list[Payload]:
    # The order is prescribed.
    bodies = {"text/plain": message.text, "text/html": message.html}
    return [{"type": kind, "value": body} for kind, body in bodies.items() if body]


def _attachment(attachment: Attachment) -> Payload:
    made: Payload = {
        "content": fields.content(attachment),
        "type": attachment.content_type,
        "filename": attachment.filename,
        "disposition": "inline" if attachment.inline else "attachment",
    }
    return {**made, "content_id": attachment.content_id} if attachment.content_id is not None else made


def _tracking(settings: SendGridSettings) -> Payload:
    # Said outright, since what is not said is the account's default.
    return {
        "click_tracking": {"enable": settings.click_tracking, "enable_text": settings.click_tracking},
        "open_tracking": {"enable": settings.open_tracking},
    }
