"""Code of other people, which a distribution brings or an application hands in: one guard around each call into it.

Whatever it raises is its own failure, said in one line, and nobody else's. That includes what ends a process, such as
`SystemExit`: a provider that does not work must not take the application with it.

What comes from outside while it runs passes. An interrupt of the user, a time limit, the end of a greenlet and the end
of a worker mean the caller, not the code that happens to run.
"""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from postroom.errors import MailError
from postroom.interruption import is_interruption
from postroom.traces import forget_locals

_LONGEST = 500  # characters of a foreign text in one of our lines

_T = TypeVar("_T")


def call(
    function: Callable[[], _T],
    broken: Callable[[BaseException], MailError],
    *,
    passing: tuple[type[Exception], ...] = (),
) -> _T:
    """Call foreign code.

    Args:
        function: The code.
        broken: Makes our error from what it raises; `told` and `kind` say what that is.
        passing: What it may raise on purpose.

    Raises:
        MailError: It has failed. The cause is what it has raised, without the values of its local variables.
    """
    try:
        return function()
    except BaseException as error:
        forget_locals(error)
        if isinstance(error, passing) or not is_its_own(error):
            raise
        raise broken(error) from error


def is_its_own(error: BaseException) -> bool:
    """Return True if the code that has failed has raised it; False if it has come from outside.

    `KeyboardInterrupt` always passes: `asyncio.run` raises one of its own for the user's, so nobody can tell the two
    apart. Of other classes that are no `Exception`, what a `raise` statement has raised is the code's own. What comes
    from outside comes between statements, or in a call that waits.
    """
    if isinstance(error, KeyboardInterrupt) or is_interruption(error):
        return False
    return isinstance(error, (Exception, SystemExit)) or _is_cancelled(error) or _is_raised(error.__traceback__)


def told(error: BaseException) -> str:
    """Return the class and the text of a foreign exception, in one printable line. Never raises."""
    try:
        text = printable(str(error))
    except BaseException as second:
        if not is_its_own(second):
            raise
        text = "its text cannot be shown"
    return f"{kind(error)}: {text}"


def kind(value: object) -> str:
    """Return the name of the class of a foreign value, in one printable line. Never raises."""
    name: str = _NAME.__get__(type(value))  # past a metaclass, which may have a name of its own
    return printable(name)


def printable(text: str) -> str:
    """Return a foreign text in one line without control characters: it must not move the cursor of a terminal."""
    line = " ".join(text[: 2 * _LONGEST].split())
    return "".join(char if char.isprintable() else "?" for char in line[:_LONGEST])


_NAME = type.__dict__["__name__"]


def _is_cancelled(error: BaseException) -> bool:
    """Return True if a task of asyncio was cancelled: it waits in code that awaits, and none of that is called here."""
    asyncio = sys.modules.get("asyncio.exceptions")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _is_raised(trace: TracebackType | None) -> bool:
    import opcode  # noqa: PLC0415  only such an exception pays for it

    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == opcode.opmap["RAISE_VARARGS"]
