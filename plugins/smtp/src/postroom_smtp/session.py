"""One SMTP dialogue up to the login: greeting, EHLO, STARTTLS, and the way every command goes (RFC 5321, RFC 3207)."""

import contextlib
import functools
import logging
import re
import socket
import ssl

import attrs

from postroom import MailConnectionError
from postroom_smtp.connection import Connection
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError, Reply, clean, read_reply

_log = logging.getLogger("postroom.smtp.session")
_NO_EHLO = (500, 502, 504)  # RFC 5321 section 3.2: such a server may still know HELO


@attrs.frozen
class Timeouts:
    """Seconds to wait: for the connection, for the reply to a command, for the reply to the whole message."""

    connect: float = 10.0
    command: float = 30.0
    # A server that is slow to say 250 has often accepted, so giving up early makes doubt (RFC 5321 section 4.5.3.2.6).
    final: float = 120.0


class Session:
    """A dialogue with one server, one command and one reply at a time.

    `stage` always says how far it has come, so that whoever catches an exception knows what became of the message.
    """

    def __init__(self, peer: str, timeouts: Timeouts, connection: Connection) -> None:
        self.peer = peer
        self.timeouts = timeouts
        self.stage = Stage.GREETING
        self.extensions: dict[str, str] = {}
        self._connection = connection
        self._hidden: list[str] = []

    @property
    def encrypted(self) -> bool:
        """True once TLS is on."""
        return self._connection.encrypted

    def greet(self, local_hostname: str | None) -> None:
        """Read the greeting and introduce ourselves.

        Raises:
            MailSendError: The server does not want us.
        """
        reply = self._read(Stage.GREETING)
        if not reply.positive:
            raise from_reply(reply, Stage.GREETING, self.peer)
        self.ehlo(local_hostname)

    def ehlo(self, local_hostname: str | None) -> None:
        """Say EHLO and keep what the server offers; what it offered before is forgotten.

        Raises:
            MailSendError: The server refuses EHLO, and HELO where that may help.
        """
        name = local_hostname or own_name() or f"[{_literal(self._connection.local_address)}]"
        self.extensions = {}
        reply = self.command(Stage.EHLO, f"EHLO {name}")
        if reply.code in _NO_EHLO:
            reply = self.command(Stage.EHLO, f"HELO {name}")
        if not reply.positive:
            raise from_reply(reply, Stage.EHLO, self.peer)
        for line in reply.lines[1:]:
            # Some old servers write "AUTH=LOGIN PLAIN".
            keyword, _, parameters = line.replace("AUTH=", "AUTH ", 1).partition(" ")
            known = self.extensions.get(keyword.upper(), "")
            self.extensions[keyword.upper()] = f"{known} {parameters}".strip()

    def start_tls(self, context: ssl.SSLContext, hostname: str, local_hostname: str | None) -> None:
        """Switch to TLS and say EHLO again, or fail: a session never goes on in plain text.

        Raises:
            MailSendError: The server does not offer STARTTLS, or refuses it.
            ProtocolError: Text came behind its 220, which somebody may have injected.
        """
        if "STARTTLS" not in self.extensions:
            raise MailConnectionError(
                f"{self.peer} does not offer STARTTLS",
                remedy="Nothing was sent in plain text. Use a port with TLS; only SMTP_TLS_MODE=none goes without",
                stage=str(Stage.STARTTLS),
            )
        reply = self.command(Stage.STARTTLS, "STARTTLS")
        if reply.code != 220:
            raise from_reply(reply, Stage.STARTTLS, self.peer)
        if self._connection.has_input():
            raise ProtocolError("text follows the reply to STARTTLS, perhaps injected")
        self.wrap(context, hostname)
        self.ehlo(local_hostname)

    def wrap(self, context: ssl.SSLContext, hostname: str) -> None:
        """Do the TLS handshake."""
        self.stage = Stage.TLS
        self._connection.start_tls(context, hostname, self.timeouts.connect)
        _log.debug("%s TLS is on", self.peer)

    def hide(self, secret: str) -> None:
        """Never show `secret` in a reply again: some servers quote what they were sent."""
        if shown := clean(secret.encode()):
            self._hidden.append(shown)

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
        if re.search(r"[\r\n\x00]", line):  # refused long before; the last lock on the door
            raise ValueError("a command holds a line end")
        self.stage = stage
        self.expect_silence()
        _log.debug("%s -> %s", self.peer, line if shown is None else shown)
        self._connection.write(f"{line}\r\n".encode(), self.timeouts.command)
        return self._read(stage)

    def expect_silence(self) -> None:
        """Make sure that no reply is waiting: a surplus one would be taken for the answer to the next command.

        Raises:
            MailSendError: The server is closing the connection (421).
            ProtocolError: It said something else.
        """
        if self._connection.has_input():
            reply = self._read(self.stage)
            if reply.code == 421:
                raise from_reply(reply, self.stage, self.peer)
            raise ProtocolError(f"a reply that nothing asked for: {reply}")

    def write_body(self, data: bytes) -> None:
        """Write the body, without the final dot.

        Raises:
            MailSendError: The server refused while it was being written.
            OSError: The connection failed.
        """
        self.stage = Stage.BODY
        try:
            self._connection.write(data, self.timeouts.command)
        except OSError:
            # A server that refuses in the middle says why and hangs up; its words are worth more than ours.
            with contextlib.suppress(OSError, ProtocolError):
                self._raise_verdict()
            raise
        if self._connection.has_input():
            self._raise_verdict()
            raise ProtocolError("a reply before the end of the message")

    def write_dot(self) -> Reply:
        """Write the final dot and return the reply to the message. From its first byte on, the outcome is unknown."""
        self.stage = Stage.FINAL
        self._connection.write(b".\r\n", self.timeouts.command)
        return self._read(Stage.FINAL)

    def quit(self) -> None:
        """Say good-bye without waiting for the answer; whatever goes wrong now changes nothing."""
        with contextlib.suppress(OSError):
            self._connection.write(b"QUIT\r\n", self.timeouts.command)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _raise_verdict(self) -> None:
        reply = read_reply(self._connection, min(1.0, self.timeouts.command), self._hidden)
        if reply.code >= 400:
            raise from_reply(reply, Stage.BODY, self.peer)

    def _read(self, stage: Stage) -> Reply:
        timeout = self.timeouts.final if stage is Stage.FINAL else self.timeouts.command
        reply = read_reply(self._connection, timeout, self._hidden)
        _log.debug("%s <- %s", self.peer, reply)
        return reply


@functools.cache
def own_name() -> str | None:
    """Return this host's name if it is a full one, looked up once; None if an address must stand for it."""
    name = socket.gethostname()
    if "." not in name:
        name = socket.getfqdn(name)
    return name if "." in name and re.fullmatch(r"[A-Za-z0-9.-]+", name) else None


def _literal(address: str) -> str:
    return f"IPv6:{address}" if ":" in address else address
