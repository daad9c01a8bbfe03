"""A socket with a deadline: bounded reads of lines, writes that cannot hang, TLS put on in place."""

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self

import attrs

from postroom import Step, dial

AddressInfo = tuple[Any, Any, int, str, Any]
"""What `socket.getaddrinfo` gives for one address."""

_LONGEST_LINE = 8192  # octets; RFC 5321 section 4.5.3.1.5 says 512, real servers say more
_BLOCK = 65536  # octets written under one time-out; RFC 5321 section 4.5.3.2.5 times each block of the body


class Deadline:
    """The moment when a whole send must be over, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def after(self, seconds: float) -> float:
        """Return the moment `seconds` from now, or the deadline if that comes first."""
        return min(time.monotonic() + seconds, self._end)

    def left(self) -> float:
        """Return the seconds until then, not less than 0."""
        return max(0.0, self._end - time.monotonic())


@attrs.frozen
class Timeouts:
    """Seconds to wait: for the connection, for the reply to a command, for the reply to the whole message."""

    connect: float = 10.0
    command: float = 30.0
    # A server that is slow to say 250 has often accepted, so giving up early makes doubt (RFC 5321 section 4.5.3.2.6).
    final: float = 120.0

    @classmethod
    def all(cls, seconds: float) -> Self:
        """Return the same time for each."""
        return cls(seconds, seconds, seconds)


class Connection:
    """A connected socket. Every method raises `OSError`, of which `TimeoutError` is one, and knows nothing of SMTP.

    `deadline` is that of the send that has the connection now.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.deadline = deadline
        self.encrypted = False
        self._sock = sock
        self._poll = _poll(sock)
        self._lines: deque[bytes] = deque()
        self._rest = b""

    @classmethod
    def open(cls, found: list[AddressInfo], timeout: float, deadline: Deadline) -> Self:
        """Connect to the first of a host's addresses that answers within `timeout` seconds, shared between them."""
        return cls(dial(found, deadline.after(timeout)), deadline)

    @property
    def remote_address(self) -> str:
        """The server's address on this connection."""
        return str(self._sock.getpeername()[0])

    @property
    def local_address(self) -> str:
        """Our own address on this connection."""
        return str(self._sock.getsockname()[0])

    @property
    def tls_step(self) -> Step:
        """What TLS has agreed on, which is on."""
        assert isinstance(self._sock, ssl.SSLSocket)  # noqa: S101  who asks has put it on
        return Step.of_tls(self._sock)

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        """What a later connection to the same server may resume. With TLS 1.3 it comes with the first data."""
        return self._sock.session if isinstance(self._sock, ssl.SSLSocket) else None

    def start_tls(
        self, context: ssl.SSLContext, hostname: str, timeout: float, resume: ssl.SSLSession | None = None
    ) -> None:
        """Put TLS on the connection and verify the server as `context` says. `resume` is of an earlier connection."""
        self._sock.settimeout(_left(self.deadline.after(timeout)))
        self._sock = context.wrap_socket(self._sock, server_hostname=hostname, session=resume)
        self.encrypted = True

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of `data`, each block within `timeout` seconds."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(_left(self.deadline.after(timeout)))
            view = view[self._sock.send(view[:_BLOCK]) :]

    def read_line(self, until: float) -> bytes:
        """Return the next line without its line end; `until` is a moment on the monotonic clock."""
        while not self._lines:
            if len(self._rest) > _LONGEST_LINE:
                raise ConnectionError("the server sends a line without end")
            self._sock.settimeout(_left(until))
            self._receive()
        return self._lines.popleft().removesuffix(b"\r")

    @property
    def next_line(self) -> bytes:
        """The next line, if it has been read from the network already; else nothing."""
        return self._lines[0] if self._lines else b""

    def has_input(self) -> bool:
        """Return True if the server has sent something that nobody has read. Does not wait.

        Raises:
            ConnectionError: The server has closed the connection.
        """
        if not self._lines and not self._rest and self._is_readable():
            self._sock.settimeout(0)
            try:
                self._receive()
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except TimeoutError as error:
                if error.errno is not None:  # the system's; eventlet's TLS says that there is nothing by one without
                    raise
        return bool(self._lines or self._rest)

    def __del__(self) -> None:
        """Close what nobody refers to any more, as after an exception that came from outside."""
        self.close()

    def close(self) -> None:
        """Close the socket, whatever state it is in."""
        self._sock.close()

    def _is_readable(self) -> bool:
        """Return False if a read would find nothing: asking costs a tenth of a read that fails."""
        if self._poll is None or self._poll(0):
            return True
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def _receive(self) -> None:
        data = self._sock.recv(4096)
        if not data:
            raise ConnectionError("the server closed the connection")
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)


def resolve(host: str, port: int) -> list[AddressInfo]:
    """Return the addresses of a host. This is left to the system's resolver, which has time-outs of its own."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _poll(sock: socket.socket) -> Callable[[int], object] | None:
    """Return what asks whether `sock` has input, or None where the system has no poll()."""
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:  # zero would make the socket non-blocking
        raise TimeoutError("timed out")
    return left
