"""A message as plain JSON data and back, so that a task queue can carry it."""

import base64
import binascii
import datetime
from collections.abc import Mapping
from typing import Any

import attrs

from postroom.attachment import Attachment
from postroom.errors import MailMessageError
from postroom.message import MailMessage

_VERSION = 1


def to_dict(message: MailMessage) -> dict[str, Any]:
    """Return what `MailMessage.to_dict` promises. Fields that are empty are left out."""
    data: dict[str, Any] = {"v": _VERSION}
    for field in attrs.fields(MailMessage):
        value = getattr(message, field.name)
        if value:
            data[field.name] = _plain(value)
    return data


def from_dict(data: Mapping[str, Any]) -> MailMessage:
    """Return what `MailMessage.from_dict` promises.

    Raises:
        MailMessageError: These are not the data of a message, or a newer postroom has written them.
    """
    if not isinstance(data, Mapping):
        raise MailMessageError(f"a message as plain data is a mapping, not {type(data).__name__}")
    fields = dict(data)
    version = fields.pop("v", None)
    if version != _VERSION:
        raise MailMessageError(f"message data of version {version!r:.20}, this postroom reads {_VERSION}: update it")
    unknown = fields.keys() - {field.name for field in attrs.fields(MailMessage)}
    if unknown:
        raise MailMessageError(f"message data with unknown fields: {', '.join(sorted(map(str, unknown)))[:200]}")
    try:
        for name in {"date", "send_at"} & fields.keys():
            fields[name] = datetime.datetime.fromisoformat(fields[name])
        fields["attachments"] = [_attachment(each) for each in fields.get("attachments", ())]
        return MailMessage(**{"to": (), "subject": "", **fields})
    except MailMessageError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, binascii.Error) as error:
        # Its text stays out: it may quote the message.
        raise MailMessageError(f"message data are malformed ({type(error).__name__})") from None


def _plain(value: Any) -> object:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Attachment):
        return {**attrs.asdict(value), "content": base64.b64encode(value.content).decode()}
    return str(value)


def _attachment(data: Mapping[str, Any]) -> Attachment:
    return Attachment(**{**data, "content": base64.b64decode(data["content"], validate=True)})
