"""Exceptions from another thread, at random moments: what a soft time limit, a signal or a killed greenlet does."""

import contextlib
import ctypes
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.c_void_p)


class Interrupted(Exception):  # noqa: N818  as Celery's SoftTimeLimitExceeded
    """Comes from outside."""


class Killed(BaseException):
    """Comes from outside, and is no `Exception`."""


KINDS = (Interrupted, Killed)


class Target:
    """A thread that may be interrupted, once in each call of `run`, and nowhere else."""

    def __init__(self) -> None:
        self._thread = 0
        self._armed = False
        self._aimed_at = False

    def run(self, work: Callable[[], object]) -> bool:
        """Do the work in this thread, and return True if something from outside has ended it."""
        self._thread = threading.get_ident()
        try:
            try:
                self._armed = True
                work()
            finally:
                safe = False
                while not safe:
                    with contextlib.suppress(*KINDS):
                        self._disarm()
                        safe = True
        except KINDS:
            return True
        return False

    def shoot(self, kind: type[BaseException]) -> bool:
        """Raise in the thread, if it may be interrupted now. Called by one other thread."""
        # Only `_aimed_at`, then `_armed`: whoever disarms writes and reads them in the other order.
        self._aimed_at = True
        hit = self._armed
        if hit:
            self._armed = False
            _raise_in(self._thread, id(kind))
        self._aimed_at = False
        return hit

    def _disarm(self) -> None:
        self._armed = False
        while self._aimed_at:
            time.sleep(0)
        _raise_in(threading.get_ident(), None)  # what has not come yet does not come


class Disturber:
    """A thread that interrupts others as long as the block runs.

    Args:
        targets: Whom.
        seed: Of the random numbers.
        pause: Seconds between two interruptions on average; None does not interrupt.
    """

    def __init__(self, targets: Sequence[Target], seed: int, pause: float | None) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often it has interrupted, by the kind of exception."""
        self._targets = targets
        self._dice = random.Random(seed)
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disturber", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while self._pause is not None and not self._ended.wait(self._dice.uniform(0, 2 * self._pause)):
            kind = self._dice.choice(KINDS)
            if self._dice.choice(self._targets).shoot(kind):
                self.counts["outside", kind.__name__] += 1
