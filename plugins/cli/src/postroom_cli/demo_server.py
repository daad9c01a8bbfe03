"""The demo's mail server: a real one on loopback, that takes mail only over TLS and after a login."""

import asyncio
import secrets
import ssl
import threading
from typing import Any, Self

import attrs
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_HOST = "127.0.0.1"


@attrs.frozen
class Arrived:
    """A mail that the server took, and how it came."""

    content: bytes
    sender: str
    recipients: tuple[str, ...]
    """The envelope's: Bcc is among them."""
    tls: str
    """Version and cipher."""
    login: str
    """Who logged in, and how."""


class DemoServer:
    """Runs as long as its `with` block, in a thread of its own. aiosmtpd's Controller cannot take any free port."""

    def __init__(self) -> None:
        self.host = _HOST
        self.port = 0
        self.username = "demo"
        self.password = secrets.token_urlsafe(12)
        self.arrived: list[Arrived] = []
        authority = trustme.CA()
        self.ca = authority.cert_pem.bytes()
        """The authority to trust, as PEM."""
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(_HOST).configure_cert(self.tls)
        self._loop = asyncio.new_event_loop()
        self._connections: list[_Connection] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="postroom demo")

    def __enter__(self) -> Self:
        self._server = self._loop.run_until_complete(self._loop.create_server(self._accept, self.host, 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            await connection.end()

    def _accept(self) -> "_Connection":
        self._connections.append(_Connection(self, self._loop))
        return self._connections[-1]


class _Session(Session):
    auth_data: Any
    login_data: Any = None  # the property that this hides logs a deprecation at each login


class _Connection(SMTP):
    transport: Any  # None once it is lost

    def __init__(self, server: DemoServer, loop: asyncio.AbstractEventLoop) -> None:
        self._lost = asyncio.Event()
        super().__init__(
            _Inbox(server),
            hostname="localhost",
            tls_context=server.tls,
            require_starttls=True,
            auth_required=True,
            authenticator=_Login(server),
            loop=loop,
        )

    def _create_session(self) -> Session:
        return _Session(self.loop)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._lost.set()

    async def end(self) -> None:
        """Close the connection if it is open, and wait until it is."""
        if self.transport is not None:
            self.transport.abort()
        await self._lost.wait()
        assert self._handler_coroutine is not None  # noqa: S101  it was connected
        await asyncio.wait([self._handler_coroutine])


@attrs.frozen
class _Login:
    server: DemoServer

    def __call__(
        self, connection: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        right = LoginPassword(self.server.username.encode(), self.server.password.encode())
        return AuthResult(success=given == right, handled=False, auth_data=f"{self.server.username} ({mechanism})")


@attrs.frozen
class _Inbox:
    server: DemoServer

    async def handle_DATA(self, connection: _Connection, session: _Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        tls = connection.transport.get_extra_info("ssl_object")
        self.server.arrived.append(
            Arrived(
                content=envelope.original_content or b"",
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                tls=f"{tls.version()}, {tls.cipher()[0]}",
                login=session.auth_data,
            )
        )
        return f"250 2.0.0 Ok: queued as demo-{len(self.server.arrived)}"
