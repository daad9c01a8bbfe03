"""Settings: a frozen attrs class per provider, filled from a raw mapping, with every problem said at once.

A provider derives from `SenderSettings` and annotates its fields with `str`, `int`, `float`, `bool`, `Secret` or a
`Literal` of strings, each optionally `| None`. The same class feeds the environment variables, the docs and the
command line, so nothing is typed twice.
"""

import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import attrs

from postroom.errors import MailSettingsError, SettingProblem


class Lookup(typing.Protocol):
    """A raw configuration that can be asked for one setting by its field name; a dict is one."""

    def get(self, field: str, /) -> object:
        """Return the raw value, or None if it is not set."""
        ...


_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


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

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a Secret is not pickled: build the sender in the process that uses it")


def setting(
    help: str,  # noqa: A002  the field's word
    *,
    env: str | None = None,
    secret: bool = False,
    missing: str | None = None,
) -> dict[str, Any]:
    """Return the metadata of a settings field.

    Args:
        help: What the field is for, for operators; it is printed in the docs and by the command line.
        env: Environment variable that sets it; the provider's prefix and the field's name in capitals when None.
        secret: True hides the value everywhere. Annotate such a field with `Secret`.
        missing: What to say when a field without default is not set; "FIELD is required" when None.
    """
    return {"postroom": {"help": help, "env": env, "secret": secret, "missing": missing}}


@attrs.frozen(kw_only=True)
class SenderSettings:
    """What every provider can be told. Derive from it, and add fields.

    Raises:
        MailSettingsError: The fields contradict each other; see `check`.
    """

    default_from: str | None = attrs.field(
        default=None,
        metadata=setting(
            "sender of messages that name none: an address, or `Name <address>`", env="MAIL_DEFAULT_SEND_FROM"
        ),
    )
    timeout: float | None = attrs.field(
        default=None, metadata=setting("seconds to wait for each step of a send; unset takes the provider's own values")
    )

    def __attrs_post_init__(self) -> None:
        problems = [SettingProblem(field, None, reason) for field, reason in self.check()]
        if problems:
            raise MailSettingsError(type(self).__name__, problems)

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield the name of a field and what is wrong with it, for rules that a type cannot say.

        Override it, and begin with `yield from super().check()`. It does no network I/O. When a field cannot be
        converted, it sees that field's default or an empty value, so that all problems come at once. A reason
        never holds a value.
        """
        if self.timeout is not None and self.timeout <= 0:
            yield "timeout", "timeout must be more than 0 seconds"


Settings = TypeVar("Settings", bound=SenderSettings)


@attrs.frozen
class SettingInfo:
    """What is known about one field of a settings class; the docs and the command line are made of these."""

    field: str
    variable: str
    help: str
    type: str
    """How to write a value: `text`, `number`, `true or false`, or the choices."""
    secret: bool
    required: bool
    missing: str
    """What is said when it is required and not set."""
    default: object
    """The default; None where there is none."""


def describe(settings: type[SenderSettings], prefix: str) -> list[SettingInfo]:
    """Return the fields of a settings class in their order, with the variables that `prefix` gives them."""
    hints = typing.get_type_hints(settings)
    return [
        SettingInfo(
            field=field.name,
            variable=_metadata(field)["env"] or prefix + field.name.upper(),
            help=_metadata(field)["help"],
            type=_reader(hints[field.name]).says,
            secret=_metadata(field)["secret"],
            required=field.default is attrs.NOTHING,
            missing=_metadata(field)["missing"] or f"{_words(field.name)} is required",
            default=None if field.default is attrs.NOTHING else field.default,
        )
        for field in attrs.fields(settings)
    ]


def load(settings: type[Settings], config: Mapping[str, object], *, provider: str, prefix: str) -> Settings:
    """Convert and validate a raw mapping of field names to values. `None` and blank text mean unset.

    Raises:
        MailSettingsError: With every problem: missing, malformed, unknown and contradicting settings.
    """
    known = {info.field: info for info in describe(settings, prefix)}
    hints = typing.get_type_hints(settings)
    problems = [SettingProblem(key, None, _unknown(key, known)) for key in config if key not in known]
    values: dict[str, Any] = {}
    empty: dict[str, Any] = {}  # stands in for what cannot be used, so that check() still sees the rest
    for name, info in known.items():
        reader = _reader(hints[name])
        raw = config.get(name)
        if raw is None or (isinstance(raw, str) and not raw.strip()):
            if info.required:
                problems.append(SettingProblem(name, info.variable, info.missing))
                empty[name] = reader.empty
            continue
        try:
            values[name] = reader.read(raw)
        except ValueError:  # its text could quote the value
            problems.append(SettingProblem(name, info.variable, f"{_words(name)} must be {reader.says}"))
            if info.required:
                empty[name] = reader.empty
    try:
        return _construct(settings, values, empty, problems)
    except MailSettingsError as error:
        broken = {problem.field for problem in problems}
        problems += [
            SettingProblem(problem.field, known[problem.field].variable, problem.reason)
            for problem in error.problems
            if problem.field not in broken
        ]
    raise MailSettingsError(provider, problems)


def _construct(
    settings: type[Settings], values: dict[str, Any], empty: dict[str, Any], problems: list[SettingProblem]
) -> Settings:
    made = settings(**values, **empty)
    if problems:
        raise MailSettingsError(settings.__name__)
    return made


@attrs.frozen
class _Reader:
    says: str
    read: Callable[[object], object]
    empty: object


def _reader(hint: object) -> _Reader:
    """Return how to read a value of the annotated type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (each for each in typing.get_args(hint) if each is not type(None))
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        return _Reader(f"one of {', '.join(choices)}", lambda raw: _read_choice(raw, choices), choices[0])
    return _READERS[hint]


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
    return int(raw)


def _read_float(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError
    return value


def _read_bool(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, int | str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _read_choice(raw: object, choices: tuple[str, ...]) -> str:
    word = _read_text(raw).lower()
    if word not in choices:
        raise ValueError
    return word


_READERS: dict[object, _Reader] = {
    str: _Reader("text", _read_text, ""),
    Secret: _Reader("text", _read_secret, Secret("")),
    int: _Reader("a whole number", _read_int, 0),
    float: _Reader("a number", _read_float, 0.0),
    bool: _Reader("true or false", _read_bool, False),
}


def _metadata(field: "attrs.Attribute[Any]") -> dict[str, Any]:
    found: dict[str, Any] | None = field.metadata.get("postroom")
    if found is None:
        raise TypeError(f"settings field {field.name!r} has no metadata=setting(...)")
    return found


def _unknown(key: str, known: Mapping[str, SettingInfo]) -> str:
    import difflib  # noqa: PLC0415  only a mistake pays for it

    close = difflib.get_close_matches(str(key), known, n=1)
    return f"unknown setting {str(key)[:50]!r}" + (f", did you mean {close[0]!r}?" if close else "")


def _words(name: str) -> str:
    return name.replace("_", " ")
