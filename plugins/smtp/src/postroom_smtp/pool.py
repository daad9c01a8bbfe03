"""The connections of one sender: a bounded number, the one used last first, none shared by two threads or processes.

How many are in use is counted by what is alive, not by statements that must run: an exception may come at any moment,
from a signal handler or another thread, and what it leaves behind is nobody's any more.
"""

import contextlib
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from postroom_smtp.connection import Deadline
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session

Open = Callable[[Deadline], Session]
"""Opens a session that is ready for a message."""

_RECOUNT = 1.0  # seconds after which whoever waits looks anew, since a turn may have come back without a word


class _Turn:
    """The right to have one connection. It comes back when it is given back, or when nothing refers to it."""

    signal: queue.SimpleQueue[None] | None = None
    """What wakes the thread that waits for it."""


class _Lent:
    """A connection in use by a thread that may send by another one meanwhile: it must not wait for itself."""

    __slots__ = ("__weakref__", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()


class _Share:
    """What one process has of a pool. There is no lock that could stay locked: each change is a single call into C."""

    def __init__(self, size: int) -> None:
        self.kept: list[Session] = []  # the last one was used last
        self.used: set[weakref.ref[Session]] = set()
        self.lent: set[weakref.ref[_Lent]] = set()
        self._size = size
        # In the order in which they came; as many as there may be connections have their turn, and the others wait.
        self._turns: dict[weakref.ref[_Turn], None] = {}

    def wait(self, turn: _Turn, deadline: Deadline) -> None:
        """Stand in line, and return when it is the turn's turn.

        Raises:
            TimeoutError: It did not come in time.
        """
        self._turns[weakref.ref(turn, self._turns.pop)] = None
        if len(self._turns) <= self._size:
            return
        turn.signal = queue.SimpleQueue()
        while not self._has_come(turn):
            left = deadline.left()
            if not left:
                raise TimeoutError("no connection became free")
            with contextlib.suppress(queue.Empty):
                turn.signal.get(timeout=min(left, _RECOUNT))

    def end(self, turn: _Turn) -> None:
        """Give a turn back, and wake the next one."""
        self._turns.pop(weakref.ref(turn), None)
        if len(self._turns) >= self._size:
            following = [*self._turns][self._size - 1]()
            if following is not None and following.signal is not None:
                following.signal.put(None)

    def abandon(self) -> None:
        """Close every connection without a word to the server."""
        used = [session for each in self.used.copy() if (session := each()) is not None]
        for session in [*self.kept, *used]:
            session.close()
        self.kept.clear()

    def _has_come(self, turn: _Turn) -> bool:
        before = [*self._turns].index(weakref.ref(turn))
        return before < self._size or before < self._size + self._own()

    def _own(self) -> int:
        """Return how many connections this thread is to come back for: it must not wait for them."""
        thread = threading.get_ident()
        return sum(lent.thread == thread for each in self.lent.copy() if (lent := each()) is not None)


class Pool:
    """Sessions that are kept between messages. It has no thread: what is too old is closed when somebody comes by.

    Args:
        open_: Opens a session.
        size: Connections at a time; a further message waits for its turn.
        idle: Seconds that a session is kept without a message; 0 keeps none.
        most: Messages that go over one connection.
    """

    def __init__(self, open_: Open, size: int, idle: float, most: int) -> None:
        self._open = open_
        self._size = size
        self._idle = idle
        self._most = most
        self._shares: dict[int, _Share] = {}  # by process
        # A pool that nobody closes leaves no socket behind.
        weakref.finalize(self, _abandon, self._shares)

    def take(self, deadline: Deadline, *, new: bool = False) -> Session:
        """Return a session that nobody else has.

        Args:
            deadline: When the send must be over; waiting for a turn counts.
            new: Open one in any case.

        Raises:
            TimeoutError: No connection became free in time.
            MailSendError: None can be opened.
        """
        share, turn = self._share(), _Turn()
        try:
            share.wait(turn, deadline)
            session = self._recent(share.kept)
            if new and session is not None:
                _end(session)
                session = None
            if session is None:
                session = self._open(deadline)
            session.turn = turn
            share.used.add(weakref.ref(session, share.used.discard))
        except BaseException:  # its traceback would keep the turn
            share.end(turn)
            raise
        return session

    def is_full(self, session: Session) -> bool:
        """Return True if no further message may begin on the session."""
        return session.closing or session.messages >= self._most

    def give(self, session: Session) -> None:
        """Take a session back, and keep it if it is good for another message."""
        share, turn = self._share(), session.turn
        mine = weakref.ref(session)
        if mine not in share.used:  # a copy of the parent's
            session.close()
            return
        share.used.discard(mine)
        session.turn = None
        try:
            if self._idle > 0 and not session.owed and not self.is_full(session):
                session.reused = True
                share.kept.append(session)
            else:
                _end(session)
        finally:
            if isinstance(turn, _Turn):
                share.end(turn)

    def lend(self) -> object:
        """Let this thread send by a further session though it holds one, as long as what is returned is kept."""
        share, lent = self._share(), _Lent()
        share.lent.add(weakref.ref(lent, share.lent.discard))
        return lent

    def drop(self, session: Session) -> None:
        """Take back a session that has failed."""
        session.closing = True
        self.give(session)

    def close(self) -> None:
        """Say good-bye on every connection that is not in use. A later message opens a new one."""
        kept = self._share().kept
        while kept:
            with contextlib.suppress(IndexError):  # another thread was faster
                _end(kept.pop())

    def _share(self) -> _Share:
        """Return what this process has. In a child that is nothing: the sessions are copies of its parent's."""
        pid = os.getpid()
        share = self._shares.get(pid)
        if share is None:
            # Several threads may be first. The parent's turns are taken by threads that are not here.
            share = self._shares.setdefault(pid, _Share(self._size))
            for other, inherited in self._shares.copy().items():
                if other != pid:
                    inherited.abandon()
                    self._shares.pop(other, None)
        return share

    def _recent(self, kept: list[Session]) -> Session | None:
        """Return the session that was used last, if it is still good; close all that are too old."""
        oldest = time.monotonic() - self._idle
        for session in kept.copy():
            if session.used_at < oldest:
                with contextlib.suppress(ValueError):  # another thread was faster
                    kept.remove(session)
                    session.close()
        while kept:
            try:
                session = kept.pop()
            except IndexError:  # another thread was faster
                break
            if _is_good(session):
                return session
            session.close()
        return None


def _is_good(session: Session) -> bool:
    """Return False if the server has hung up, or has said something unasked: it costs no round trip to see that."""
    try:
        return not session.has_input()
    except (OSError, ProtocolError):
        return False


def _end(session: Session) -> None:
    if not session.closing and not session.owed:
        session.quit()
    session.close()


def _abandon(shares: dict[int, _Share]) -> None:
    for share in shares.values():
        share.abandon()
