"""The transport of every SMTP provider: a pool of sessions, one verdict for each message."""

import logging
from collections.abc import Iterable, Iterator

from postroom import Address, Leaving, MailError, MailMessage, MailTimeoutError, Receipt, Step
from postroom_smtp.connection import Deadline
from postroom_smtp.dial import Dialler, Login
from postroom_smtp.failures import Stage
from postroom_smtp.job import Job
from postroom_smtp.pool import Pool
from postroom_smtp.probing import probe
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session
from postroom_smtp.settings import SmtpSettings
from postroom_smtp.stream import Stream

_log = logging.getLogger("postroom.smtp.sender")


class SmtpSender:
    """A `Transport` over SMTP. Safe to share between threads and greenlets, and across a fork.

    Args:
        settings: Where and how to connect.
        provider: Name of the provider, for receipts.
        login: How to log in; None does not.
        connections: How many connections at a time the server takes at most; None: as many as `pool_size` says.
    """

    def __init__(
        self,
        settings: SmtpSettings,
        provider: str,
        login: Login | None = None,
        connections: int | None = None,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._dialler = Dialler(settings, login)
        self._peer = self._dialler.peer
        self._size = min(settings.pool_size, connections or settings.pool_size)
        self._doubts: set[str] = set()
        self._pool = Pool(self._open, self._size, settings.pool_idle, settings.pool_max_messages)

    def deliver(self, message: MailMessage, *, leaving: Leaving | None = None) -> Receipt:
        """Offer the message, over a connection of the pool.

        A kept connection may be dead without a sign of it. If it fails before the whole message has left, the message
        is offered once more, over a new one. So it is where the server cannot do what it offers, commands in groups
        or BDAT: it has accepted nothing then, and is asked for neither again.

        Raises:
            MailMessageError: The server's limits rule it out.
            MailSendError: With the stage that failed; `UNKNOWN` if the message had left.
        """
        job = self._job(message, leaving)
        deadline = Deadline(self._settings.deadline)
        while job.result is None:
            self._attempt(job, self._take(deadline, new=job.attempts > 0))
        if isinstance(job.result, MailError):
            raise job.result
        return job.result

    def deliver_many(
        self, messages: Iterable[MailMessage], *, leaving: Leaving | None = None
    ) -> Iterator[Receipt | MailError]:
        """Offer messages over one connection, several at a time where the server allows it."""
        seconds = self._settings.deadline
        stream = Stream(
            self._pool,
            take=lambda new: self._take(Deadline(seconds), new=new),
            renew=lambda session: session.begin(Deadline(seconds)),
        )
        return stream.run(self._job(message, leaving) for message in messages)

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return True

    def check_connection(self) -> None:
        """Connect, switch to TLS and log in as for a message, and send none.

        Raises:
            MailSendError: One of it failed.
        """
        self._pool.give(self._take(Deadline(self._settings.deadline), new=True))

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Go the way of a message up to its recipient, over a connection of its own, and send nothing.

        Raises:
            MailSendError: The next step failed.
        """
        return probe(self._dialler, self._settings, sender, recipient)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def _job(self, message: MailMessage, leaving: Leaving | None) -> Job:
        return Job(message, self._provider, self._settings.mode, leaving)

    def _open(self, deadline: Deadline) -> Session:
        session = self._dialler.open(deadline)
        for doubt in session.doubts:
            if doubt not in self._doubts:  # each is said once
                self._doubts.add(doubt)
                _log.warning("mail: %s: %s: %s", self._provider, self._peer, doubt)
        return session

    def _attempt(self, job: Job, session: Session) -> None:
        good = False
        try:
            job.begin(session)
            if job.in_flight:
                job.finish()
            good = True
        except (OSError, ProtocolError) as error:
            job.broken(error, session)
        finally:
            (self._pool.give if good else self._pool.drop)(session)

    def _take(self, deadline: Deadline, *, new: bool) -> Session:
        try:
            session = self._pool.take(deadline, new=new)
        except MailError:  # first: MailTimeoutError is a TimeoutError
            raise
        except TimeoutError:
            raise MailTimeoutError(
                f"none of {self._size} connections to {self._peer} became free in time",
                stage=str(Stage.CONNECT),
                transient=True,
            ) from None
        session.begin(deadline)
        return session
