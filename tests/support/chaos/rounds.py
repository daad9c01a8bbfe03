"""One round: a server of one kind, one sender, eight threads, and what must hold in the end."""

import contextlib
import faulthandler
import gc
import itertools
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from chaos.faults import Faults, Meeting
from chaos.interrupts import Disturber
from chaos.kinds import KINDS, Kind
from chaos.proxy import CuttingProxy
from chaos.threads import INTERRUPTED, Sending
from postroom import Attachment, DeliveringSender, MailError, MailMessage, MailSenderFactory
from postroom_testing import Certificates

THREADS = 8
ROUND = 120
"""Mails of one sender; the next round begins with a new one, which knows nothing about its server."""
_PATIENCE = 120.0  # seconds until a thread that does not end fails the round
_PAUSE = 0.01  # seconds between two interruptions on average
_ATTEMPTS = 3  # at a message when all is calm: a kept connection may be dead
_numbers = itertools.count()  # a mail of any round has a number of its own


@attrs.define
class Figures:
    """What has happened in the rounds with one kind of server."""

    mails: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    faults: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    again: int = 0
    seconds: float = 0.0

    def add(self, other: "Figures") -> None:
        """Count another round."""
        self.mails += other.mails
        self.outcomes += other.outcomes
        self.faults += other.faults
        self.again += other.again
        self.seconds += other.seconds


def run(name: str, mails: int, seed: int, certificates: Certificates) -> Figures:
    """Send so many mails to servers of a kind, in rounds: with and without a proxy, with and without interruptions.

    Raises:
        AssertionError: Something does not hold. The text has the seed.
    """
    figures, dice = Figures(), random.Random(seed)
    # Coverage has a lock of its own in each thread that it watches, which an exception from outside would leave locked.
    disturbed = sys.gettrace() is None
    for number, start in enumerate(range(0, mails, ROUND)):
        size = min(ROUND, mails - start)
        options = {"proxied": number % 2 == 1, "interrupted": disturbed and number % 4 >= 2}
        round_seed = dice.randrange(2**32)
        try:
            figures.add(_round(KINDS[name], size, round_seed, certificates, **options))
        except AssertionError as error:
            raise AssertionError(f"{name}, seed {seed}, round {number} ({round_seed}, {options}): {error}") from error
    return figures


def _round(
    kind: Kind, count: int, seed: int, certificates: Certificates, *, proxied: bool, interrupted: bool
) -> Figures:
    began = time.monotonic()
    faults = Faults(seed, kind.rate)
    mails = [_mail(faults_dice, kind) for faults_dice in itertools.repeat(random.Random(seed), count)]
    with _nothing_left(), contextlib.ExitStack() as stack:
        server = stack.enter_context(kind.start(faults, certificates))
        proxy = stack.enter_context(CuttingProxy(server.port, faults)) if proxied else None
        where = {"port": proxy.port} if proxy is not None else {}
        limits = {"timeout": kind.timeout, "deadline": kind.deadline}
        made = stack.enter_context(
            MailSenderFactory.create_sender(
                server.provider, server.settings(**kind.settings(certificates), **limits, **where)
            )
        )
        calm = [_mail(random.Random(seed), kind) for _ in range(1 + kind.concurrent)]
        made.deliver(calm[0])  # what is loaded late is loaded now, and not interrupted
        threads = [Sending(made, mails[n::THREADS], together=n % 2 == 1) for n in range(THREADS)]
        faults.calm = False
        disturber = Disturber([each.target for each in threads], seed, _PAUSE if interrupted else None)
        with disturber:
            _run_all(threads)
        faults.calm = True
        _all_at_once(made, calm[1:], faults, kind)
        made.close()
        gc.collect()  # what an interruption has left behind may be in a cycle
        if proxy is not None:
            proxy.wait()
        taken = Counter(server.numbers())
        told: dict[str, str] = {}
        for each in threads:
            told |= each.verdicts.told
        _compare(told, taken, {mail.subject for mail in mails}, {mail.subject for mail in calm})
    return Figures(
        count,
        Counter(told.values()),
        faults.counts + disturber.counts,
        sum(each.verdicts.again for each in threads),
        time.monotonic() - began,
    )


