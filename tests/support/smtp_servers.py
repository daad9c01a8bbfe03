"""SMTP servers on loopback: a real one that keeps what it gets, and a scripted one that fails wherever it is told to.

Both are context managers, run in threads of their own, listen on a free port of 127.0.0.1, and end at once on exit.
"""

import asyncio
import contextlib
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import attrs
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_HOST = "127.0.0.1"
_PATIENCE = 10.0  # seconds until a thread that does not end fails the test


@attrs.frozen
class Delivered:
    """A message that a `RealServer` took."""

    mail_from: str
    rcpt_tos: list[str]
    mail_options: list[str]
    """The parameters of MAIL, in capitals."""
    content: bytes
    """As it was before dot-stuffing."""
    user: str | None
    """Who logged in."""
    tls: bool
    client_port: int
    """Of the connection that it came over."""


class RealServer:
    """A real SMTP server (aiosmtpd). What it accepts is in `messages`.

    Args:
        tls: Server context. Without one there is no TLS.
        implicit: TLS from the first byte; False offers STARTTLS and demands it.
        login: User name and password that are demanded before MAIL.
        mechanisms: How to log in.
        smtputf8: Offer SMTPUTF8.
        size_limit: Octets of a message at most.
        refuse: Recipients to refuse, and the reply for each.
        pipelining: Offer PIPELINING.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        smtputf8: bool = True,
        size_limit: int = 2**25,
        refuse: Mapping[str, str] | None = None,
        pipelining: bool = False,
    ) -> None:
        self.messages: list[Delivered] = []
        self.pipelining = pipelining
        self.logins: list[tuple[str, str, str]] = []
        """Mechanism, user name and password of every attempt to log in."""
        self.host = _HOST
        self.port = 0
        self.login = login
        self._without = {"PLAIN", "LOGIN"} - set(mechanisms if login else ())
        self.refuse = dict(refuse or {})
        self._tls = tls
        self._implicit = implicit
        self._smtputf8 = smtputf8
        self._size_limit = size_limit
        self._protocols: list[_SMTP] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        # A client that leaves in the middle is what many tests are about, and nothing to log.
        self._loop.set_exception_handler(lambda *_: None)
        self._server = self._loop.run_until_complete(
            self._loop.create_server(self._make, self.host, 0, ssl=self._tls if self._implicit else None)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="RealServer")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        _join(self._thread)

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings by field name that lead here, with `more` on top."""
        return {"server": self.host, "port": self.port, **more}

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):  # the transports close themselves in the loop's next turns
            await asyncio.sleep(0)

    def _make(self) -> "_SMTP":
        starttls = self._tls is not None and not self._implicit
        protocol = _SMTP(
            _Handler(self),
            hostname="localhost",
            data_size_limit=self._size_limit,
            enable_SMTPUTF8=self._smtputf8,
            tls_context=self._tls if starttls else None,
            require_starttls=starttls,
            auth_require_tls=starttls,
            auth_exclude_mechanism=self._without,
            authenticator=self._authenticate,
            loop=self._loop,
        )
        self._protocols.append(protocol)
        return protocol

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        user, password = given.login.decode(), given.password.decode()
        self.logins.append((mechanism, user, password))
        return AuthResult(success=(user, password) == self.login, handled=False, auth_data=given)


class _Session(Session):
    auth_data: Any
    login_data: Any = None  # the property that it hides logs a deprecation at each login


class _SMTP(SMTP):
    transport: Any

    def _create_session(self) -> Session:
        return _Session(self.loop)


class _Handler:
    """What the server does with a message. The login is demanded here, since aiosmtpd's own way warns without TLS."""

    def __init__(self, server: RealServer) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802  aiosmtpd's name
        self, server: _SMTP, session: _Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], *(["250-PIPELINING"] if self._server.pipelining else []), *responses[1:]]

    async def handle_MAIL(  # noqa: N802
        self, server: _SMTP, session: _Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        if self._server.login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options = mail_options
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: _SMTP, session: _Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address in self._server.refuse:
            return self._server.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: _SMTP, session: _Session, envelope: Envelope) -> str:  # noqa: N802
        assert envelope.mail_from is not None
        assert envelope.original_content is not None
        self._server.messages.append(
            Delivered(
                mail_from=envelope.mail_from,
                rcpt_tos=list(envelope.rcpt_tos),
                mail_options=list(envelope.mail_options),
                content=envelope.original_content,
                user=session.auth_data.login.decode() if session.authenticated else None,
                tls=server.transport.get_extra_info("sslcontext") is not None,
                client_port=server.transport.get_extra_info("peername")[1],
            )
        )
        return f"250 2.0.0 OK queued as {len(self._server.messages)}"


