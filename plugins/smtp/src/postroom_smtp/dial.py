"""Opening a session: connect, TLS as the settings say, EHLO, login; each failure with its stage."""

import ssl
from collections.abc import Callable, Generator

from postroom import MailError
from postroom_smtp import tls
from postroom_smtp.connection import AddressInfo, Connection, Deadline, Timeouts, resolve
from postroom_smtp.failures import Stage, from_exception
from postroom_smtp.grouping import Grouping
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session
from postroom_smtp.settings import SmtpSettings

Login = Callable[[Session], None]
"""Logs in on a session that is ready for it, or raises `MailAuthError`."""

Found = list[AddressInfo] | Session
"""What there is after a step: the addresses of the server, and then a session."""


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
        self._timeouts = Timeouts.all(settings.timeout) if settings.timeout is not None else Timeouts()
        self._contexts: list[ssl.SSLContext] = []
        self._resume: ssl.SSLSession | None = None
        self._grouping = Grouping.of(settings.pipelining)

    def open(self, deadline: Deadline) -> Session:
        """Open a session that is ready for a message.

        Raises:
            MailSendError: It cannot be opened; the stage says why.
        """
        steps = self.steps(deadline, self._timeouts)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                session: Session = end.value
                return session

    def steps(self, deadline: Deadline, timeouts: Timeouts) -> Generator[tuple[Stage, Found], None, Session]:
        """Open a session, and yield after each step which it was, and what there is now.

        Raises:
            MailSendError: The next step failed; the stage says why.
        """
        settings, stage = self._settings, Stage.DNS
        context = self._context if settings.mode != "none" else None
        session: Session | None = None
        try:
            found = resolve(settings.server, settings.port)
            yield stage, found
            stage = Stage.CONNECT
            connection = Connection.open(found, timeouts.connect, deadline)
            session = Session(self.peer, timeouts, connection, self._grouping)
            yield stage, session
            if context is not None and settings.mode == "implicit":
                session.wrap(context, settings.tls_name, self._resume)
                yield session.stage, session
            session.greet()
            yield session.stage, session
            session.ehlo(settings.local_hostname)
            if context is not None and settings.mode == "starttls":
                session.start_tls(context, settings.tls_name, self._resume)
                yield session.stage, session
                session.ehlo(settings.local_hostname)
            yield session.stage, session
            if self._login is not None:
                self._login(session)
                yield session.stage, session
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
