"""The way every SMTP command goes, and every reply comes (RFC 5321 section 2.4 and 4.2): logged, counted, in step."""

import contextlib
import logging
import re
import time

from postroom_smtp.connection import Connection, Timeouts
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError, Reply, clean, conceal, read_reply

_log = logging.getLogger("postroom.smtp.session")
_FORBIDDEN = re.compile(r"[\r\n\x00]")
_REPLY = re.compile(rb"[2-5][0-9]{2}")
_FAREWELL = re.compile(rb"421|4[0-9]{2}[ -]4\.4\.2")  # what a server says that hangs up, RFC 5321 section 3.8


class Dialogue:
    """Commands and replies over one connection.

    `stage` says how far the last command has come, so that whoever catches an exception knows what failed.
    """

    def __init__(self, peer: str, timeouts: Timeouts, connection: Connection) -> None:
        self.peer = peer
        self.timeouts = timeouts
        self.stage = Stage.GREETING
        self.owed = 1
        """How many replies are to come, the greeting first; counted before a command is written, and behind a reply."""
        self.closing = False
        """True if no further message may go over it: the server closes it (421), or it broke within a message."""
        self.used_at = time.monotonic()
        """When the last reply came, on the monotonic clock."""
        self._connection = connection
        self._hidden: list[str] = []

    def note(self, what: str) -> None:
        """Say something in the log of the dialogue."""
        _log.debug("%s %s", self.peer, what)

    def hide(self, secret: str) -> None:
        """Never show `secret` in a reply again: some servers quote what they were sent."""
        if shown := clean(secret.encode()):
            self._hidden.append(shown)

    def conceal(self, text: str) -> str:
        """Return what the server has said without the secrets that it may quote."""
        return conceal(text, self._hidden)

    def command(self, stage: Stage, line: str, *, shown: str | None = None) -> Reply:
        """Send one command and return its reply, whatever it says.

        Args:
            stage: Where the dialogue is from now on.
            line: The command without its line end.
            shown: What the log shows in its place, if it holds a secret.

        Raises:
            ProtocolError: The reply is malformed, or the server had spoken unasked.
            OSError: The connection failed.
        """
        self.stage = stage
        self.expect_silence()
        self.send(stage, [line], shown=shown)
        return self.read(stage)

    def send(self, stage: Stage, lines: list[str], *, shown: str | None = None) -> None:
        """Write commands at once. The replies are read later, one for each.

        Args:
            stage: Where the dialogue is from now on.
            lines: Commands without their line ends.
            shown: What the log shows in place of the first, if it holds a secret.

        Raises:
            OSError: The connection failed. The last octet has not left.
        """
        self.stage = stage
        self.write(self.encode(lines, shown=shown))

    def encode(self, lines: list[str], *, shown: str | None = None) -> bytes:
        """Return commands as they go on the wire, where they go next, and log them."""
        if _FORBIDDEN.search("".join(lines)):  # refused long before; the last lock on the door
            raise ValueError("a command holds a line end")
        if _log.isEnabledFor(logging.DEBUG):
            for line in lines if shown is None else [shown, *lines[1:]]:
                _log.debug("%s -> %s", self.peer, line)
        self.owed += len(lines)
        return "\r\n".join([*lines, ""]).encode()

    def write(self, data: bytes) -> None:
        """Write octets of a message.

        Raises:
            OSError: The connection failed. The last octet has not left.
        """
        self._connection.write(data, self.timeouts.command)

    def read(self, stage: Stage, timeout: float | None = None) -> Reply:
        """Read the next reply, whatever it says.

        Args:
            stage: What it is the reply to.
            timeout: Seconds for the whole reply; None takes those of the stage.

        Raises:
            ProtocolError: The reply is malformed.
            OSError: The connection failed.
        """
        self.stage = stage
        if timeout is None:
            timeout = self.timeouts.final if stage is Stage.FINAL else self.timeouts.command
        reply = read_reply(self._connection, timeout, self._hidden)
        self.owed -= 1
        _log.debug("%s <- %s", self.peer, reply)
        self.used_at = time.monotonic()
        self.closing = self.closing or reply.code == 421
        return reply

    @property
    def has_surplus(self) -> bool:
        """True if a further reply has come that nothing asked for; a farewell is none."""
        line = self._connection.next_line if self.owed == 0 else b""
        return bool(line) and _REPLY.match(line) is not None and not _FAREWELL.match(line)

    def has_input(self) -> bool:
        """Return True if a reply has come, without waiting; a `ConnectionError` says that the server has hung up."""
        return self._connection.has_input()

    def expect_silence(self) -> None:
        """Make sure that no reply is waiting: a surplus one would be taken for the answer to the next command.

        Raises:
            MailSendError: The server is closing the connection (421).
            ProtocolError: It said something else.
            ConnectionError: It has closed the connection.
        """
        if self.has_input():
            reply = self.read(self.stage)
            if reply.code == 421:
                raise from_reply(reply, self.stage, self.peer)
            raise ProtocolError(f"a reply that nothing asked for: {reply}")

    def quit(self) -> None:
        """Say good-bye without waiting for the answer; whatever goes wrong now changes nothing."""
        with contextlib.suppress(OSError):
            self._connection.write(b"QUIT\r\n", self.timeouts.command)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
