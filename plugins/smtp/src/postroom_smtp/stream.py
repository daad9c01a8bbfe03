"""Many messages over one connection, with several on their way at a time where the server allows that.

- CHUNKING and PIPELINING: once the first is accepted, up to ten messages are written before one is answered;
- PIPELINING alone: each message is written together with the envelope of the next one;
- neither: one after the other.

When the connection breaks, the messages without a reply are those at the end: unknown if they had left, and else
offered again on a new connection.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from postroom import MailError, MailSendError, Receipt
from postroom_smtp.job import Job
from postroom_smtp.pool import Pool
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session

_DEPTH = 10  # so many are in doubt at the most, and their replies fit any buffer


class Stream:
    """One run of `deliver_many`.

    Args:
        pool: Where sessions go back to.
        take: Returns a session of the pool, a new one if asked for with True. Raises `MailSendError`.
        renew: Gives a session the deadline of a new message.
    """

    def __init__(self, pool: Pool, take: Callable[[bool], Session], renew: Callable[[Session], None]) -> None:
        self._pool = pool
        self._take = take
        self._renew = renew
        self._session: Session | None = None
        # The caller has the word while messages are taken and results are given, and may send by the same pool then.
        self._lent: object = None
        self._source: Iterator[Job] | None = None
        self._window: deque[Job] = deque()

    def run(self, jobs: Iterable[Job]) -> Iterator[Receipt | MailError]:
        """Yield one result for each message, in order. None is taken before it can be on its way."""
        self._source = iter(jobs)
        try:
            while True:
                self._fill()
                if not self._window:
                    return
                while (result := self._window[0].result) is None:
                    self._step(self._window[0])
                self._window.popleft()
                if not any(job.in_flight for job in self._window):
                    self._leave()  # the caller may send by the same connection
                yield result
        finally:
            self._leave()

    def _fill(self) -> None:
        """Take as many messages as may be on their way together."""
        depth, session = 1, self._session
        if session is not None and session.pipelines:
            # None goes behind the first one by BDAT: what cannot do it would take all of them for commands.
            depth = 2 if not session.chunks else _DEPTH if session.has_chunked else 1
        while self._source is not None and len(self._window) < depth:
            job = next(self._source, None)
            if job is None:
                self._source = None  # it is not asked again
            else:
                self._window.append(job)

    def _step(self, head: Job) -> None:
        """Bring the first message to its result, or to another connection."""
        if self._session is not None and not head.in_flight and self._pool.is_full(self._session):
            self._leave()
        if self._session is None:
            try:
                self._session, self._lent = self._take(head.attempts > 0), self._pool.lend()
            except MailSendError as error:
                for job in self._window:
                    job.result = job.result or copy.copy(error)
                return
            self._fill()
        session = self._session
        self._renew(session)
        try:
            self._begin(session)
            ending = session.closing
            if head.in_flight:
                head.finish(self._follower(session))
            if session.closing and not ending:
                # Whatever comes now is no answer to the messages behind this one.
                self._lose(ConnectionError("the server closes the connection"))
        except (OSError, ProtocolError) as error:
            if not head.in_flight and head.result is None:
                head.broken(error, session)  # it failed before anything of it was written
            self._lose(error)

    def _begin(self, session: Session) -> None:
        """Begin the first message, and those behind it that may be on their way with it."""
        behind = False
        for job in self._window:
            if job.in_flight:
                behind = True
            elif job.result is None:
                if behind and not self._may_follow(job, session):
                    return
                try:
                    job.begin(session, behind=behind)
                except OSError:
                    if not behind:
                        raise
                    session.closing = True  # what was written before may have its replies already
                    return
                behind = True
                if not job.left:
                    return

    def _may_follow(self, job: Job, session: Session) -> bool:
        if self._pool.is_full(session):
            return False
        transaction = job.prepare(session)
        return transaction is None or transaction.goes_in_one_write

    def _follower(self, session: Session) -> Job | None:
        """Return the message behind the first one, where it may begin with the end of that one."""
        if session.chunks or not session.pipelines or self._pool.is_full(session):
            return None
        waiting = (job for job in list(self._window)[1:] if job.result is None)
        follower = next(waiting, None)
        return follower if follower is not None and follower.prepare(session) is not None else None

    def _leave(self) -> None:
        """Give the session back: to the pool if nothing is on its way, else it is good for nothing."""
        if any(job.in_flight for job in self._window):
            self._lose(ConnectionError("given up"))
        elif self._session is not None:
            session, self._session, self._lent = self._session, None, None
            self._pool.give(session)

    def _lose(self, error: Exception) -> None:
        """Give up the session, and with it whatever was on its way."""
        session, self._session, self._lent = self._session, None, None
        if session is None:
            return  # an exception from outside came while it was given up
        self._pool.drop(session)
        for job in self._window:
            if job.in_flight:
                job.broken(error, session)
