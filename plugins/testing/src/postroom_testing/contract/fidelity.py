"""Does a message arrive as it was sent, and is refused what would not?"""

import datetime
from typing import Any

import attrs
import pytest

from postroom import Address, Attachment, Capability, DeliveringSender, MailMessage, MailMessageError
from postroom_testing.contract.arrived import Arrived, mailboxes
from postroom_testing.contract.base import SENDER, Contract
from postroom_testing.contract.services import Running

_PNG = bytes.fromhex("89504e470d0a1a0a") + bytes(range(256))
_LATER = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(hours=2)
_NEEDS: dict[Capability, dict[str, Any]] = {
    Capability.ATTACHMENTS: {"attachments": [Attachment("table.csv", b"a,b\r\n1,2\r\n", "text/csv")]},
    Capability.INLINE_ATTACHMENTS: {
        "attachments": [Attachment("logo.png", _PNG, "image/png", content_id="logo", inline=True)],
        "html": '<p><img src="cid:logo" alt="logo"></p>',
    },
    Capability.HEADERS: {"headers": {"X-Campaign": "spring"}},
    Capability.TAGS: {"tags": ["welcome"]},
    Capability.METADATA: {"metadata": {"user": "7"}},
    Capability.SEND_AT: {"send_at": _LATER},
}
_FIELDS: dict[str, dict[str, Any]] = {
    "one recipient": {"to": "grace@example.com"},
    "two recipients": {"to": ["grace@example.com", "ada@example.com"]},
    "a name": {"to": "Grace Hopper <grace@example.com>"},
    "a name that is not ASCII": {"to": Address("grace", "example.com", "Gråce Höpper")},
    "cc": {"cc": ["Ada <ada@example.com>", "alan@example.com"]},
    "bcc": {"bcc": ["ada@example.com", "alan@example.com"]},
    "reply-to": {"reply_to": "Desk <desk@example.com>"},
    "sender": {"from_": "Other <other@example.com>"},
    "subject": {"subject": 'A subject with (brackets), "quotes" and 100 % signs'},
    "subject that is not ASCII": {"subject": "Grüße, 世界 🎉"},
    "long subject": {"subject": "word " * 40 + "end"},
    "HTML": {"html": "<p>Hello &amp; good-bye</p>\n<p>.</p>\n.\n"},
    "HTML that is not ASCII": {"html": "<p>Grüße, 世界 🎉</p>"},
    "long HTML": {"html": "<p>" + "x" * 5000 + "</p>\n" * 50},
    "text": {"html": None, "text": "Only text.\n\n.\nFrom here on."},
    "HTML and text": {"html": "<p>Both.</p>", "text": "Both."},
}


def _message(**fields: Any) -> MailMessage:
    return MailMessage(**{"to": "grace@example.com", "subject": "Hello", "html": "<p>Hello.</p>", **fields})


