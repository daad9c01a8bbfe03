"""Exceptions that come at any moment: a signal, Celery's soft time limit, another thread, a greenlet that is killed."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

import attrs
import pytest

import postroom
import postroom_smtp
from postroom import DeliveringSender, MailError, MailMessage, MailSendError, Outcome, Receipt
from postroom_testing.smtp import Silence, SmtpServer
from smtp_checks import message, sender

OURS = tuple(str(Path(module.__file__ or "").parent) for module in (postroom, postroom_smtp))
KINDS = {"plain": SmtpServer.EXTENSIONS, "PIPELINING": SmtpServer.PIPELINING, "CHUNKING": SmtpServer.CHUNKING}
POINTS = 250  # at which a send is interrupted, spread over all of its lines


class Interrupted(Exception):  # noqa: N818  as Celery's SoftTimeLimitExceeded
    """Comes from outside."""


class Killed(BaseException):
    """Comes from outside, and is no `Exception`."""


@attrs.define
class Interruption:
    """Raises at the `at`th line of ours that is run, once; counts them all."""

    at: int
    kind: type[BaseException]
    lines: int = 0
    _before: Any = attrs.field(init=False, default=None)

    def __enter__(self) -> Self:
        self._before = sys.gettrace()  # coverage's
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                raise self.kind
        return self._line


def refuse(given: str) -> bytes | None:
    """Refuse recipients whose address says so."""
    return b"550 5.1.1 no\r\n" if "<refused@" in given else None


def numbered(first: int, count: int) -> list[MailMessage]:
    """Return messages that are told apart by their text."""
    return [message(text=f"number {number};") for number in range(first, first + count)]


def send_one(made: DeliveringSender, mails: Sequence[MailMessage]) -> Iterator[Receipt | MailError]:
    """Deliver one after the other."""
    for mail in mails:
        try:
            yield made.deliver(mail)
        except MailError as error:
            yield error


def send_many(made: DeliveringSender, mails: Sequence[MailMessage]) -> Iterator[Receipt | MailError]:
    """Deliver all by one call."""
    return made.deliver_many(mails)


WAYS: dict[str, tuple[Callable[..., Iterator[Receipt | MailError]], int]] = {
    "deliver": (send_one, 1),
    "deliver_many": (send_many, 12),
}


# A socket that is interrupted before anything refers to it is closed by Python, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [Interrupted, Killed])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("extensions", KINDS.values(), ids=KINDS)
def test_an_exception_at_any_line_leaves_true_verdicts_and_a_whole_pool(
    smtp_server: Callable[..., SmtpServer], extensions: tuple[str, ...], way: str, kind: type[BaseException]
) -> None:
    """Nobody gets the verdict of another message, nothing arrives twice, and no turn of the pool is lost."""
    server = smtp_server({"RCPT": refuse}, extensions=extensions)
    send, count = WAYS[way]
    with sender(server.settings(pool_size=2)) as made, Interruption(0, kind) as whole:
        list(send(made, numbered(0, count)))
    verdicts: dict[int, Outcome] = {}
    step = max(1, whole.lines // POINTS)
    for first, at in zip(range(1000, 10**9, 1000), range(1, whole.lines, step), strict=False):
        with sender(server.settings(pool_size=2, timeout=10, deadline=20)) as made:
            if at % 2:
                made.deliver(message(text="a connection to keep"))  # so that half of them begin with a kept one
            mails = numbered(first, count)
            found: list[Receipt | MailError] = []
            with contextlib.suppress(kind), Interruption(at, kind):
                for result in send(made, mails):
                    found.append(result)  # noqa: PERF402  what has come counts, whatever comes then
            verdicts |= {first + number: of(result) for number, result in enumerate(found)}
            refused, *more = made.deliver_many([message(to="refused@example.com"), *numbered(first + 500, 2)])
            assert isinstance(refused, MailSendError)
            assert refused.code == 550
            assert [of(each) for each in more] == [Outcome.ACCEPTED] * 2
            at_once(made, 2)
    assert len(verdicts) > POINTS // 4
    have = [int(each) for body in server.wait().taken for each in re.findall(rb"number (\d+);", body)]
    assert len(have) == len({*have}), "something arrived twice"
    for number, outcome in verdicts.items():
        assert outcome is Outcome.UNKNOWN or (outcome is Outcome.ACCEPTED) == (number in have)


def of(result: Receipt | MailError) -> Outcome:
    """Return what became of a message."""
    assert isinstance(result, Receipt | MailSendError), repr(result)
    return result.outcome


def at_once(made: DeliveringSender, size: int) -> None:
    """Assert that so many threads can have a connection at the same time."""
    pool = made.transport._pool  # type: ignore[attr-defined]
    taken = [pool.take(postroom_smtp.connection.Deadline(5)) for _ in range(size)]
    for session in taken:
        pool.give(session)


SOFT_LIMIT = """
import signal, sys
from postroom import MailMessage, MailSenderFactory

class SoftTimeLimitExceeded(Exception):
    pass

def limit(*_):
    raise SoftTimeLimitExceeded

signal.signal(signal.SIGUSR1, limit)
made = MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": int(sys.argv[1])})
mail = MailMessage("ada@example.com", "Hello", "<p>Hello</p>", "grace@example.com")
print("ready", flush=True)
try:
    list(made.deliver_many([mail] * 3)) if sys.argv[2] == "many" else made.deliver(mail)
except SoftTimeLimitExceeded:
    print("limit", flush=True)
"""


@pytest.mark.parametrize("way", ["one", "many"])
def test_what_a_signal_handler_raises_leaves_as_it_is(smtp_server: Callable[..., SmtpServer], way: str) -> None:
    """Celery's soft time limit is an `Exception`, and no failure of the provider that it interrupts."""
    reached = threading.Event()

    def wait(_: str) -> Silence:
        reached.set()
        return Silence()

    server = smtp_server({".": wait, "BDAT": wait})
    command = [sys.executable, "-c", SOFT_LIMIT, str(server.port), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert reached.wait(20)
            process.send_signal(signal.SIGUSR1)
            output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert output.split() == ["ready", "limit"]
