"""Reads an `.eml` file: its headers, its bodies and files, and what is broken about its MIME structure.

RFC 5322 and RFC 2045. Nothing of the file is trusted. The parser is the standard library's with `compat32`, which
keeps headers as they stand; the newer policies parse each of them, and fail on hostile ones.
"""

import email.policy
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

import attrs

from postroom import Address, Attachment, MailMessage, MailMessageError

# The decoders of the standard library take time that grows with the square of what they are given.
_LONGEST_DECODED = 10_000  # characters
_FIELDS = ("from", "to", "cc", "bcc", "reply-to")
# Written by servers, or by postroom from the message's own fields.
_WRITTEN = {
    *_FIELDS,
    "subject",
    "date",
    "message-id",
    "mime-version",
    "received",
    "return-path",
    "delivered-to",
    "authentication-results",
    "received-spf",
    "dkim-signature",
}
_WRITTEN_PREFIXES = ("content-", "arc-")


@attrs.frozen(kw_only=True)
class Eml:
    """What an `.eml` file holds."""

    headers: list[tuple[str, str]]
    """Names in lower case and values on one line, in their order; encoded words are left as they are."""
    html: str | None = None
    """The first HTML that is no attachment, decoded."""
    text: str | None = None
    """The first plain text that is no attachment, decoded."""
    files: list[Message] = attrs.field(factory=list)
    """Every other part."""
    broken: list[str] = attrs.field(factory=list)
    """What is wrong with its structure."""

    def values(self, name: str) -> list[str]:
        """Return the values of a header, by its name in lower case."""
        return [value for header, value in self.headers if header == name]

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Return the addresses of every header of this name.

        Raises:
            MailMessageError: One of them is no address.
        """
        return tuple(address for value in self.values(name) for address in _addresses(value))


def read(data: bytes) -> Eml:
    """Take the file apart. Whatever fails is in `broken`; nothing is raised."""
    try:
        message = BytesParser(policy=email.policy.compat32).parsebytes(data)
        made = Eml(headers=[(name.lower(), _one_line(value)) for name, value in message.raw_items()])
    except Exception as error:  # noqa: BLE001  deep nesting and odd parameters break the parser in many ways
        return Eml(headers=[], broken=[f"the structure cannot be read ({type(error).__name__})"])
    try:
        return _with_parts(made, message)
    except Exception as error:  # noqa: BLE001  as above
        return attrs.evolve(made, broken=[f"a part cannot be read ({type(error).__name__})"])


def to_mail_message(eml: Eml, default_from: Address | None) -> MailMessage:
    """Return the message as postroom would be given it; `default_from` is its sender if it has none.

    Raises:
        MailMessageError: Something in it cannot be sent.
    """
    senders = eml.addresses("from")
    headers: dict[str, str] = {}
    for name, value in eml.headers:
        if name not in _WRITTEN and not name.startswith(_WRITTEN_PREFIXES):
            headers.setdefault(name, value)
    return MailMessage(
        to=eml.addresses("to"),
        cc=eml.addresses("cc"),
        bcc=eml.addresses("bcc"),
        reply_to=eml.addresses("reply-to"),
        from_=senders[0] if senders else default_from,
        subject=_decoded(next(iter(eml.values("subject")), "")),
        html=eml.html,
        text=eml.text,
        headers=headers,
        attachments=[_attachment(part, number) for number, part in enumerate(eml.files, start=1)],
    )


def _with_parts(eml: Eml, message: Message) -> Eml:
    bodies: dict[str, str] = {}
    files: list[Message] = []
    broken: dict[str, None] = {}
    for part in _parts(message):
        kind = part.get_content_type()
        if kind in {"text/plain", "text/html"} and kind not in bodies and not _is_file(part):
            bodies[kind] = _text(part, broken)
        elif not part.is_multipart() or kind.startswith("message/"):
            files.append(part)
            part.get_payload(decode=True)  # finds what is wrong with its base64
        broken.update(dict.fromkeys(_words(defect) for defect in part.defects))
    html, text = bodies.get("text/html"), bodies.get("text/plain")
    return attrs.evolve(eml, html=html, text=text, files=files, broken=list(broken))


def _parts(message: Message) -> Iterator[Message]:
    """Yield the message and its parts in their order. Attached messages are not entered."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() != "message":
            waiting += [each for each in reversed(payload) if isinstance(each, Message)]


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_filename() is not None


def _text(part: Message, broken: dict[str, None]) -> str:
    content = _content(part)
    charset = part.get_content_charset("utf-8")
    try:
        return content.decode("utf-8" if charset == "us-ascii" else charset)
    except LookupError:
        broken[f"nobody knows the charset {charset!a}"] = None
    except ValueError:
        broken[f"a body is not in its charset {charset!a}"] = None
    return content.decode("utf-8", "replace")


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    if isinstance(content, bytes):
        return content
    return b"".join(each.as_bytes() for each in part.get_payload() if isinstance(each, Message))


def _attachment(part: Message, number: int) -> Attachment:
    content_id = _one_line(str(part.get("content-id", ""))).strip("<> ") or None
    kind = part.get_content_type()
    return Attachment(
        part.get_filename() or f"part-{number}",
        _content(part),
        "application/octet-stream" if kind.startswith("multipart/") else kind,
        content_id=content_id,
        inline=content_id is not None and part.get_content_disposition() != "attachment",
    )


def _addresses(value: str) -> tuple[Address, ...]:
    try:
        found = Address.parse_list(value)
    except MailMessageError:
        return _lenient(value) or _refuse(value)
    return tuple(attrs.evolve(each, name=_decoded(each.name)) if "=?" in each.name else each for each in found)


def _lenient(value: str) -> tuple[Address, ...]:
    """Return the addresses of a header with comments or groups, which core does not read; none if it is wrong."""
    if len(value) > _LONGEST_DECODED:
        return ()
    try:
        header = email.policy.default.header_factory("to", value)
    except Exception:  # noqa: BLE001  hostile headers break the parser in many ways
        return ()
    if header.defects or not all(each.username and each.domain for each in header.addresses):
        return ()
    return tuple(Address(each.username, each.domain, each.display_name) for each in header.addresses)


def _refuse(value: str) -> tuple[Address, ...]:
    if re.fullmatch(r"[^:<>@]*:\s*;\s*", value):  # a group without members, such as `undisclosed-recipients:;`
        return ()
    return Address.parse_list(value)


def _decoded(value: str) -> str:
    """Return a header with its encoded words decoded (RFC 2047), or as it is if they cannot be."""
    if "=?" not in value or len(value) > _LONGEST_DECODED:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, ValueError, LookupError):
        return value


def _one_line(value: str) -> str:
    """Return a header's value unfolded; octets that are not ASCII are read as UTF-8 (RFC 6532)."""
    unfolded = re.sub(r"[\r\n]+", "", value)
    return unfolded.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _words(defect: object) -> str:
    """Return the name of a defect as people write it: `close boundary not found`."""
    name = type(defect).__name__.removesuffix("Defect")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
