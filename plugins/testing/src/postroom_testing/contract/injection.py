"""Can what a stranger has typed become a header, a recipient, or another name?"""

from typing import Any

import pytest

from postroom import Address, Attachment, DeliveringSender, MailMessage, MailMessageError
from postroom_testing.contract.arrived import mailboxes
from postroom_testing.contract.base import Contract
from postroom_testing.contract.services import Running

_REFUSED: dict[str, dict[str, Any]] = {
    "CR LF in the subject": {"subject": "Hello\r\nBcc: eve@example.com"},
    "LF in the subject": {"subject": "Hello\nBcc: eve@example.com"},
    "CR in the subject": {"subject": "Hello\rBcc: eve@example.com"},
    "NUL in the subject": {"subject": "Hello\0"},
    "an encoded line end in the subject": {"subject": "=?utf-8?q?Hello=0D=0ABcc:_eve@example.com?="},
    "a line end in an address": {"to": "grace@example.com\r\nRCPT TO:<eve@example.com>"},
    "a line end in a name": {"from_": "Sender\r\nBcc: eve@example.com <sender@example.com>"},
    "a line end in a header": {"headers": {"X-One": "1\r\nBcc: eve@example.com"}},
    "a line end in a tag": {"tags": ["one\r\ntwo"]},
}
_NAMES = (
    "Hopper, Grace",
    'Grace "Amazing" Hopper',
    "Grace <eve@example.com>",
    "eve@example.com, Grace",
    "Grace; Bcc: eve@example.com",
    "Grace \\",
    "(Grace)",
    "Grace: the team;",
)


class Injection(Contract):
    """What has a meaning in a header stays text."""

    @pytest.mark.parametrize("vector", _REFUSED)
    def test_a_line_end_never_leaves(self, sender: DeliveringSender, service: Running, vector: str) -> None:
        """A line end in a header field is refused before the network, whoever made the message."""
        fields: dict[str, Any] = {"to": "grace@example.com", "subject": "Hello", "html": "<p>Hello.</p>"}
        with pytest.raises(MailMessageError):
            sender.deliver(MailMessage(**{**fields, **_REFUSED[vector]}))
        assert service.connections() == 0

    @pytest.mark.parametrize("name", _NAMES)
    def test_a_name_stays_a_name(self, sender: DeliveringSender, service: Running, name: str) -> None:
        """Whatever stands in a display name, the message goes to one recipient, from one sender, with that name."""
        message = MailMessage(
            Address("grace", "example.com", name), "Hello", "<p>Hello.</p>", Address("sender", "example.com", name)
        )
        sender.deliver(message)
        advice = "quote display names: str(address) does it"
        (arrived,) = service.arrived()
        try:
            recipients, senders = arrived.recipients, mailboxes([arrived.from_])
        except MailMessageError as error:
            pytest.fail(f"{advice} ({error})")
        assert recipients == {"grace@example.com"}, advice
        assert senders == [(name, "sender@example.com")], advice

    def test_a_file_name_stays_a_file_name(self, sender: DeliveringSender, service: Running) -> None:
        """Quotes and semicolons in the name of a file do not end it."""
        attachment = Attachment('a"; name="b.exe', b"x", "text/plain")
        message = MailMessage("grace@example.com", "Hello", "<p>Hello.</p>", attachments=[attachment])
        try:
            sender.deliver(message)
        except MailMessageError:
            assert service.arrived() == []
            return
        assert [file.name for file in service.arrived()[0].files] == [attachment.filename]

    def test_a_subject_that_looks_like_markup_stays_text(self, sender: DeliveringSender, service: Running) -> None:
        """A template language of the service sees nothing to fill in."""
        subject = "{{ 7 * 7 }} ${7*7} %s <b>"
        sender.deliver(MailMessage("grace@example.com", subject, "<p>{{ name }}</p>"))
        assert service.arrived()[0].subject == subject
