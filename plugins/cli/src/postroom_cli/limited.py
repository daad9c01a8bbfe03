"""Code of other people in threads of their own, for a limited time: nothing that hangs keeps the command.

The threads are daemons, so the command ends whatever they do.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from postroom import ProviderLoadError, ProviderRegistry

LIMIT = 5.0
"""Seconds for all that are looked at together."""

_Key = TypeVar("_Key")
_T = TypeVar("_T")


def look(at: Iterable[_Key], how: Callable[[_Key], _T], seconds: float = LIMIT) -> dict[_Key, _T | BaseException]:
    """Look at several things at the same time.

    Returns:
        For each what `how` has returned or raised, or a `TimeoutError` if nothing came back.
    """
    done: queue.SimpleQueue[tuple[_Key, _T | BaseException]] = queue.SimpleQueue()

    def run(key: _Key) -> None:
        try:
            done.put((key, how(key)))
        except BaseException as error:  # noqa: BLE001  the user's interrupt comes to the main thread
            done.put((key, error))

    keys = [*at]
    for key in keys:
        threading.Thread(target=run, args=(key,), daemon=True, name="postroom look").start()
    found: dict[_Key, _T | BaseException] = {}
    until = time.monotonic() + seconds
    with contextlib.suppress(queue.Empty):
        while len(found) < len(keys):
            key, result = done.get(timeout=max(0.0, until - time.monotonic()))
            found[key] = result
    return {key: found[key] if key in found else TimeoutError(late(seconds)) for key in keys}


def late(seconds: float = LIMIT) -> str:
    """Return what to say of code that hangs."""
    return f"nothing came back within {seconds:g} seconds"


def loaded(name: str, how: Callable[[], _T], registry: ProviderRegistry, seconds: float = LIMIT) -> _T:
    """Run code of one provider.

    Args:
        name: What was asked for.
        how: What to do.
        registry: Knows which distribution brings it.
        seconds: How long to wait.

    Raises:
        ProviderLoadError: Nothing came back, or it has raised what would end the command.
    """
    result = look([name], lambda _: how(), seconds)[name]
    if not isinstance(result, BaseException):
        return result
    if isinstance(result, Exception) and not isinstance(result, TimeoutError):
        raise result
    said = str(result) if isinstance(result, TimeoutError) else type(result).__name__
    found = registry.registration(" ".join(name.lower().split()))
    where = f" ({found}, {found.value})" if found else ""
    raise ProviderLoadError(
        f"mail type {name}{where} cannot be loaded: {said}",
        name=name,
        distribution=found.distribution if found else None,
    ) from result
