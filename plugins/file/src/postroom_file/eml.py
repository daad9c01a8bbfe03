"""A message as an `.eml` that a mail program opens: RFC 5322 headers over a MIME body."""

import datetime
import email.policy
from email.message import EmailMessage
from email.utils import format_datetime

from postroom import Attachment, MailMessage
from postroom_file import headers

_POLICY = email.policy.SMTP.clone(utf8=True)  # for local parts that are not ASCII; everything else is encoded


def to_eml(message: MailMessage) -> bytes:
    """Return the message as it would be sent. Bcc, tags, metadata and send_at are in no header. `from_` is set."""
    assert message.from_ is not None  # noqa: S101  core has filled it in
    made = EmailMessage(_POLICY)
    lines = [
        headers.addresses("From", [message.from_]),
        headers.addresses("To", message.to),
        *([headers.addresses("Cc", message.cc)] if message.cc else []),
        *([headers.addresses("Reply-To", message.reply_to)] if message.reply_to else []),
        headers.text("Subject", message.subject),
        headers.Line("Date", format_datetime(message.date.astimezone(datetime.UTC))),
        headers.Line("Message-ID", message.message_id),
        *(headers.custom(name, value) for name, value in message.headers.items()),
    ]
    for line in lines:
        made[line.name] = line
    _fill(made, message)
    return made.as_bytes()


def _fill(made: EmailMessage, message: MailMessage) -> None:
    """Put bodies and files in: `mixed(alternative(text, related(html, images)), files)`, as far as there are any."""
    if message.text is not None:
        made.set_content(message.text)
    if message.html is not None:
        put = made.add_alternative if message.text is not None else made.set_content
        put(message.html, subtype="html")
    page = made.get_body(("html",))
    images = [] if page is None else [each for each in message.attachments if each.inline]
    if page is not None and images:
        page.make_related()
        for image in images:
            page.attach(_part(image))
    files = message.attachments if page is None else [each for each in message.attachments if not each.inline]
    if files:
        made.make_mixed()
        for file in files:
            made.attach(_part(file))


def _part(attachment: Attachment) -> EmailMessage:
    part = EmailMessage(_POLICY)
    part.set_content(attachment.content, maintype="application", subtype="octet-stream")
    kind = attachment.content_type_with_charset
    if kind.lower().startswith("message/"):
        # It would have to go unencoded (RFC 2046 section 5.2.1), and may hold anything.
        kind = "application/octet-stream"
    part.replace_header("Content-Type", headers.content_type(kind, attachment.filename))
    part["Content-Disposition"] = headers.disposition(
        "inline" if attachment.inline else "attachment", attachment.filename
    )
    if attachment.content_id is not None:
        part["Content-ID"] = headers.Line("Content-ID", f"<{attachment.content_id}>")
    return part
