"""What goes wrong, and how often: drawn from a seed, counted, and switched off at the end."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

_T = TypeVar("_T")
_SLOW = ("silent", "dripped", "unread")  # manners that make the client wait for its time-out

Table = Mapping[str, Callable[[random.Random], _T]]
"""Faults by manner, each made anew when it is drawn."""


class Meeting:
    """Shows that so many messages are at the server at the same time."""

    def __init__(self, count: int, patience: float) -> None:
        self._count = count
        self._patience = patience
        self._here = 0
        self._lock = threading.Lock()
        self._all = threading.Event()

    @property
    def held(self) -> bool:
        """True once they were."""
        return self._all.is_set()

    def attend(self) -> None:
        """Wait for the others, as long as a client would wait."""
        with self._lock:
            self._here += 1
            if self._here >= self._count:
                self._all.set()
        self._all.wait(self._patience)
        with self._lock:
            self._here -= 1


class Faults:
    """The faults of one round. Safe to share between threads, whose order is not part of the seed.

    Args:
        seed: Of the random numbers: a round is like another one with the same seed, not the same.
        rate: How likely something goes wrong at each moment.
    """

    def __init__(self, seed: int, rate: float) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often what has gone wrong, by moment and manner."""
        self.meeting: Meeting | None = None
        """Where each message is taken to before it is answered."""
        self.calm = True
        """True if nothing goes wrong."""
        self._dice = random.Random(seed)
        self._rate = rate
        self._lock = threading.Lock()

    def draw(self, moment: str, table: Table[_T], rate: float | None = None) -> _T | None:
        """Return what goes wrong at this moment; None: nothing. `rate` replaces the usual one."""
        if self.calm:
            return None
        with self._lock:
            if self._dice.random() >= (self._rate if rate is None else rate):
                return None
            weights = [1 if manner.startswith(_SLOW) else 4 for manner in table]
            manner = self._dice.choices([*table], weights)[0]
            self.counts[moment, manner] += 1
            return table[manner](self._dice)

    def meet(self) -> None:
        """Bring a message to the meeting, if there is one."""
        if self.meeting is not None:
            self.meeting.attend()
