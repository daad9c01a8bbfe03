"""Messages as plain data: the same message on the other side of a queue, or a clear refusal."""

import datetime
import json
import re
from typing import Any

import hypothesis
import pytest

from message_strategies import messages
from postroom import Address, Attachment, MailMessage, MailMessageError

FULL = MailMessage(
    ["Grace Hopper <grace@example.com>", '"a b"@example.net'],
    "Grüße",
    "<p>Hello.</p>",
    Address("no-reply", "straße.de", "Büro, Berlin"),
    cc="ada@example.com",
    bcc="secret@example.com",
    reply_to="reply@example.com",
    text="Hello.",
    attachments=[Attachment("a.bin", bytes(range(256))), Attachment("b.png", b"", content_id="b", inline=True)],
    headers={"X-One": "1"},
    tags=["a", "b"],
    metadata={"user": "7"},
    send_at=datetime.datetime(2030, 1, 2, 3, 4, 5, 6, datetime.timezone(datetime.timedelta(hours=2))),
    idempotency_key="a-key",
)


def test_every_field_crosses() -> None:
    """A message that uses every field is the same after JSON, down to its identity."""
    carried = json.dumps(FULL.to_dict())
    assert MailMessage.from_dict(json.loads(carried)) == FULL


@hypothesis.given(messages())
def test_any_message_crosses(message: MailMessage) -> None:
    """Any message is the same after JSON."""
    assert MailMessage.from_dict(json.loads(json.dumps(message.to_dict()))) == message


def test_what_is_empty_is_left_out() -> None:
    """The data of a small message are small, and have a version."""
    message = MailMessage("grace@example.com", "Hello", "<p>Hello.</p>")
    assert message.to_dict() == {
        "v": 1,
        "to": ["grace@example.com"],
        "subject": "Hello",
        "html": "<p>Hello.</p>",
        "id": message.id,
        "date": message.date.isoformat(),
        "idempotency_key": message.id,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": 2}, "message data of version 2, this postroom reads 1: update it"),
        ({"v": None}, "message data of version None"),
        ({"priority": 1}, "message data with unknown fields: priority"),
        ({"to": []}, "Recipient email address is required"),
        ({"to": 5}, "message data are malformed (TypeError)"),
        ({"subject": "a\nb"}, "subject contains a control character"),
        ({"date": "yesterday"}, "message data are malformed (ValueError)"),
        ({"date": 5}, "message data are malformed (TypeError)"),
        ({"date": "2030-01-02T03:04:05"}, "date must be a datetime with a time zone"),
        ({"attachments": [{"filename": "a"}]}, "message data are malformed (KeyError)"),
        ({"attachments": [{"filename": "a", "content": "~"}]}, "message data are malformed (Error)"),
        ({"attachments": ["a"]}, "message data are malformed (TypeError)"),
    ],
)
def test_what_is_no_message_is_refused(changes: dict[str, Any], reason: str) -> None:
    """Data that are not those of a message are refused with the reason, and nothing is dropped silently."""
    data = {**MailMessage("grace@example.com", "Hello", "<p>1234</p>").to_dict(), **changes}
    with pytest.raises(MailMessageError, match=re.escape(reason)) as caught:
        MailMessage.from_dict(data)
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize("missing", ["to", "subject", "html"])
def test_what_a_message_needs_must_be_there(missing: str) -> None:
    """Data without a field that a message needs are refused like the message."""
    data = MailMessage("grace@example.com", "Hello", "<p>Hello.</p>").to_dict()
    del data[missing]
    with pytest.raises(MailMessageError, match="is required"):
        MailMessage.from_dict(data)


def test_data_are_a_mapping() -> None:
    """Anything but a mapping is refused."""
    with pytest.raises(MailMessageError, match="is a mapping, not list"):
        MailMessage.from_dict([])  # type: ignore[arg-type]
