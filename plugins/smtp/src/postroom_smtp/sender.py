"""The transport of every SMTP provider: one connection for each message, one verdict."""

import contextlib
import functools
import ipaddress
import logging
import ssl
import threading
from collections.abc import Callable, Iterator

from postroom import MailError, MailMessage, MailMessageError, MailTimeoutError, Receipt
from postroom_smtp import tls
from postroom_smtp.connection import Connection, Deadline
from postroom_smtp.failures import Stage, from_exception
from postroom_smtp.mime import render
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session, Timeouts
from postroom_smtp.settings import SmtpSettings
from postroom_smtp.transaction import Envelope, transact

_log = logging.getLogger("postroom.smtp.sender")

Login = Callable[[Session], None]
"""Logs in on a session that is ready for it, or raises `MailAuthError`."""


class SmtpSender:
    """A `Transport` over SMTP.

    Args:
        settings: Where and how to connect.
        provider: Name of the provider, for receipts.
        login: How to log in; None does not.
        connections: How many connections to have at a time; a further message waits for its turn. None: no limit.
    """

    def __init__(
        self, settings: SmtpSettings, provider: str, login: Login | None = None, connections: int | None = None
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._login = login
        self._peer = f"{settings.server}:{settings.port}"
        seconds = settings.timeout
        self._timeouts = Timeouts() if seconds is None else Timeouts(seconds, seconds, seconds)
        self._connections = connections
        self._turns = threading.BoundedSemaphore(connections) if connections else None
        if settings.mode == "none" and login is not None and not _is_local(settings.server):
            _log.warning(
                "%s: the login goes to %s in plain text; set SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true",
                provider,
                self._peer,
            )
        if settings.mode != "none" and not settings.tls_verify:
            _log.warning("%s: SMTP_TLS_VERIFY=false trusts whoever answers for %s", provider, self._peer)

    def deliver(self, message: MailMessage) -> Receipt:
        """Offer the message once, on a connection of its own.

        Raises:
            MailMessageError: The server's limits rule it out.
            MailSendError: With the stage that failed; `UNKNOWN` if that was the final reply.
        """
        if message.from_ is None:
            raise MailMessageError("the message has no sender: set from_")
        envelope = Envelope(message.from_.spec, message.recipients)
        content = render(message)
        with self._session(message.message_id) as session:
            accepted = transact(session, envelope, content)
        return Receipt(
            message_id=message.message_id,
            provider=self._provider,
            provider_id=accepted.reply.text or None,
            accepted=tuple(address for address in envelope.recipients if address not in accepted.refused),
            refused=accepted.refused,
        )

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return True

    def check_connection(self) -> None:
        """Connect, switch to TLS and log in as for a message, and send none.

        Raises:
            MailSendError: One of it failed.
        """
        with self._session(None):
            pass

    def close(self) -> None:
        """Do nothing: no connection outlives its message."""

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        # Loading the system's CAs costs 25 ms, so it happens once, and not at boot.
        return tls.context(self._settings.ca_file, self._settings.tls_verify)

    @contextlib.contextmanager
    def _session(self, message_id: str | None) -> Iterator[Session]:
        """Open a session that is ready for a message; whatever breaks in it becomes the error for its stage."""
        settings, stage = self._settings, Stage.CONNECT
        context = self._context if settings.mode != "none" else None
        deadline = Deadline(settings.deadline)
        session: Session | None = None
        if self._turns is not None and not self._turns.acquire(timeout=settings.deadline):
            raise MailTimeoutError(
                f"no connection to {self._peer} became free in time",
                remedy=f"It takes {self._connections} at a time: send less at once",
                stage=str(stage),
                transient=True,
            )
        try:
            connection = Connection.open(settings.server, settings.port, self._timeouts.connect, deadline)
            session = Session(self._peer, self._timeouts, connection)
            if context is not None and settings.mode == "implicit":
                session.wrap(context, settings.server)
            session.greet(settings.local_hostname)
            if context is not None and settings.mode == "starttls":
                session.start_tls(context, settings.server, settings.local_hostname)
            if self._login is not None:
                self._login(session)
            yield session
            session.quit()
        except MailError:  # first: MailTimeoutError is an OSError
            raise
        except (OSError, ProtocolError) as error:
            stage = session.stage if session is not None else stage
            raise from_exception(error, stage, self._peer, settings.mode, message_id) from error
        finally:
            if session is not None:
                session.close()
            if self._turns is not None:
                self._turns.release()


def _is_local(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return server.lower() == "localhost"
