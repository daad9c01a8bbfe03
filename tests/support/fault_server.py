"""An SMTP server on loopback that breaks its connections at random moments, and keeps a log of what it has taken."""

import contextlib
import enum
import random
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Self

_HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds until a thread that does not end fails the test
_MESSAGE_ID = re.compile(rb"^Message-ID:\s+(<[^>]+>)", re.MULTILINE | re.IGNORECASE)


class Moment(enum.StrEnum):
    """Where a connection may break."""

    GREETING = "before the greeting"
    REPLY = "behind a reply to a command"
    MIDDLE = "in the middle of a message"
    TAKEN = "when the message is taken, before the reply"
    HALF = "in the middle of the reply to the message"
    VERDICT = "behind the reply to the message"


class Manner(enum.StrEnum):
    """How it breaks."""

    FIN = "closed"
    RST = "reset"
    GOOD_BYE = "421 and closed"


class FaultServer:
    """A server that takes every message, unless the connection breaks first.

    Args:
        extensions: What EHLO offers.
        seed: Of the random numbers. The threads' order is not part of it, so a run is like another, not the same.
        rate: How likely the connection breaks at each moment.
    """

    def __init__(self, extensions: Sequence[str] = (), *, seed: int, rate: float) -> None:
        self.extensions = tuple(extensions)
        self.rate = rate
        self.taken: list[bytes] = []
        """The Message-ID of every message that was taken, in order; complete when the server has ended."""
        self.kills: Counter[tuple[Moment, Manner]] = Counter()
        """How often a connection was broken, where and how."""
        self.connections = 0
        self.host = _HOST
        self.lock = threading.Lock()
        self._random = random.Random(seed)
        self._ended = False
        self._dialogues: list[_Dialogue] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="FaultServer")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        socket.create_connection((self.host, self.port)).close()
        self._thread.join(_PATIENCE)
        for dialogue in self._dialogues:
            dialogue.interrupt()
        for dialogue in self._dialogues:
            dialogue.thread.join(_PATIENCE)
            assert not dialogue.thread.is_alive()
        self._listener.close()

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings by field name that lead here, with `more` on top."""
        return {"server": self.host, "port": self.port, **more}

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._ended:
                sock.close()
                return
            self.connections += 1
            dialogue = _Dialogue(self, sock, random.Random(self._random.random()))
            self._dialogues.append(dialogue)
            dialogue.thread.start()


class _Over(Exception):  # noqa: N818  it is no error
    """The dialogue is over."""


class _Dialogue:
    """One connection, in a thread of its own."""

    def __init__(self, server: FaultServer, sock: socket.socket, dice: random.Random) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = server
        self._sock = sock
        self._dice = dice
        self._buffer = bytearray()
        self._begun = False
        self.thread = threading.Thread(target=self._run, name="FaultServer's dialogue")

    def interrupt(self) -> None:
        """Make whatever the thread does with the socket fail."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            with contextlib.suppress(_Over, OSError):
                self._converse()
        finally:
            self._sock.close()

    def _converse(self) -> None:
        self._perhaps(Moment.GREETING)
        self._sock.sendall(b"220 fault ESMTP\r\n")
        while True:
            verb, _, words = self._line().partition(b" ")
            match verb.upper():
                case b"EHLO":
                    self._reply(
                        "\r\n".join(["250-fault", *(f"250-{each}" for each in self._server.extensions), "250 "])
                    )
                case b"MAIL":
                    self._reply("503 nested MAIL" if self._begun else "250 ok")
                    self._begun = True
                case b"RSET":
                    self._begun = False
                    self._reply("250 ok")
                case b"RCPT":
                    self._reply("250 ok" if self._begun else "503 MAIL first")
                case b"DATA":
                    self._data()
                case b"BDAT":
                    self._chunk(int(words.split()[0]))
                case b"QUIT":
                    self._sock.sendall(b"221 bye\r\n")
                    return
                case _:
                    self._reply("500 what?")

    def _data(self) -> None:
        if not self._begun:
            self._reply("503 MAIL first")
            return
        self._reply("354 go on")
        breaks = self._breaks()
        searched = 0
        while (end := self._buffer.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(self._buffer) - len(b"\r\n.\r"))
            self._receive()
            if breaks:
                self._kill(Moment.MIDDLE)
        content = bytes(self._buffer[: end + 2])
        del self._buffer[: end + len(b"\r\n.\r\n")]
        if breaks:
            self._kill(Moment.MIDDLE)
        self._take(content)

    def _chunk(self, size: int) -> None:
        breaks = self._dice.randrange(size) if self._breaks() else size
        while len(self._buffer) < size:
            if len(self._buffer) >= breaks:
                break
            self._receive()
        if breaks < size:
            self._kill(Moment.MIDDLE)
        content = bytes(self._buffer[:size])
        del self._buffer[:size]
        if self._begun:
            self._take(content)
        else:
            self._reply("503 MAIL first")

    def _take(self, content: bytes) -> None:
        found = _MESSAGE_ID.search(content)
        assert found is not None
        with self._server.lock:
            self._server.taken.append(found[1])
        self._begun = False
        self._perhaps(Moment.TAKEN)
        if self._breaks():
            self._sock.sendall(b"250 2.0")
            self._kill(Moment.HALF)
        self._sock.sendall(b"250 2.0.0 taken\r\n")
        self._perhaps(Moment.VERDICT)

    def _reply(self, text: str) -> None:
        self._sock.sendall(f"{text}\r\n".encode())
        self._perhaps(Moment.REPLY)

    def _perhaps(self, moment: Moment) -> None:
        if self._breaks():
            self._kill(moment)

    def _breaks(self) -> bool:
        return self._dice.random() < self._server.rate

    def _kill(self, moment: Moment) -> None:
        # Behind half a reply, and in a message that has no reply yet, 421 would be a verdict.
        manner = self._dice.choice([*Manner] if moment in (Moment.REPLY, Moment.VERDICT) else [Manner.FIN, Manner.RST])
        with self._server.lock:
            self._server.kills[moment, manner] += 1
        match manner:
            case Manner.RST:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Manner.FIN:
                self._sock.shutdown(socket.SHUT_WR)
            case Manner.GOOD_BYE:
                self._sock.sendall(b"421 4.3.2 closing\r\n")
        raise _Over

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return bytes(line).removesuffix(b"\r")

    def _receive(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise _Over
        self._buffer += data
