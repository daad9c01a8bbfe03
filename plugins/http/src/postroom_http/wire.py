"""What comes on an HTTP connection: answers, each read until the deadline, without interim ones and without surplus."""

import contextlib
import http.client
import io
import math
import socket
import time
from contextvars import ContextVar
from typing import Any

_LONGEST = 86_400.0  # seconds; a deadline is no longer, and no socket waits without end
_INTERIM = 20  # interim answers that are read over; servers send one or two

# When the request that this thread, or greenlet, makes must be over. Each request sets it anew: nothing that comes from
# outside between two lines can leave an old one behind.
_until: ContextVar[float] = ContextVar("until", default=math.inf)


def end_at(moment: float) -> None:
    """Let all waiting for the network, in requests from here on, end at a moment on the clock of `time.monotonic`."""
    _until.set(moment)


def left() -> float:
    """Return the seconds until then.

    Raises:
        TimeoutError: It is over.
    """
    seconds = min(_until.get() - time.monotonic(), _LONGEST)
    if seconds <= 0:  # zero would make a socket non-blocking
        raise TimeoutError("timed out")
    return seconds


class _Input(io.RawIOBase):
    """What comes on a socket, each read within its time-out and the deadline."""

    def __init__(self, sock: socket.socket, early: bytes) -> None:
        self.sock = sock
        self.over = False
        self._early = early
        self._octets = sock.makefile("rb", buffering=0)
        self._seconds = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._early:
            size = min(len(buffer), len(self._early))
            buffer[:size], self._early = self._early[:size], self._early[size:]
            return size
        if self.over:
            return 0
        self.sock.settimeout(left() if self._seconds is None else min(left(), self._seconds))
        return self._octets.readinto(buffer)

    def close(self) -> None:
        super().close()
        self._octets.close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what `http.client` reads an answer from."""
        return _Reader(self)


class _Reader(io.BufferedReader):
    raw: _Input

    def close(self) -> None:
        """Close it. A socket on which more has come than the answer is shut, so no pool takes it for a good one."""
        try:
            if not self.closed and self._has_more():
                with contextlib.suppress(OSError):
                    self.raw.sock.shutdown(socket.SHUT_RDWR)
        finally:
            super().close()

    def _has_more(self) -> bool:
        self.raw.over = True  # what is not here is not waited for
        return bool(self.peek(1))


class Response(http.client.HTTPResponse):
    """An answer. `early` is what of it has come before the whole request had left."""

    def __init__(self, sock: Any, *args: Any, early: bytes = b"", **options: Any) -> None:
        super().__init__(_Input(sock, early), *args, **options)  # type: ignore[arg-type]  # it needs makefile() only

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status >= 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {_INTERIM} interim answers")
