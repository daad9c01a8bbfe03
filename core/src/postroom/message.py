"""The message: what an application wants sent, checked once for every provider.

Whatever is wrong with a message is said when it is made, before any network. Identity and date are fixed then too, so
that a second attempt is the same message.
"""

import datetime
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs

from postroom.address import Address
from postroom.attachment import Attachment
from postroom.errors import MailMessageError
from postroom.headers import check_headers
from postroom.injection import check_text, check_unicode

AddressLike = str | Address
"""A mailbox as text, with or without a display name, or parsed."""

_T = TypeVar("_T")
_YEARS = range(1900, 9999)  # RFC 5322 section 3.3; a time zone may shift the last
_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")  # dot-atom-text
_KEY = re.compile(r"[!-~]{1,256}")


def _addresses(value: AddressLike | Iterable[AddressLike] | None) -> tuple[Address, ...]:
    if isinstance(value, str):
        return Address.parse_list(value)
    if not value:
        return ()
    items = [value] if isinstance(value, Address) else _no_mapping(value, "Name <address>")
    return tuple(
        address for item in items for address in ([item] if isinstance(item, Address) else Address.parse_list(item))
    )


def _address(value: AddressLike | None) -> Address | None:
    return Address.parse(value) if value and not isinstance(value, Address) else value or None


def _attachments(value: Iterable[Attachment]) -> tuple[Attachment, ...]:
    return tuple(value)  # by its bare name, mypy does not know what the tuple holds


def _tags(value: str | Iterable[str]) -> tuple[str, ...]:
    if value == ():
        return ()
    return (value,) if isinstance(value, str) else tuple(_no_mapping(value, "a tag, and metadata for pairs"))


def _no_mapping(value: Iterable[_T], instead: str) -> Iterable[_T]:
    if isinstance(value, Mapping):
        raise MailMessageError(f"a {type(value).__name__} would lose its values here: give a list, with {instead}")
    return value


def _body(value: str | None) -> str | None:
    return value or None


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    return _copy(value, "headers")


def _metadata(value: Mapping[str, str]) -> Mapping[str, str]:
    return _copy(value, "metadata")


def _copy(value: Mapping[str, str], where: str) -> Mapping[str, str]:
    if type(value) is dict:
        return value.copy()  # nearly always, and asking an abstract class takes long
    if not isinstance(value, Mapping):
        raise MailMessageError(f'{where} takes a mapping, such as {{"name": "value"}}, not {type(value).__name__}')
    copied = dict(value)
    if len(copied) != len(value):  # a mapping of many values, such as that of `multidict`
        raise MailMessageError(f"{where} takes one value for each name; this {type(value).__name__} has several")
    return copied


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


