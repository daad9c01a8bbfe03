"""Tracebacks without the values of local variables.

Error trackers such as Sentry send the local variables of every frame along. Those of a provider, and of the libraries
that it uses, hold passwords, tokens and the text of mails: in a command, a request, a block that could not be written.
"""

import contextlib
import inspect
import sys
from types import FrameType, TracebackType

_CLEARS_ONLY_THE_FINISHED = sys.version_info >= (3, 13)  # before, to clear a generator that waits was to end it


def forget_locals(error: BaseException) -> None:
    """Forget the local variables of every finished call that an exception, its causes and contexts came through.

    The lines of code stay. What only such a variable has kept alive, such as a connection, is released.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        _clear(each.__traceback__)
        todo += [each.__cause__, each.__context__, *(each.exceptions if isinstance(each, BaseExceptionGroup) else ())]


def _clear(trace: TracebackType | None) -> None:
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if _CLEARS_ONLY_THE_FINISHED or not _waits(frame):
            with contextlib.suppress(RuntimeError):  # it is still running, or waits to go on
                frame.clear()


def _waits(frame: FrameType) -> bool:
    """Return True if it is a generator's that has yielded, and may go on."""
    import opcode  # noqa: PLC0415  only an error pays for it

    code = frame.f_code
    return bool(code.co_flags & inspect.CO_GENERATOR) and code.co_code[frame.f_lasti] == opcode.opmap["YIELD_VALUE"]
