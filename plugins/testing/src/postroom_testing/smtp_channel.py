"""The octets between an SMTP server and one client: read into a buffer, sent at once or held back, or made to fail."""

import contextlib
import select
import socket
import ssl
import struct
from typing import TYPE_CHECKING

from postroom_testing.smtp_actions import (
    Action,
    Close,
    Drip,
    Endless,
    Pause,
    Read,
    Reset,
    Silence,
    Stall,
    Step,
    steps,
)

if TYPE_CHECKING:
    from postroom_testing.smtp_server import SmtpServer

_END = b".\r\n"  # of a message, at the beginning of a line (RFC 5321 section 4.1.1.4)


class Over(Exception):  # noqa: N818  it is no error
    """The dialogue is over."""


class Channel:
    """One connection to `server`. Each method that reads raises `Over` when the client has gone."""

    def __init__(self, server: "SmtpServer", sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = server
        self._sock = sock
        self._buffer = bytearray()
        self._held: list[bytes] = []
        self._group = bytearray()
        self._replies_left = server.lost_after.pop(0) if server.lost_after else None

    @property
    def in_tls(self) -> bool:
        """Whether TLS is on."""
        return isinstance(self._sock, ssl.SSLSocket)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands as the server. What the client has sent in advance is dropped (RFC 3207 section 4.2)."""
        self._flush()
        self._buffer.clear()
        self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        if self._server.ended.is_set():  # the interruption may have missed the new socket
            raise Over
        try:
            self._sock.do_handshake()
        except OSError as error:
            self._server.tls_failures.append(error)
            raise

    def line(self) -> str:
        """Return the next line without its end; what is not UTF-8 is escaped."""
        while b"\n" not in self._buffer:
            self._flush_in_silence()
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r").decode("utf-8", "backslashreplace")

    def wait_for_octets(self) -> None:
        """Wait until there is something to read."""
        if not self._buffer:
            self._flush()
            self._receive()

    def body(self) -> bytes:
        """Return what comes before the line with nothing but a dot, which is taken away."""
        searched = 0
        while not (self._buffer.startswith(_END) or (end := self._buffer.find(b"\r\n" + _END, searched)) >= 0):
            searched = max(0, len(self._buffer) - len(_END) - 1)  # an end may have come in part
            self._receive()
        end = 0 if self._buffer.startswith(_END) else end + len(b"\r\n")
        return self._take(end, dropped=len(_END))

    def octets(self, size: int) -> bytes:
        """Return so many octets."""
        while len(self._buffer) < size:
            self._receive()
        return self._take(size)

    def perform(self, action: Action) -> None:
        """Do what an action says.

        Raises:
            Over: It ends the dialogue.
            OSError: The client has gone.
        """
        for step in steps(action):
            if not isinstance(step, bytes):
                self._flush()
            self._do(step)

    def interrupt(self) -> None:
        """Make whatever another thread does here fail. The base class's method leaves the TLS state to that thread."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _do(self, step: Step) -> None:
        ended = self._server.ended
        match step:
            case bytes():
                self._send(step)
            case Silence():
                while True:
                    self._receive()
            case Stall():
                ended.wait()
                raise Over
            case Read():
                self._receive()
            case Close():
                raise Over
            case Reset():
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise Over
            case Pause():
                ended.wait(step.seconds)
            case Drip():
                self._drip(step)
            case Endless():
                while not ended.is_set():
                    self._send(step.data)

    def _drip(self, step: Drip) -> None:
        for octet in step.data:
            if self._server.ended.wait(step.interval):
                raise Over
            self._send(bytes([octet]))

    def _send(self, data: bytes) -> None:
        if not data:
            return
        if self._replies_left == 0:
            self.perform(Close())
        if self._replies_left is not None:
            self._replies_left -= 1
        if self._server.hold is None:
            self._sock.sendall(data)
        else:
            self._held.append(data)

    def _flush(self) -> None:
        """Send what was held back."""
        if self._held:
            held, self._held = self._held, []
            self._server.groups.append(bytes(self._group))
            self._group.clear()
            self._sock.sendall(b"".join(held))

    def _flush_in_silence(self) -> None:
        """Send what was held back, if the client seems to wait for it."""
        hold = self._server.hold
        if hold is not None and not select.select([self._sock], [], [], hold)[0]:
            self._flush()

    def _receive(self) -> None:
        data = self._sock.recv(65_536)
        if not data:
            raise Over
        self._buffer += data
        self._group += data
        self._server.record(data)

    def _take(self, size: int, *, dropped: int = 0) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[: size + dropped]
        return taken
