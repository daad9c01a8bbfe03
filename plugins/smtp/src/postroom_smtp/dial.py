"""Opening a session: connect, TLS as the settings say, EHLO, login; each failure with its stage."""

import ssl
from collections.abc import Callable

from postroom import MailError
from postroom_smtp import tls
from postroom_smtp.connection import Connection, Deadline
from postroom_smtp.failures import Stage, from_exception
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session, Timeouts
from postroom_smtp.settings import SmtpSettings

Login = Callable[[Session], None]
"""Logs in on a session that is ready for it, or raises `MailAuthError`."""


class Dialler:
    """Opens sessions to one server.

    Args:
        settings: Where and how to connect.
        login: How to log in; None does not.
    """

    def __init__(self, settings: SmtpSettings, login: Login | None) -> None:
        self.peer = f"{settings.server}:{settings.port}"
        self._settings = settings
        self._login = login
        seconds = settings.timeout
        self._timeouts = Timeouts() if seconds is None else Timeouts(seconds, seconds, seconds)
        self._contexts: list[ssl.SSLContext] = []
        self._resume: ssl.SSLSession | None = None

    def open(self, deadline: Deadline) -> Session:
        """Open a session that is ready for a message.

        Raises:
            MailSendError: It cannot be opened; the stage says why.
        """
        settings, stage = self._settings, Stage.CONNECT
        context = self._context if settings.mode != "none" else None
        session: Session | None = None
        try:
            connection = Connection.open(settings.server, settings.port, self._timeouts.connect, deadline)
            session = Session(self.peer, self._timeouts, connection)
            if context is not None and settings.mode == "implicit":
                session.wrap(context, settings.server, self._resume)
            session.greet(settings.local_hostname)
            if context is not None and settings.mode == "starttls":
                session.start_tls(context, settings.server, settings.local_hostname, self._resume)
            if self._login is not None:
                self._login(session)
            self._resume = session.tls_session
        except BaseException as error:
            if session is not None:
                stage = session.stage
                session.close()
            if isinstance(error, MailError) or not isinstance(error, OSError | ProtocolError):
                raise  # MailTimeoutError is an OSError
            raise from_exception(error, stage, self.peer, settings.mode, None) from error
        return session

    @property
    def _context(self) -> ssl.SSLContext:
        # Loading the system's CAs costs 25 ms, so it happens once, and not at boot. Threads that come together may each
        # load them, but only the first result counts: a TLS session cannot be resumed with another context. A lock
        # would stay locked in a child process.
        if not self._contexts:
            self._contexts.append(tls.context(self._settings.ca_file, self._settings.tls_verify))
        return self._contexts[0]
