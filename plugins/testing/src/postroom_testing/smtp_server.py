"""An SMTP server on loopback that follows a script, fails wherever it is told to, and records what it gets."""

import socket
import ssl
import threading
from collections.abc import Sequence
from typing import ClassVar, Self

from postroom_testing.listener import LOOPBACK, Listener, join
from postroom_testing.smtp_actions import MOMENTS, Action, Decide, Script
from postroom_testing.smtp_dialogue import Dialogue


class SmtpServer:
    r"""A server that follows a script, and where that says nothing accepts everything.

    It is a context manager, listens on a free port, and ends at once on exit, whatever its clients do.

    `{"RCPT": [b"250 ok\r\n", b"550 no\r\n"], ".": Reset()}` takes the first recipient, refuses the second, takes any
    further one, and resets the connection instead of replying to the message. Occurrences are counted over all
    connections; an action that is not in a list happens at each of them. The moments are the SMTP verbs and

    - `greeting`: somebody has connected;
    - `TLS`: in place of the handshake, after which the connection ends;
    - `AUTH`: the command, and each further line of the dialogue after a 334;
    - `body`: the first octets of a message have come;
    - `.`: the message has ended;
    - `chunk`: a BDAT command has come, and perhaps some of its chunk;
    - `BDAT`: the chunk of a BDAT command has come as a whole.

    It keeps the order of commands: without a sender or a recipient it answers 503, and to MAIL within a transaction.
    A reply to STARTTLS that begins with 220 switches to TLS; a reply to DATA with a line of code 354 begins the body.
    Every login is welcome, and none is demanded.

    Args:
        script: What to do when.
        tls: Server context; with it, STARTTLS is offered.
        implicit: TLS from the first octet.
        extensions: What EHLO offers besides STARTTLS.
        extensions_in_tls: The same once TLS is on; None is no difference.
        receive_buffer: Octets of the socket's receive buffer; a small one makes a client's writes block early.
        host: Where to listen.
        hold: Collect replies, and send them when nothing more has come for so many seconds. None sends each at once.
        swallows: Take the chunk of a BDAT that is refused; False goes on with it as if it were commands.
        lost_after: For each connection in its order, after how many replies, the greeting counted, it is closed.

    Raises:
        ValueError: The script names a moment that there is not.
    """

    EXTENSIONS: ClassVar[tuple[str, ...]] = ("SIZE 33554432", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN")
    PIPELINING: ClassVar[tuple[str, ...]] = (*EXTENSIONS, "PIPELINING")
    CHUNKING: ClassVar[tuple[str, ...]] = (*PIPELINING, "CHUNKING")

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        extensions: Sequence[str] = EXTENSIONS,
        extensions_in_tls: Sequence[str] | None = None,
        receive_buffer: int | None = None,
        host: str = LOOPBACK,
        hold: float | None = None,
        swallows: bool = True,
        lost_after: Sequence[int] = (),
    ) -> None:
        script = dict(script or {})
        unknown = sorted(script.keys() - MOMENTS)
        if unknown:
            raise ValueError(f"no such moment: {', '.join(unknown)}; there are {', '.join(sorted(MOMENTS))}")
        self.commands: list[str] = []
        """Every line outside of bodies, without its line end; octets that are not UTF-8 are escaped."""
        self.bodies: list[bytes] = []
        """Every body as it came: dot-stuffed and without the final dot, or the octets of a chunk."""
        self.taken: list[bytes] = []
        """Those of the bodies that had a recipient and were not refused, whether or not the client got to know that."""
        self.groups: list[bytes] = []
        """With `hold`: what came between two times that replies were sent, so its length counts the turnarounds."""
        self.connections = 0
        """How many clients have connected."""
        self.tls_failures: list[OSError] = []
        """How handshakes failed, seen from here; `ssl.SSLError` is an OSError."""
        self.host = host
        self.port = 0
        """Where it listens, once it is entered."""
        self.tls = tls
        self.implicit = implicit
        self.extensions = tuple(extensions)
        self.extensions_in_tls = self.extensions if extensions_in_tls is None else tuple(extensions_in_tls)
        self.ended = threading.Event()
        """Set on exit."""
        self.hold = hold
        self.swallows = swallows
        self.lost_after = [*lost_after]
        self._octets = bytearray()
        self._script: dict[str, list[Action]] = {}
        self._always: dict[str, Action | Decide] = {}
        for moment, actions in script.items():
            if isinstance(actions, list):
                self._script[moment] = [*actions]
            else:
                self._always[moment] = actions
        self._receive_buffer = receive_buffer
        self._lock = threading.Lock()
        self._dialogues: list[Dialogue] = []

    def __enter__(self) -> Self:
        self._listener = Listener(self.host, self._serve, receive_buffer=self._receive_buffer)
        self.port = self._listener.port
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._listener.close()
        for dialogue in self._dialogues:
            dialogue.interrupt()
        for dialogue in self._dialogues:
            join(dialogue.thread)

    @property
    def received(self) -> bytes:
        """Every octet that came, with TLS taken off where there was a handshake."""
        return bytes(self._octets)

    @property
    def verbs(self) -> list[str]:
        """The first word of every command, in capitals."""
        return [command.partition(" ")[0].upper() for command in self.commands]

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings of an SMTP provider, by field name, that lead here, with `more` on top."""
        return {"server": self.host, "port": self.port, **more}

    def wait(self) -> Self:
        """Wait until every client has gone and all that it sent is read. Only then the records are complete.

        Raises:
            TimeoutError: A client does not go.
        """
        self._listener.wait()
        for dialogue in self._dialogues:
            join(dialogue.thread)
        return self

    def action(self, moment: str, given: str = "") -> Action | None:
        """Return what the script says for this occurrence, which is about `given`; None if nothing.

        It is called once for each occurrence, from the thread of the connection. A subclass may override it, to
        decide by more than a script can say.
        """
        with self._lock:
            actions = self._script.get(moment)
            action = actions.pop(0) if actions else self._always.get(moment)
            return action(given) if callable(action) else action

    def record(self, data: bytes) -> None:
        """Keep what came. Called from the thread of the connection."""
        self._octets += data

    def _serve(self, sock: socket.socket) -> None:
        self.connections += 1
        dialogue = Dialogue(self, sock)
        self._dialogues.append(dialogue)
        dialogue.thread.start()
