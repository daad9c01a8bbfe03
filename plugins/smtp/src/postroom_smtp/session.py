"""One SMTP session up to the login: greeting, EHLO, STARTTLS (RFC 5321, RFC 3207)."""

import ssl

from postroom import MailConnectionError, Step
from postroom_smtp import names
from postroom_smtp.connection import Connection, Deadline, Timeouts
from postroom_smtp.dialogue import Dialogue
from postroom_smtp.extensions import extensions
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.grouping import Grouping
from postroom_smtp.replies import ProtocolError, Reply

_NO_MAIL = 521  # the host accepts no mail at all, RFC 7504; whatever else refuses EHLO may take HELO


class Session(Dialogue):
    """A dialogue with one server that is to have messages."""

    def __init__(self, peer: str, timeouts: Timeouts, connection: Connection, grouping: Grouping | None = None) -> None:
        super().__init__(peer, timeouts, connection)
        self.grouping = grouping or Grouping()
        self.greeting: Reply | None = None
        self.extensions: dict[str, str] = {}
        """What the last EHLO offered, by keyword in capitals."""
        self.messages = 0
        """How many messages have been offered."""
        self.reused = False
        """True once the session has been kept between two messages."""
        self.turn: object = None
        """What the pool has given out along with the session."""
        self.needs_reset = False
        """True if a message was given up, so that RSET must come before the next one."""
        self.pipelines = False
        """True if commands may go before the replies to earlier ones are in (RFC 2920)."""
        self.chunks = False
        """True if a message may go by BDAT (RFC 3030), which then goes with its envelope."""
        self.has_chunked = False
        """True once the server has accepted a message by BDAT: until then, none is put behind another one."""
        self.doubts: list[str] = []
        """What whoever runs the server should change about it, one sentence each."""
        self._no_ehlo: Reply | None = None

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
        self.note("TLS is on")
