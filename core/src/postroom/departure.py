"""Which messages have left, as a transport tells it: so core need not guess what became of one that a bug has lost."""

import inspect
from collections.abc import Callable

from postroom.message import MailMessage
from postroom.receipt import Outcome


class Departures:
    """A `Leaving` that remembers.

    Args:
        told: True if it is given to the transport.
    """

    def __init__(self, told: bool) -> None:
        self._told = told
        self._left: dict[str, int] | None = None

    def __call__(self, message: MailMessage) -> None:
        """Remember that the last octet of a message is about to leave."""
        if self._left is None:
            self._left = {message.id: 1}
        else:
            self._left[message.id] = self._left.get(message.id, 0) + 1

    def outcome(self, message: MailMessage) -> Outcome:
        """Return what is known of a message that has no result: without the transport's word, it may have left."""
        left = self._left is not None and message.id in self._left
        return Outcome.UNKNOWN if left or not self._told else Outcome.NOT_SENT

    def forget(self, message: MailMessage) -> None:
        """Take an accepted message out. What is not accepted stays, since the same message may be on its way again."""
        count = self._left.pop(message.id, 0) if self._left is not None else 0
        if self._left is not None and count > 1:
            self._left[message.id] = count - 1


def tells(call: Callable[..., object]) -> bool:
    """Return True if a method of a transport takes an argument `leaving`."""
    try:
        return "leaving" in inspect.signature(call).parameters
    except (TypeError, ValueError):  # it is no Python function
        return False
