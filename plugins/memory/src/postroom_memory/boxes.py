"""Boxes by name: where the mails of a process are kept until somebody forgets them."""

import threading

from postroom import MailMessage


class Box:
    """The messages that were sent into one box. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: list[MailMessage] = []

    def __repr__(self) -> str:
        return f"<Box with {len(self.messages)} messages>"

    @property
    def messages(self) -> tuple[MailMessage, ...]:
        """The messages so far, in the order in which they were sent."""
        with self._lock:
            return tuple(self._messages)

    def add(self, message: MailMessage) -> None:
        """Put a message behind the others."""
        with self._lock:
            self._messages.append(message)

    def clear(self) -> None:
        """Throw the messages away."""
        with self._lock:
            self._messages.clear()


# The one place in postroom where a module keeps what was sent: the sender that an application makes and the test that
# looks at its mails share nothing but a name, so the boxes are this provider's reason to exist.
_boxes: dict[str, Box] = {}


def box(name: str = "default") -> Box:
    """Return the box of this name, as `MEMORY_BOX` says it; it is made when it is first asked for."""
    # setdefault is atomic, so two first callers get the same box.
    return _boxes.get(name) or _boxes.setdefault(name, Box())


def forget(name: str) -> None:
    """Get rid of a box. Whoever holds it keeps it; a later mail goes into a new one of that name."""
    _boxes.pop(name, None)
