"""When the request that a thread, or greenlet, makes must be over."""

import time
from contextvars import ContextVar

# Each request sets it anew: nothing that comes from outside between two lines can leave an old one behind.
_until: ContextVar[float] = ContextVar("until")


def end_at(moment: float) -> None:
    """Let all waiting for the network, in requests from here on, end at a moment on the clock of `time.monotonic`."""
    _until.set(moment)


def left() -> float:
    """Return the seconds until then.

    Raises:
        TimeoutError: It is over.
    """
    seconds = _until.get() - time.monotonic()
    if seconds <= 0:  # zero would make a socket non-blocking
        raise TimeoutError("timed out")
    return seconds