def _join(thread: threading.Thread) -> None:
    thread.join(_PATIENCE)
    assert not thread.is_alive(), f"{thread.name} does not end"


@attrs.frozen
class Silence:
    """Say nothing more, but go on reading."""


@attrs.frozen
class Stall:
    """Neither say nor read anything more, so that the client's writes block in the end."""


@attrs.frozen
class Read:
    """Read what comes, once."""


@attrs.frozen
class Close:
    """Close the connection in good order."""


@attrs.frozen
class Reset:
    """Close the connection with a TCP reset."""


@attrs.frozen
class Pause:
    """Wait."""

    seconds: float


@attrs.frozen
class Drip:
    """Send one octet at a time, each after `interval` seconds."""

    data: bytes
    interval: float = 0.05


@attrs.frozen
class Endless:
    """Send the same again and again until the client is gone."""

    data: bytes


Step = bytes | Silence | Stall | Read | Close | Reset | Pause | Drip | Endless
"""What a server does; octets go out as they are, in one write."""
Action = Step | tuple[Step, ...]
"""What happens at one occurrence of a moment; a tuple is done in its order."""
Decide = Callable[[str], Action | None]
"""Chooses the action by the command or by the body; None goes well."""
Script = Mapping[str, Action | list[Action] | Decide]
"""Moments and what to do at them. A list has one action for each occurrence. What it does not name goes well."""

_SIMPLE = ("EHLO", "HELO", "MAIL", "RCPT", "NOOP", "RSET")
_MOMENTS = {*_SIMPLE, "greeting", "TLS", "STARTTLS", "AUTH", "DATA", "body", ".", "chunk", "BDAT", "QUIT"}