class Fidelity(Contract):
    """Every part of a message arrives, or is refused by its name."""

    def arrived_of(self, sender: DeliveringSender, service: Running, message: MailMessage) -> Arrived:
        """Send, and return what has arrived."""
        sender.deliver(message)
        arrived = service.arrived()
        assert len(arrived) == 1, f"{len(arrived)} messages arrived instead of one: what does `arrived` return?"
        return arrived[0]

    @pytest.mark.parametrize("field", _FIELDS)
    def test_a_field_arrives(self, sender: DeliveringSender, service: Running, field: str) -> None:
        """What every provider carries arrives as it was sent, and nothing else with it."""
        message = _message(**_FIELDS[field])
        arrived = self.arrived_of(sender, service, message)
        wanted = message.from_ or Address.parse(SENDER)
        assert mailboxes([arrived.from_]) == mailboxes([str(wanted)]), "the sender is message.from_"
        for name in ("to", "cc", "bcc", "reply_to"):
            sent = sorted(mailboxes(str(each) for each in getattr(message, name)))
            if name == "bcc":  # nobody sees their names
                assert sorted(spec for _, spec in mailboxes(arrived.bcc)) == sorted(spec for _, spec in sent), name
            else:
                assert sorted(mailboxes(getattr(arrived, name))) == sent, f"message.{name} does not arrive as it is"
        assert arrived.subject == message.subject, "the subject is changed"
        for name in ("html", "text"):
            self._compare_body(name, getattr(message, name), getattr(arrived, name))
        assert arrived.files == ()

    def _compare_body(self, name: str, sent: str | None, got: str | None) -> None:
        if sent is None:
            assert not got, f"there is a {name} that nobody has sent: {got!r:.60}"
        else:
            assert got is not None, f"message.{name} is dropped"
            assert got.replace("\r\n", "\n").strip("\n") == sent.strip("\n"), f"message.{name} is changed"

    @pytest.mark.parametrize("capability", Capability, ids=lambda each: each.name.lower())
    def test_a_capability_is_carried_or_refused(
        self, sender: DeliveringSender, service: Running, capability: Capability
    ) -> None:
        """What is declared arrives; what is not declared is refused by name, and nothing is sent."""
        message = _message(**_NEEDS[capability])
        if capability not in self.registered.capabilities:
            with pytest.raises(MailMessageError, match=capability.value):
                sender.deliver(message)
            assert service.arrived() == []
            return
        arrived = self.arrived_of(sender, service, message)
        advice = f"Capability.{capability.name} is declared, and does not arrive: carry it, or do not declare it"
        match capability:
            case Capability.ATTACHMENTS | Capability.INLINE_ATTACHMENTS:
                (sent,) = message.attachments
                assert [file.name for file in arrived.files] == [sent.filename], advice
                (file,) = arrived.files
                assert file.content in (sent.content, None), "the content of a file is changed"
                assert file.content_type.partition(";")[0] == sent.content_type, "the type of a file is changed"
                assert file.inline == sent.inline, "inline or not?"
                if sent.inline:
                    assert file.content_id == sent.content_id, "an image is found by its content_id"
            case Capability.HEADERS:
                assert {name.lower(): value for name, value in arrived.headers.items()}.get("x-campaign") == "spring", (
                    advice
                )
            case Capability.TAGS:
                assert arrived.tags == message.tags, advice
            case Capability.METADATA:
                assert message.metadata.items() <= arrived.metadata.items(), advice
            case Capability.SEND_AT:
                assert arrived.send_at == message.send_at, advice

    def test_all_capabilities_at_once(self, sender: DeliveringSender, service: Running) -> None:
        """A message that uses all that is declared arrives."""
        fields: dict[str, Any] = {}
        for capability in sorted(self.registered.capabilities, key=lambda each: each.name):
            needs = _NEEDS[capability]
            fields["attachments"] = [*fields.get("attachments", ()), *needs.get("attachments", ())]
            fields |= {name: value for name, value in needs.items() if name != "attachments"}
        message = _message(**fields)
        arrived = self.arrived_of(sender, service, message)
        assert {file.name for file in arrived.files} == {each.filename for each in message.attachments}
        assert set(message.tags) <= set(arrived.tags), "tags are lost beside other things"
        assert message.metadata.items() <= arrived.metadata.items(), "metadata are lost beside other things"
        assert arrived.send_at == message.send_at, "send_at is lost beside other things"

    def test_the_message_is_left_alone(self, sender: DeliveringSender) -> None:
        """The caller's message is the same afterwards, so that it can be sent again."""
        declared = self.registered.capabilities
        needs = {
            name: value
            for capability in (Capability.HEADERS, Capability.METADATA, Capability.TAGS)
            if capability in declared
            for name, value in _NEEDS[capability].items()
        }
        message = _message(**needs)
        before = {name: repr(getattr(message, name)) for name in _names()}
        sender.deliver(message)
        after = {name: repr(getattr(message, name)) for name in _names()}
        assert after == before, "deliver() changes the message: make what you send of a copy"

    def test_the_sender_is_the_default_unless_named(self, sender: DeliveringSender, service: Running) -> None:
        """`MAIL_DEFAULT_SEND_FROM` is the sender of a message that names none."""
        arrived = self.arrived_of(sender, service, _message())
        assert mailboxes([arrived.from_]) == mailboxes([SENDER])

    def test_many_messages_arrive_in_order(self, sender: DeliveringSender, service: Running) -> None:
        """`deliver_many` yields one result for each message, and each arrives once."""
        messages = [_message(subject=f"Message {number}") for number in range(12)]
        results = [*sender.deliver_many(iter(messages))]
        assert [getattr(each, "message_id", each) for each in results] == [
            attrs.evolve(each, from_=SENDER).message_id for each in messages
        ]
        assert sorted(each.subject for each in service.arrived()) == sorted(each.subject for each in messages)


def _names() -> list[str]:
    return [field.name for field in attrs.fields(MailMessage)]
