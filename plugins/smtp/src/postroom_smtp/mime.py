"""A message as bytes: RFC 5322 headers over a MIME body (RFC 2045, 2046), every line ending with CRLF.

The shape is the one that mail programs agree on: `mixed(alternative(text, related(html, inline images)), attachments)`,
without the levels that would hold one part. The same message always gives the same bytes. Nothing but SMTPUTF8
addresses needs an 8-bit transport.
"""

import hashlib
import re

import attrs

from postroom import Attachment, MailMessage
from postroom_smtp import headers
from postroom_smtp.content import Content
from postroom_smtp.encodings import base64_lines, fits_quoted_printable, is_7bit, quoted_printable

_LINE_END = re.compile(r"\r\n|\r|\n")
# "=_" can stand in neither base64 nor quoted-printable, so a boundary that begins with it is never part of a body.
_BOUNDARY_MARK = "=_"


@attrs.frozen
class _Part:
    """A MIME entity: its headers, each line with CRLF, and its body as pieces of bytes."""

    headers: str
    body: list[bytes]


def render(message: MailMessage) -> Content:
    """Return the message as it goes on the wire, before dot-stuffing; it ends with CRLF. `from_` must be set.

    Bcc is in no header. A non-ASCII local part appears as UTF-8 (RFC 6532).
    """
    content = _content(message)
    pieces = [f"{_head(message)}{content.headers}\r\n".encode(), *content.body]
    if not pieces[-1].endswith(b"\r\n"):
        pieces.append(b"\r\n")
    return Content(tuple(pieces))


def _head(message: MailMessage) -> str:
    assert message.from_ is not None  # noqa: S101  core has filled it in
    lines = [
        headers.addresses("From", [message.from_]),
        headers.addresses("To", message.to),
        headers.addresses("Cc", message.cc) if message.cc else "",
        headers.addresses("Reply-To", message.reply_to) if message.reply_to else "",
        headers.text("Subject", message.subject),
        headers.date(message.date),
        headers.verbatim("Message-ID", message.message_id),
        *(
            headers.verbatim(name, value) if value.isascii() else headers.text(name, value)
            for name, value in message.headers.items()
        ),
        "MIME-Version: 1.0\r\n",
    ]
    return "".join(lines)


def _content(message: MailMessage) -> _Part:
    bodies = [] if message.text is None else [_text(message.text, "plain")]
    if message.html is not None:
        bodies.append(_text(message.html, "html"))
    if len(bodies) == 1 and not message.attachments:
        return bodies[0]
    boundary = _BOUNDARY_MARK + hashlib.sha256(message.id.encode()).hexdigest()[:24]
    inline = [_attachment(each, boundary) for each in message.attachments if each.inline]
    others = [_attachment(each, boundary) for each in message.attachments if not each.inline]
    if message.html is not None:
        # RFC 2387 section 3.1 demands the type.
        bodies[-1] = _multipart('related; type="text/html"', f"{boundary}_r", [bodies[-1], *inline])
    else:
        others = inline + others
    return _multipart("mixed", f"{boundary}_m", [_multipart("alternative", f"{boundary}_a", bodies), *others])


def _multipart(subtype: str, boundary: str, parts: list[_Part]) -> _Part:
    """Join parts; one part alone stays as it is."""
    if len(parts) == 1:
        return parts[0]
    body: list[bytes] = []
    for part in parts:
        body += [f"--{boundary}\r\n{part.headers}\r\n".encode(), *part.body, b"\r\n"]
    body.append(f"--{boundary}--\r\n".encode())
    return _Part(f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n', body)


def _text(text: str, subtype: str) -> _Part:
    data = (_LINE_END.sub("\r\n", text) if "\r" in text else text.replace("\n", "\r\n")).encode()
    if is_7bit(data) and _BOUNDARY_MARK.encode() not in data:
        encoding, body = "7bit", [data]
    elif fits_quoted_printable(data):
        encoding, body = "quoted-printable", [quoted_printable(data)]
    else:
        encoding, body = "base64", base64_lines(data)
    kind = f"Content-Type: text/{subtype}; charset=utf-8\r\n"
    return _Part(f"{kind}Content-Transfer-Encoding: {encoding}\r\n", body)


def _attachment(attachment: Attachment, boundary: str) -> _Part:
    kind, encoding, body = _encoded(attachment, boundary)
    lines = [
        headers.content_type(kind, attachment.filename),
        f"Content-Transfer-Encoding: {encoding}\r\n",
        headers.disposition("inline" if attachment.inline else "attachment", attachment.filename),
        f"Content-ID: <{attachment.content_id}>\r\n" if attachment.content_id else "",
    ]
    return _Part("".join(lines), body)


def _encoded(attachment: Attachment, boundary: str) -> tuple[str, str, list[bytes]]:
    """Return the content type, the transfer encoding, and the content in that encoding."""
    kind = attachment.content_type_with_charset
    if kind.lower().startswith("message/"):
        # RFC 2046 section 5.2.1 forbids base64 here. What 7bit cannot hold travels as an ordinary file.
        data = re.sub(rb"\r\n|\r|\n", b"\r\n", attachment.content)
        if is_7bit(data) and boundary.encode() not in data:
            return kind, "7bit", [data]
        kind = "application/octet-stream"
    return kind, "base64", base64_lines(attachment.content)
