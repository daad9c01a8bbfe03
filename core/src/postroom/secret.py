"""A value that nobody is shown."""

from typing import NoReturn


class Secret:
    """A string that shows as `***` everywhere and gives its value by `reveal()` alone.

    It cannot be pickled: settings stay in the process that read them.
    """

    __slots__ = ("_value",)

    def __init__(self, value: "str | Secret") -> None:
        self._value: str = value._value if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """Return the value. Call it where the value goes on the wire, and keep no copy."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"  # whatever the width and the type: a log line must not fail because a value is hidden

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: build the sender in the process that uses it")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: build the sender in the process that uses it")
