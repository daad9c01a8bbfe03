"""From raw values, most of them text from an environment, to the types that settings are annotated with."""

import math
import types
import typing
from collections.abc import Callable
from typing import Literal

import attrs

from postroom.secret import Secret

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


@attrs.frozen
class Reader:
    """How to read a value of one type."""

    says: str
    """How to write a value, for people."""
    read: Callable[[object], object]
    """Takes a raw value. Raises ValueError; its text is never shown, since it may quote the value."""
    empty: object
    """Stands in for a value that cannot be read."""

    @property
    def secret(self) -> bool:
        """True if the value is hidden everywhere."""
        return isinstance(self.empty, Secret)


def reader_for(field: str, hint: object) -> Reader:
    """Return how to read a value of the annotated type."""
    kinds = [hint]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [each for each in typing.get_args(hint) if each is not type(None)]
    choices = typing.get_args(kinds[0]) if typing.get_origin(kinds[0]) is Literal else ()
    if len(kinds) == 1 and choices and all(isinstance(choice, str) for choice in choices):
        return Reader(f"one of {', '.join(choices)}", lambda raw: _read_choice(raw, choices), choices[0])
    if len(kinds) == 1 and kinds[0] in _READERS:
        return _READERS[kinds[0]]
    known = "str, int, float, bool, Secret or a Literal of strings, each optionally | None"
    raise TypeError(f"settings field {field!r} is annotated with {hint}, not with {known}")


def _read_text(raw: object) -> str:
    # Blanks around a value come from files and consoles, never from intent. Secrets are left alone.
    if isinstance(raw, bool | int | float | str):
        return str(raw).strip()
    raise ValueError


def _read_secret(raw: object) -> Secret:
    if isinstance(raw, str | Secret):
        return Secret(raw)
    raise ValueError


def _read_int(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError
    return int(_western(raw))


def _read_float(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError
    value = float(_western(raw))
    if not math.isfinite(value):
        raise ValueError
    return value


def _western(raw: float | str) -> float | str:
    """Refuse text that only Python takes for a number: with digits of other scripts, or with underscores."""
    if isinstance(raw, str) and (not raw.strip().isascii() or "_" in raw):
        raise ValueError
    return raw


def _read_bool(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, int | str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _read_choice(raw: object, choices: tuple[str, ...]) -> str:
    word = _read_text(raw).lower()
    for choice in choices:
        if choice.lower() == word:
            return choice
    raise ValueError


_READERS: dict[object, Reader] = {
    str: Reader("text", _read_text, ""),
    Secret: Reader("text", _read_secret, Secret("")),
    int: Reader("a whole number", _read_int, 0),
    float: Reader("a number", _read_float, 0.0),
    bool: Reader("true or false", _read_bool, False),
}