@attrs.frozen
class MailMessage:
    """One mail, immutable; its headers and metadata are copied.

    A body is `html`, `text` or both. Address fields take one address or several, plain or with a display name, as
    text (commas separate) or as `Address`. The repr shows the id alone: a subject or body may hold a one-time code.

    Raises:
        MailMessageError: Something in it cannot be sent. The text names the field.
    """

    to: tuple[Address, ...] = attrs.field(converter=_addresses, repr=False)
    subject: str = attrs.field(repr=False)
    html: str | None = attrs.field(default=None, converter=_body, repr=False)
    from_: Address | None = attrs.field(default=None, converter=_address, repr=False)
    """The sender; None takes the configured `default_from`."""
    cc: tuple[Address, ...] = attrs.field(default=(), converter=_addresses, repr=False)
    bcc: tuple[Address, ...] = attrs.field(default=(), converter=_addresses, repr=False)
    """Recipients whom no header names."""
    reply_to: tuple[Address, ...] = attrs.field(default=(), converter=_addresses, repr=False)
    text: str | None = attrs.field(default=None, converter=_body, repr=False, kw_only=True)
    attachments: tuple[Attachment, ...] = attrs.field(default=(), converter=_attachments, repr=False, kw_only=True)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_headers, repr=False, hash=False, kw_only=True)
    """Further headers, such as `List-Unsubscribe`. ASCII values go out as they are."""
    tags: tuple[str, ...] = attrs.field(default=(), converter=_tags, repr=False, kw_only=True)
    """Labels for the provider's statistics, where it has them."""
    metadata: Mapping[str, str] = attrs.field(factory=dict, converter=_metadata, repr=False, hash=False, kw_only=True)
    """Key-value pairs that the provider hands back in its events, where it can."""
    send_at: datetime.datetime | None = attrs.field(default=None, repr=False, kw_only=True)
    """When the provider shall send it, where it can; None is now. Has a time zone."""
    id: str = attrs.field(factory=lambda: os.urandom(16).hex(), kw_only=True)
    """Identity of the message; the Message-ID is made of it."""
    date: datetime.datetime = attrs.field(factory=_now, repr=False, kw_only=True)
    """The Date header. Has a time zone."""
    idempotency_key: str = attrs.field(
        default=attrs.Factory(lambda self: self.id, takes_self=True), repr=False, kw_only=True
    )
    """What a provider that supports it uses to recognise a second attempt; the id unless given."""

    def __attrs_post_init__(self) -> None:
        if not self.to:
            raise MailMessageError("Recipient email address is required")
        if not self.subject or not check_text(self.subject, "subject", tab=True).strip():
            raise MailMessageError("Email subject is required")
        if self.html is None and self.text is None:
            raise MailMessageError("Email content is required: html or text")
        for where, body in (("html", self.html), ("text", self.text)):
            if body is not None:
                _check_type(body, str, where)
                check_unicode(body, where)
        for attachment in self.attachments:
            _check_type(attachment, Attachment, "attachments")
        check_headers(self.headers)
        for tag in self.tags:
            check_text(tag, "a tag")
        for key, value in self.metadata.items():
            check_text(key, "a key in metadata")
            check_text(value, f"metadata {key!r}")
        _check_identity(self)

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets: the id at the sender's domain, so that no host name leaks.

        Raises:
            MailMessageError: The message has no sender yet.
        """
        if self.from_ is None:
            raise MailMessageError("the message has no sender yet, and so no Message-ID: set from_")
        return f"<{self.id}@{self.from_.domain}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON data, for a task queue; `from_dict` makes the same message of them.

        Identity, date and idempotency key go with it, so a second attempt is the same message wherever it is made.
        Attachments are in it as base64; brokers do not like large ones.
        """
        from postroom import plain_data  # noqa: PLC0415  it imports this module

        return plain_data.to_dict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "MailMessage":
        """Make the message that `to_dict` was called on.

        Raises:
            MailMessageError: These are not the data of a message, or a newer postroom has written them.
        """
        from postroom import plain_data  # noqa: PLC0415  it imports this module

        return plain_data.from_dict(data)

    @property
    def recipients(self) -> tuple[str, ...]:
        """The bare addresses of everybody in to, cc and bcc, in that order, each once."""
        return tuple(dict.fromkeys(address.spec for address in (*self.to, *self.cc, *self.bcc)))


_FIELDS = tuple(field.name for field in attrs.fields(MailMessage))


def with_sender(message: MailMessage, sender: Address) -> MailMessage:
    """Return the same message from `sender`. What has been checked is not checked again."""
    made = object.__new__(MailMessage)
    for field in _FIELDS:
        object.__setattr__(made, field, getattr(message, field))
    object.__setattr__(made, "from_", sender)
    return made


def _check_type(value: object, expected: type, where: str) -> None:
    # Types are checked where a wrong one would surface late, deep inside a provider.
    if not isinstance(value, expected):
        raise MailMessageError(f"{where} takes {expected.__name__}, not {type(value).__name__}")


def _check_identity(message: MailMessage) -> None:
    check_text(message.id, "id")
    check_text(message.idempotency_key, "idempotency_key")
    if not _ID.fullmatch(message.id) or len(message.id) > 200:
        raise MailMessageError("id must be letters, digits and single dots, at most 200 (it becomes the Message-ID)")
    if not _KEY.fullmatch(message.idempotency_key):
        raise MailMessageError("idempotency_key must be 1 to 256 visible ASCII characters")
    for where, moment in (("date", message.date), ("send_at", message.send_at)):
        if moment is None:
            continue
        _check_type(moment, datetime.datetime, where)
        if moment.utcoffset() is None:
            raise MailMessageError(f"{where} must be a datetime with a time zone")
        if moment.year not in _YEARS:
            raise MailMessageError(f"{where} is in the year {moment.year}")
