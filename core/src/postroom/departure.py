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
        self._left: dict[str, int] = {}

    def __call__(self, message: MailMessage) -> None:
        """Remember that the last octet of a message is about to leave."""
        self._left[message.id] = self._left.get(message.id, 0) + 1

    def outcome(self, message: MailMessage) -> Outcome:
        """Return what is known of a message that has no result: without the transport's word, it may have left."""
        return Outcome.UNKNOWN if not self._told or self._left.get(message.id) else Outcome.NOT_SENT

    def forget(self, message: MailMessage) -> None:
        """Take an accepted message out. What is not accepted stays, since the same message may be on its way again."""
        count = self._left.pop(message.id, 0)
        if count > 1:
            self._left[message.id] = count - 1


def tells(call: Callable[..., object]) -> bool:
    """Return True if a method of a transport takes an argument `leaving`."""
    try:
        return "leaving" in inspect.signature(call).parameters
    except (TypeError, ValueError):  # it is no Python function
        return False