def _mail(dice: random.Random, kind: Kind) -> MailMessage:
    """Return a mail that is small, or, once in 25 times, too large for the buffers of a socket."""
    file = Attachment("film.bin", bytes(kind.largest), "application/octet-stream")
    return MailMessage(
        "ada@example.com",
        f"mail-{next(_numbers)}",
        text="A line.\n.A line with a dot.\n" * dice.randrange(1, 60),
        from_="grace@example.com",
        attachments=[file] if dice.random() < 0.04 else [],
    )


def _run_all(threads: Sequence[Sending]) -> None:
    for thread in threads:
        thread.start()
    _join(threads)
    for thread in threads:
        if thread.failure is not None:
            raise AssertionError(f"{thread.name}: {thread.failure!r}") from thread.failure


def _join(threads: Sequence[threading.Thread]) -> None:
    until = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    hanging = [thread.name for thread in threads if thread.is_alive()]
    if hanging:
        faulthandler.dump_traceback(all_threads=True)
    assert not hanging, f"these hang: {hanging}"


def _all_at_once(made: DeliveringSender, mails: Sequence[MailMessage], faults: Faults, kind: Kind) -> None:
    """Assert that so many sends are at the server at the same time: no connection of the pool is lost for good."""
    meeting = faults.meeting = Meeting(len(mails), kind.timeout * 0.8)
    failures: list[MailError] = []

    def send(mail: MailMessage) -> None:
        for _ in range(_ATTEMPTS):
            try:
                made.deliver(mail)
            except MailError as error:
                failures.append(error)
                if meeting.held:
                    return
            else:
                return

    threads = [threading.Thread(target=send, args=(mail,), name="at once", daemon=True) for mail in mails]
    for thread in threads:
        thread.start()
    _join(threads)
    assert meeting.held, f"{len(mails)} sends were not under way at the same time: {failures}"


def _compare(told: dict[str, str], taken: Counter[str], mails: set[str], calm: set[str]) -> None:
    """Assert that what was told agrees with what the server has taken."""
    assert told.keys() == mails, f"without a verdict: {mails - told.keys()}"
    twice = {each: count for each, count in taken.items() if count > 1 and each in mails}
    assert not twice, f"taken more than once: {twice}, told {[told[each] for each in twice]}"
    lost = [each for each, what in told.items() if what == "accepted" and not taken[each]]
    assert not lost, f"accepted, and the server does not have it: {lost}"
    there = [each for each, what in told.items() if what == "not sent" and taken[each]]
    assert not there, f"not sent, and the server has it: {there}"
    assert taken.keys() <= mails | calm, f"nobody has sent {taken.keys() - mails - calm}"
    assert {*told.values()} <= {"accepted", "not sent", "unknown", INTERRUPTED}
    accepted = sum(what == "accepted" for what in told.values())
    assert accepted > len(mails) / 4, f"only {accepted} of {len(mails)} were accepted"


@contextlib.contextmanager
def _nothing_left() -> Iterator[None]:
    """Assert that the block leaves no thread and no descriptor behind."""
    gc.collect()
    threads, before = threading.active_count(), _descriptors()
    yield
    gc.collect()
    assert threading.active_count() == threads, f"threads left: {threading.enumerate()}"
    left = {number: where for number, where in _descriptors().items() if number not in before}
    assert not left, f"descriptors left: {left}"


def _descriptors() -> dict[str, str]:
    """Return the open descriptors; none where the system does not tell them."""
    found = {}
    for path in Path("/proc/self/fd").iterdir() if Path("/proc/self/fd").is_dir() else ():
        with contextlib.suppress(OSError):  # that of the listing itself
            found[path.name] = os.readlink(path)  # noqa: PTH115  sockets are no paths
    return found
