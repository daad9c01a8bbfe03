"""Exceptions that come from outside, at any moment, into whatever code is running.

What is no `Exception` passes everywhere: KeyboardInterrupt, and what kills a greenlet. Celery's soft time limit is an
`Exception` that a signal handler raises: it is no failure of the provider in which it happens to come.
"""

from collections.abc import Callable, Iterator
from types import CodeType, TracebackType
from typing import Any


def is_interruption(error: BaseException) -> bool:
    """Return True if a signal handler has raised it."""
    import signal  # noqa: PLC0415  what goes well does not pay for its tables

    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    return any(code in handlers for code in _codes(error.__traceback__))


def came_through(error: BaseException, function: Callable[..., object]) -> bool:
    """Return True if it has passed through a call of `function`."""
    return any(code is _code(function) for code in _codes(error.__traceback__))


def _code(function: Any) -> CodeType | None:
    found = getattr(function, "__code__", None) or getattr(getattr(function, "__call__", None), "__code__", None)  # noqa: B004
    return found if isinstance(found, CodeType) else None


def _codes(trace: TracebackType | None) -> Iterator[CodeType]:
    while trace is not None:
        yield trace.tb_frame.f_code
        trace = trace.tb_next
