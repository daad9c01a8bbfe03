"""The connections of one sender: a bounded number, the one used last first, none shared by two threads or processes."""

import contextlib
import os
import queue
import time
import weakref
from collections.abc import Callable

from postroom_smtp.connection import Deadline
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session

Open = Callable[[Deadline], Session]
"""Opens a session that is ready for a message."""


class _Share:
    """What one process has of a pool."""

    def __init__(self, size: int) -> None:
        self.turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(size):
            self.turns.put(None)
        self.kept: list[Session] = []  # the last one was used last; its methods are atomic
        self.used: set[Session] = set()

    def abandon(self) -> None:
        """Close every connection without a word to the server."""
        for session in [*self.kept, *self.used]:
            session.close()
        self.kept.clear()


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
        share = self._share()
        try:
            share.turns.get(timeout=deadline.left())
        except queue.Empty:
            raise TimeoutError("no connection became free") from None
        try:
            session = self._recent(share.kept)
            if new and session is not None:
                _end(session)
                session = None
            if session is None:
                session = self._open(deadline)
            share.used.add(session)
        except BaseException:
            share.turns.put(None)
            raise
        return session

    def is_full(self, session: Session) -> bool:
        """Return True if no further message may begin on the session."""
        return session.closing or session.messages >= self._most

    def give(self, session: Session) -> None:
        """Take a session back, and keep it if it is good for another message."""
        share = self._share()
        if session not in share.used:  # a copy of the parent's
            session.close()
            return
        share.used.remove(session)
        try:
            if self._idle > 0 and not self.is_full(session):
                session.reused = True
                share.kept.append(session)
            else:
                _end(session)
        finally:
            share.turns.put(None)

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
    if not session.closing:
        session.quit()
    session.close()


def _abandon(shares: dict[int, _Share]) -> None:
    for share in shares.values():
        share.abandon()
