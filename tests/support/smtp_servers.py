"""A real SMTP server on loopback that keeps what it gets."""

import asyncio
import math
import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from postroom_testing.listener import LOOPBACK, join


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

    It is a context manager, runs in a thread of its own, listens on a free port, and ends at once on exit.

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
        self.takes = math.inf
        """How many messages are answered; the server is silent to a further one until this number is raised."""
        self.pipelining = pipelining
        self.logins: list[tuple[str, str, str]] = []
        """Mechanism, user name and password of every attempt to log in."""
        self.host = LOOPBACK
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
        join(self._thread)

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
        while len(self._server.messages) >= self._server.takes:
            await asyncio.sleep(0.01)  # cancelled when the client leaves
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
