"""Exceptions that come from outside, at a line of one's choice: as from a signal handler or another thread."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Self

import attrs

from postroom import MailError, MailSendError, Outcome, Receipt


class Interrupted(Exception):  # noqa: N818  as Celery's SoftTimeLimitExceeded
    """Comes from outside."""


class Killed(BaseException):
    """Comes from outside, and is no `Exception`."""


@attrs.define
class Interruption:
    """Raises once, at the `at`th line of some packages that is run, or return; counts them all.

    Between a return and the caller's next line, a lock may be shut that nobody opens.
    """

    at: int
    kind: type[BaseException]
    packages: tuple[str, ...]
    """Their folders."""
    lines: int = 0
    _before: Any = attrs.field(init=False, default=None)

    def __enter__(self) -> Self:
        self._before = sys.gettrace()  # coverage's
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(self.packages) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event in ("line", "return"):
            self.lines += 1
            if self.lines == self.at:
                raise self.kind
        return self._line


def folders(*packages: ModuleType) -> tuple[str, ...]:
    """Return where packages are."""
    return tuple(str(Path(package.__file__ or "").parent) for package in packages)


def points(lines: int, most: int) -> Iterator[int]:
    """Yield lines at which to interrupt: all of them, or `most` that are spread over them."""
    yield from range(1, lines + 1, max(1, lines // most))


def outcome_of(result: Receipt | MailError) -> Outcome:
    """Return what became of a message."""
    assert isinstance(result, Receipt | MailSendError), repr(result)
    return result.outcome