class ScriptedServer:
    r"""A server that follows a script, and where that says nothing accepts everything.

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
    """

    EXTENSIONS = ("SIZE 33554432", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN")
    PIPELINING = (*EXTENSIONS, "PIPELINING")
    CHUNKING = (*PIPELINING, "CHUNKING")

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        extensions: Sequence[str] = EXTENSIONS,
        extensions_in_tls: Sequence[str] | None = None,
        receive_buffer: int | None = None,
        host: str = _HOST,
        hold: float | None = None,
        swallows: bool = True,
        lost_after: Sequence[int] = (),
    ) -> None:
        script = dict(script or {})
        assert script.keys() <= _MOMENTS, f"no such moment: {script.keys() - _MOMENTS}"
        self.commands: list[str] = []
        """Every line outside of bodies, without its line end; octets that are not UTF-8 are escaped."""
        self.bodies: list[bytes] = []
        """Every body as it came: dot-stuffed and without the final dot, or the octets of a chunk."""
        self.taken: list[bytes] = []
        """Those of the bodies that had a recipient and were not refused, whether or not the client got to know that."""
        self.groups: list[bytes] = []
        """With `hold`: what came between two times that replies were sent, so its length counts the turnarounds."""
        self.connections = 0
        self.tls_failures: list[OSError] = []
        """How handshakes failed, seen from here; `ssl.SSLError` is an OSError."""
        self.host = host
        self.tls = tls
        self.implicit = implicit
        self.extensions = tuple(extensions)
        self.extensions_in_tls = self.extensions if extensions_in_tls is None else tuple(extensions_in_tls)
        self.ended = threading.Event()
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
        self._dialogues: list[_Dialogue] = []

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, 0), family=family, backlog=100)
        if self._receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="ScriptedServer")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._wake.send(b"x")
        _join(self._thread)
        for dialogue in self._dialogues:
            dialogue.interrupt()
        for dialogue in self._dialogues:
            _join(dialogue.thread)
        for each in (self._listener, self._wake, self._woken):
            each.close()

    @property
    def received(self) -> bytes:
        """Every octet that came, with TLS taken off where there was a handshake."""
        return bytes(self._octets)

    @property
    def verbs(self) -> list[str]:
        """The first word of every command, in capitals."""
        return [command.partition(" ")[0].upper() for command in self.commands]

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings by field name that lead here, with `more` on top."""
        return {"server": self.host, "port": self.port, **more}

    def wait(self) -> Self:
        """Wait until every client has gone and all that it sent is read. Only then the records are complete."""
        while True:
            with self._lock:  # somebody may have come and gone before he was let in
                if not select.select([self._listener], [], [], 0)[0]:
                    break
            time.sleep(0.001)
        for dialogue in self._dialogues:
            _join(dialogue.thread)
        return self

    def action(self, moment: str, given: str = "") -> Action | None:
        """Return what the script says for this occurrence, which is about `given`; None if nothing."""
        with self._lock:
            actions = self._script.get(moment)
            action = actions.pop(0) if actions else self._always.get(moment)
            return action(given) if callable(action) else action

    def record(self, data: bytes) -> None:
        """Keep what came."""
        self._octets += data

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._woken], [], [])
            if self._woken in ready:
                return
            with self._lock:
                try:
                    sock, _ = self._listener.accept()
                except BlockingIOError:  # the client is gone already
                    continue
                sock.setblocking(True)
                self.connections += 1
                self._dialogues.append(_Dialogue(self, sock))
                self._dialogues[-1].thread.start()


def _refuses(reply: bytes) -> bool:
    return reply[:1] in {b"4", b"5"}


class _Over(Exception):  # noqa: N818  it is no error
    """The dialogue is over."""


class _Dialogue:
    """One connection to a `ScriptedServer`, in a thread of its own."""

    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self._server = server
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._buffer = bytearray()
        self._held: list[bytes] = []
        self._group = bytearray()
        self._left = server.lost_after.pop(0) if server.lost_after else None
        self._sender = False
        self._recipients = 0
        self.thread = threading.Thread(target=self._run, name="ScriptedServer's dialogue")

    def interrupt(self) -> None:
        """Make whatever the thread does with the socket fail. The base class's method leaves the TLS state alone."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            with contextlib.suppress(_Over, OSError):  # the client, or the end of the test
                self._converse()
        finally:
            self._sock.close()

    def _converse(self) -> None:
        if self._server.implicit:
            self._start_tls()
        self._act("greeting", b"220 scripted ESMTP\r\n")
        while True:
            line = self._line()
            verb = line.partition(" ")[0].upper()
            if verb == "MAIL":
                reply = self._act(verb, b"503 nested\r\n" if self._sender else b"250 ok\r\n", line)
                self._sender = self._sender or not _refuses(reply)
            elif verb == "RCPT":
                reply = self._act(verb, b"250 ok\r\n" if self._sender else b"503 no sender\r\n", line)
                self._recipients += not _refuses(reply)
            elif verb in _SIMPLE:
                self._act(verb, self._capabilities() if verb == "EHLO" else b"250 ok\r\n")
                self._sender, self._recipients = False, 0
            elif verb == "STARTTLS":
                if self._act(verb, b"220 go\r\n" if self._server.tls else b"502 not here\r\n").startswith(b"220"):
                    self._start_tls()
            elif verb == "AUTH":
                self._authenticate(line)
            elif verb == "DATA":
                default = b"354 go\r\n" if self._recipients else b"503 no recipient\r\n"
                if re.search(rb"^354", self._act(verb, default), re.MULTILINE):
                    self._take_body()
            elif verb == "BDAT":
                self._take_chunk(int(line.split()[1]))
            elif verb == "QUIT":
                self._act(verb, b"221 bye\r\n")
                return
            else:
                self._send(b"500 what?\r\n")

    def _start_tls(self) -> None:
        server = self._server
        action = server.action("TLS")
        if action is not None:
            self._perform(action)
            raise _Over
        assert server.tls is not None
        self._flush()
        self._buffer.clear()
        self._sock = server.tls.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        if server.ended.is_set():  # the interruption may have missed the new socket
            raise _Over
        try:
            self._sock.do_handshake()
        except OSError as error:
            server.tls_failures.append(error)
            raise

    def _capabilities(self) -> bytes:
        in_tls = isinstance(self._sock, ssl.SSLSocket)
        offered = [*(self._server.extensions_in_tls if in_tls else self._server.extensions)]
        if self._server.tls is not None and not in_tls:
            offered.append("STARTTLS")
        *lines, last = "scripted", *offered
        return "".join([*(f"250-{line}\r\n" for line in lines), f"250 {last}\r\n"]).encode()

    def _authenticate(self, command: str) -> None:
        words = command.split()
        prompts = [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"] if words[1] == "LOGIN" else [b"334 \r\n"]
        replies = iter([*prompts[len(words) - 2 :], b"235 welcome\r\n"])
        while self._act("AUTH", next(replies, b"535 what?\r\n")).startswith(b"334"):
            self._line()

    def _take_body(self) -> None:
        if not self._buffer:
            self._flush()
            self._receive()
        self._act("body", b"")
        searched = 0
        while not (self._buffer.startswith(b".\r\n") or (end := self._buffer.find(b"\r\n.\r\n", searched)) >= 0):
            searched = max(0, len(self._buffer) - len(b"\r\n.\r"))
            self._receive()
        end = 0 if self._buffer.startswith(b".\r\n") else end + len(b"\r\n")
        body = bytes(self._buffer[:end])
        del self._buffer[: end + len(b".\r\n")]
        self._judge(".", body)

    def _take_chunk(self, size: int) -> None:
        self._act("chunk", b"")
        if not self._server.swallows:
            action = self._server.action("BDAT")
            assert action is not None, "the script does not say how the chunk is refused"
            self._sender, self._recipients = False, 0
            self._perform(action)
            return
        while len(self._buffer) < size:
            self._receive()
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._judge("BDAT", body)

    def _judge(self, moment: str, body: bytes) -> None:
        """Say what becomes of a message. It is kept before that, so that a lost reply changes nothing."""
        server = self._server
        server.bodies.append(body)
        action = server.action(moment, body.decode("utf-8", "replace"))
        if action is None:
            action = b"250 2.0.0 taken\r\n" if self._recipients else b"503 no recipient\r\n"
        if self._recipients and not (isinstance(action, bytes) and _refuses(action)):
            server.taken.append(body)
        self._sender, self._recipients = False, 0
        self._perform(action)

    def _act(self, moment: str, default: bytes, given: str = "") -> bytes:
        """Do what the script says, or send the default; return the octets that were sent."""
        action = self._server.action(moment, given)
        return self._perform(default if action is None else action)

    def _perform(self, action: Action) -> bytes:
        steps: tuple[Step, ...] = action if isinstance(action, tuple) else (action,)
        for step in steps:
            self._do(step)
        return b"".join(step for step in steps if isinstance(step, bytes))

    def _do(self, step: Step) -> None:
        ended = self._server.ended
        if not isinstance(step, bytes):
            self._flush()
        match step:
            case bytes():
                self._send(step)
            case Silence():
                while True:
                    self._receive()
            case Stall():
                ended.wait()
                raise _Over
            case Read():
                self._receive()
            case Close():
                raise _Over
            case Reset():
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise _Over
            case Pause():
                ended.wait(step.seconds)
            case Drip():
                for octet in step.data:
                    if ended.wait(step.interval):
                        raise _Over
                    self._send(bytes([octet]))
            case Endless():
                while not ended.is_set():
                    self._send(step.data)

    def _send(self, data: bytes) -> None:
        if not data:
            return
        if self._left == 0:
            self._do(Close())
        if self._left is not None:
            self._left -= 1
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

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            self._flush_in_silence()
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        text = line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        self._server.commands.append(text)
        return text

    def _receive(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise _Over
        self._buffer += data
        self._group += data
        self._server.record(data)
