"""What a test has sent: the fixture `mail_outbox`, and the `Outbox` that it yields.

pytest may load this module at each start, so postroom is imported when a test asks for the fixture.
"""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, overload

import pytest

if TYPE_CHECKING:
    from postroom import MailMessage
    from postroom_memory import Box

Pattern = str | re.Pattern[str]
"""Text that must be contained, or a compiled regular expression that must be found."""


class Outbox:
    """The mails in one box of `postroom_memory`, in the order in which they were sent."""

    def __init__(self, kept: "Box") -> None:
        self._box = kept

    @property
    def messages(self) -> "tuple[MailMessage, ...]":
        """The messages so far."""
        return self._box.messages

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> "Iterator[MailMessage]":
        return iter(self.messages)

    def clear(self) -> None:
        """Throw the messages away."""
        self._box.clear()

    @overload
    def assert_sent(
        self,
        *,
        to: str | None = None,
        subject: Pattern | None = None,
        text: Pattern | None = None,
        html: Pattern | None = None,
        count: None = None,
    ) -> "MailMessage": ...

    @overload
    def assert_sent(
        self,
        *,
        to: str | None = None,
        subject: Pattern | None = None,
        text: Pattern | None = None,
        html: Pattern | None = None,
        count: int,
    ) -> "tuple[MailMessage, ...]": ...

    def assert_sent(
        self,
        *,
        to: str | None = None,
        subject: Pattern | None = None,
        text: Pattern | None = None,
        html: Pattern | None = None,
        count: int | None = None,
    ) -> "MailMessage | tuple[MailMessage, ...]":
        """Return the one message that matches; with `count`, the tuple of as many as match.

        Args:
            to: Address of somebody in to, cc or bcc.
            subject: What the subject contains, or a regular expression that finds something in it.
            text: The same of the text part; a message without one does not match.
            html: The same of the HTML part.
            count: How many messages match.

        Raises:
            AssertionError: Another number of messages matches; the text lists recipients and subjects of all.
            MailMessageError: `to` is not an address.
        """
        from postroom import Address  # noqa: PLC0415

        __tracebackhide__ = True  # pytest shows the line of the test
        sent = self.messages
        address = None if to is None else Address.parse(to).spec
        asked = {"subject": subject, "text": text, "html": html}
        wanted = {name: pattern for name, pattern in asked.items() if pattern is not None}
        found = tuple(
            message
            for message in sent
            if (address is None or address in message.recipients)
            and all(_matches(getattr(message, name), pattern) for name, pattern in wanted.items())
        )
        expected = 1 if count is None else count
        if len(found) != expected:
            said = ", ".join(f"{name}={value!r}" for name, value in {"to": address, **wanted}.items() if value)
            raise AssertionError(_listed(f"{len(found)} messages match {said or 'anything'}, not {expected}", sent))
        return found[0] if count is None else found

    def assert_none(self) -> None:
        """Do nothing if no message was sent.

        Raises:
            AssertionError: Some were; the text lists their recipients and subjects.
        """
        __tracebackhide__ = True
        if sent := self.messages:
            raise AssertionError(_listed(f"{len(sent)} messages were sent, not 0", sent))


@pytest.fixture
def mail_outbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    """Keep what this test sends in a box of its own, by the environment, and yield what looks at it.

    A sender that is made from the environment during the test goes into it, from whatever thread it sends.
    """
    from postroom_memory import box, forget  # noqa: PLC0415

    name = f"test-{os.urandom(8).hex()}"
    monkeypatch.setenv("MAIL_TYPE", "memory")
    monkeypatch.setenv("MEMORY_BOX", name)
    if not os.environ.get("MAIL_DEFAULT_SEND_FROM"):
        monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "no-reply@example.com")
    yield Outbox(box(name))
    forget(name)


def _matches(value: str | None, pattern: Pattern) -> bool:
    if value is None:
        return False
    return pattern in value if isinstance(pattern, str) else pattern.search(value) is not None


def _listed(reason: str, sent: "tuple[MailMessage, ...]") -> str:
    """Return the reason with what was sent, a line for each. Bodies stay out of it: they are long, and hold codes."""
    lines = [f"  {message.subject!r} to {', '.join(message.recipients)}" for message in sent]
    return "\n".join([f"{reason}. Sent was:" if lines else f"{reason}. Nothing was sent", *lines])
