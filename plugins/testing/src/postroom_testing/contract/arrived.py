"""A message as the service has got it, in one form for all services."""

import email
import email.policy
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import cast

import attrs

from postroom import Address


def _texts(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    return tuple(value)


@attrs.frozen
class File:
    """An attachment as it came."""

    name: str
    content: bytes | None
    """None where the service does not keep it."""
    content_type: str
    content_id: str | None = None
    """Without angle brackets."""
    inline: bool = False


def _files(value: Iterable[File]) -> tuple[File, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class Arrived:
    """What the service has got. A mailbox is text, with or without a name; a list may be one text."""

    from_: str
    to: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    cc: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    bcc: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    reply_to: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    subject: str = ""
    html: str | None = None
    text: str | None = None
    files: tuple[File, ...] = attrs.field(default=(), converter=_files)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Those that the message's own `headers` have asked for; there may be others."""
    tags: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    send_at: datetime | None = None

    @property
    def recipients(self) -> set[str]:
        """The bare addresses of everybody who gets it."""
        return {address.spec for each in (*self.to, *self.cc, *self.bcc) for address in Address.parse_list(each)}


def mailboxes(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return name and bare address of each mailbox, so that two ways to write one are equal."""
    return [(address.name, address.spec) for each in texts for address in Address.parse_list(each)]


def from_mime(content: bytes, recipients: Iterable[str]) -> Arrived:
    """Read a message in Internet Message Format (RFC 5322, RFC 2045).

    Args:
        content: The message.
        recipients: The envelope; who is in it and in no header is a recipient of a blind copy.
    """
    message = email.message_from_bytes(content, policy=email.policy.default)
    raw = email.message_from_bytes(content)
    people = {name: [*_people(raw, name)] for name in ("From", "To", "Cc", "Reply-To")}
    shown = {address.spec for name in ("To", "Cc") for address in people[name]}
    html, text = (message.get_body((kind,)) for kind in ("html", "plain"))
    return Arrived(
        from_=", ".join(map(str, people["From"])),
        to=map(str, people["To"]),
        cc=map(str, people["Cc"]),
        bcc=[each for each in recipients if each not in shown],
        reply_to=map(str, people["Reply-To"]),
        subject=str(message["Subject"]),
        html=_body(html),
        text=_body(text),
        files=[_file(part) for part in message.walk() if part.get_filename() is not None],
        headers={name: str(value) for name, value in message.items()},
    )


def _people(message: "email.message.Message[str, str]", name: str) -> Iterator[Address]:
    """Yield the mailboxes of a header. Names are decoded when they are apart, or a comma in one would divide it.

    The parser of the standard library's newer policies leaves a blank between two encoded words of one name, which
    RFC 2047 section 6.2 takes away.
    """
    for value in message.get_all(name, []):
        for address in Address.parse_list(re.sub(r"[\r\n]+", "", str(value))):
            yield attrs.evolve(address, name=str(make_header(decode_header(address.name))))


def _body(part: object) -> str | None:
    if not isinstance(part, EmailMessage):
        return None
    return str(part.get_content()).replace("\r\n", "\n").removesuffix("\n")


def _file(part: "email.message.Message[str, str]") -> File:
    content_id = part.get("Content-ID")
    return File(
        name=part.get_filename() or "",
        content=cast("bytes", part.get_payload(decode=True) or b""),
        content_type=part.get_content_type(),
        content_id=str(content_id).strip("<>") if content_id else None,
        inline=part.get_content_disposition() == "inline",
    )
