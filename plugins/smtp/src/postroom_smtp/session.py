"""One SMTP dialogue up to the login: greeting, EHLO, STARTTLS, and the way every command goes (RFC 5321, RFC 3207)."""

import contextlib
import logging
import re
import ssl
import time

from postroom import MailConnectionError, Step
from postroom_smtp import names
from postroom_smtp.connection import Connection, Deadline, Timeouts
from postroom_smtp.extensions import extensions
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.grouping import Grouping
from postroom_smtp.replies import ProtocolError, Reply, clean, conceal, read_reply

_log = logging.getLogger("postroom.smtp.session")
_FORBIDDEN = re.compile(r"[\r\n\x00]")
_NO_MAIL = 521  # the host accepts no mail at all, RFC 7504; whatever else refuses EHLO may take HELO


class Session:
    """A dialogue with one server.

    `stage` says how far the last command has come, so that whoever catches an exception knows what failed.
    """

    def __init__(self, peer: str, timeouts: Timeouts, connection: Connection, grouping: Grouping | None = None) -> None:
        self.peer = peer
        self.timeouts = timeouts
        self.grouping = grouping or Grouping()
        self.stage = Stage.GREETING
        self.greeting: Reply | None = None
        self.extensions: dict[str, str] = {}
        """What the last EHLO offered, by keyword in capitals."""
        self.messages = 0
        """How many messages have been offered."""
        self.reused = False
        """True once the session has been kept between two messages."""
        self.owed = 1
        """How many replies are to come, the greeting first; counted before a command is written, and behind a reply."""
        self.turn: object = None
        """What the pool has given out along with the session."""
        self.needs_reset = False
        """True if a message was given up, so that RSET must come before the next one."""
        self.closing = False
        """True if no further message may go over it: the server closes it (421), or it broke within a message."""
        self.used_at = time.monotonic()
        """When the last reply came, on the monotonic clock."""
        self.pipelines = False
        """True if commands may go before the replies to earlier ones are in (RFC 2920)."""
        self.chunks = False
        """True if a message may go by BDAT (RFC 3030), which then goes with its envelope."""
        self.has_chunked = False
        """True once the server has accepted a message by BDAT: until then, none is put behind another one."""
        self.doubts: list[str] = []
        """What whoever runs the server should change about it, one sentence each."""
        self._connection = connection
        self._no_ehlo: Reply | None = None
        self._hidden: list[str] = []

    @property
    def encrypted(self) -> bool:
        """True once TLS is on."""
        return self._connection.encrypted

    @property
    def address(self) -> str:
        """The server's address."""
        return self._connection.remote_address

    @property
    def tls_step(self) -> Step:
        """What TLS, which is on, has agreed on."""
        return self._connection.tls_step

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        """What a later session may resume."""
        return self._connection.tls_session

    def begin(self, deadline: Deadline) -> None:
        """Give the session to a send that must be over by `deadline`."""
        self._connection.deadline = deadline

    def greet(self) -> None:
        """Read the greeting.

        Raises:
            MailSendError: The server does not want us.
        """
        self.greeting = self.read(Stage.GREETING)
        if not self.greeting.positive:
            raise from_reply(self.greeting, Stage.GREETING, self.peer)

    def ehlo(self, local_hostname: str | None) -> None:
        """Say EHLO and keep what the server offers; what it offered before is forgotten.

        Raises:
            MailSendError: The server refuses EHLO, and HELO as well (RFC 5321 section 4.1.4).
        """
        name = local_hostname or names.own_name() or names.literal(self._connection.local_address)
        self.extensions = {}
        reply = self.command(Stage.EHLO, f"EHLO {name}")
        self._no_ehlo = None if reply.positive else reply
        if reply.code // 100 == 5 and reply.code != _NO_MAIL:
            reply = self.command(Stage.EHLO, f"HELO {name}")
        if not reply.positive:
            raise from_reply(reply, Stage.EHLO, self.peer)
        if self._no_ehlo is None:
            self.extensions = extensions(reply)
        self.pipelines = self.grouping.pipelining and "PIPELINING" in self.extensions
        self.chunks = self.pipelines and self.grouping.chunking and "CHUNKING" in self.extensions

    def require_ehlo(self) -> None:
        """Make sure that what is not offered is missing for no other reason than that the server does not have it.

        Raises:
            MailSendError: The server has refused EHLO, to which alone it offers anything.
        """
        if self._no_ehlo is not None:
            raise from_reply(self._no_ehlo, Stage.EHLO, self.peer)

    def start_tls(self, context: ssl.SSLContext, hostname: str, resume: ssl.SSLSession | None = None) -> None:
        """Switch to TLS, or fail: a session never goes on in plain text. What the server offered before is forgotten.

        Raises:
            MailSendError: The server does not offer STARTTLS, or refuses it.
            ProtocolError: Text came behind its 220, which somebody may have injected.
        """
        if "STARTTLS" not in self.extensions:
            self.require_ehlo()
            raise MailConnectionError(
                f"{self.peer} does not offer STARTTLS",
                stage=str(Stage.STARTTLS),
            )
        reply = self.command(Stage.STARTTLS, "STARTTLS")
        if reply.code != 220:
            raise from_reply(reply, Stage.STARTTLS, self.peer)
        if self._connection.has_input():
            raise ProtocolError("text follows the reply to STARTTLS, perhaps injected")
        self.wrap(context, hostname, resume)
        self.extensions = {}

    def wrap(self, context: ssl.SSLContext, hostname: str, resume: ssl.SSLSession | None = None) -> None:
        """Do the TLS handshake."""
        self.stage = Stage.TLS
        self._connection.start_tls(context, hostname, self.timeouts.connect, resume)
        _log.debug("%s TLS is on", self.peer)

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
        """True if more replies have been read than commands were written; a farewell (421) is none of them."""
        return self.owed == 0 and self._connection.has_line_but(b"421")

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
