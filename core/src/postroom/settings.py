"""Settings: a frozen attrs class per provider, filled from a raw mapping, with every problem said at once.

A provider derives from `SenderSettings` and annotates its fields with `str`, `int`, `float`, `bool`, `Secret` or a
`Literal` of strings, each optionally `| None`. The same class feeds the environment variables, the docs and the
command line, so nothing is typed twice.
"""

import typing
from collections.abc import Container, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from postroom import slips, texts
from postroom.address import Address
from postroom.conversion import Reader, reader_for
from postroom.errors import MailMessageError, MailSettingsError, SettingProblem
from postroom.secret import Secret


class Lookup(typing.Protocol):
    """A raw configuration that can be asked for one setting by its field name; a dict is one."""

    def get(self, field: str, /) -> object:
        """Return the raw value, or None if it is not set."""
        ...


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
        secret: True hides the value everywhere; such a field is annotated with `Secret`.
        missing: What to say when a field without default is not set; "FIELD is required" when None.
    """
    return {"postroom": {"help": help, "env": env, "secret": secret, "missing": missing}}


@attrs.frozen(kw_only=True)
class SenderSettings:
    """What every provider can be told. Derive from it, and add fields.

    Raises:
        MailSettingsError: The fields contradict each other (see `check`), or a text holds control characters: none are
            allowed in a `str`, and in a `Secret` none but tabs and line ends.
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
        unusable = dict(texts.problems(self))
        unusable.pop("default_from", None)  # whatever is wrong with it is a doubt, see there
        found = [*unusable.items(), *((field, reason) for field, reason in self.check() if field not in unusable)]
        problems = [SettingProblem(field, None, reason) for field, reason in found]
        if problems:
            raise MailSettingsError(type(self).__name__, problems)

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield the name of a field and what is wrong with it, for rules that a type cannot say.

        Override it, and begin with `yield from super().check()`. It does no network I/O. When a field cannot be
        converted, it sees that field's default or an empty value, so that all problems come at once. A reason
        never holds a value.
        """
        if self.timeout is not None and not 0 < self.timeout <= 86400:
            yield "timeout", "timeout must be more than 0 and at most 86400 seconds"  # sockets take no number at will

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield the name of a field and what is suspicious about it: what may be meant, and is often a mistake.

        Override it like `check`. Each becomes a WARNING when a sender is made. A doubt never holds a secret.
        """
        if self.default_from is not None:
            try:
                Address.parse(self.default_from)
            except MailMessageError as error:  # whoever names a sender in every message never needs the default
                yield "default_from", f"this cannot be a sender: {error}"

    def summary(self) -> dict[str, object]:
        """Return what an operator needs to see when a sender is made: where the mail goes, and how. No secrets."""
        return {}


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

    @property
    def default_text(self) -> str:
        """The default as an operator would write it; empty where there is none, `***` for a secret."""
        if self.default is None:
            return ""
        if self.secret:
            return "***"
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


def describe(settings: type[SenderSettings], prefix: str) -> list[SettingInfo]:
    """Return the fields of a settings class in their order, with the variables that `prefix` gives them.

    Raises:
        TypeError: The class is not written as `SenderSettings` says; the text names the field.
    """
    hints = typing.get_type_hints(settings)
    return [_describe(field, hints.get(field.name), prefix) for field in attrs.fields(settings)]


def _describe(field: "attrs.Attribute[Any]", hint: object, prefix: str) -> SettingInfo:
    said: dict[str, Any] | None = field.metadata.get("postroom")
    if said is None:
        raise TypeError(f"settings field {field.name!r} has no metadata=setting(...)")
    reader = reader_for(field.name, hint)
    if said["secret"] and not reader.secret:
        raise TypeError(f"settings field {field.name!r} is secret, but annotated with {hint} instead of Secret")
    return SettingInfo(
        field=field.name,
        variable=said["env"] or prefix + field.name.upper(),
        help=said["help"],
        type=reader.says,
        secret=reader.secret,
        required=field.default is attrs.NOTHING,
        missing=said["missing"] or f"{_words(field.name)} is required",
        default=field.default if isinstance(field.default, str | int | float | Secret) else None,
    )


def load(
    settings: type[Settings],
    config: Mapping[str, object],
    *,
    provider: str,
    prefix: str,
    routed_by: Container[str] = (),
) -> Settings:
    """Convert and validate a raw mapping of field names to values. `None` and blank text mean unset.

    Args:
        settings: Class to make an instance of.
        config: What is set.
        provider: Name of the provider, for the error.
        prefix: What the provider's variables begin with.
        routed_by: Keys that a route has looked at; they need not be fields.

    Raises:
        MailSettingsError: With every problem: missing, malformed, unknown and contradicting settings.
    """
    known = {info.field: info for info in describe(settings, prefix)}
    hints = typing.get_type_hints(settings)
    problems = [
        SettingProblem(key, None, _unknown(key, known)) for key in config if key not in known and key not in routed_by
    ]
    values: dict[str, Any] = {}
    for name, info in known.items():
        reader = reader_for(name, hints[name])
        try:
            value = _read(info, reader, config.get(name))
        except ValueError as error:
            problems.append(SettingProblem(name, info.variable, str(error)))
            value = reader.empty if info.required else None  # so that check() still sees the rest
        if value is not None:
            values[name] = value
    try:
        made = settings(**values)
    except MailSettingsError as error:
        broken = {problem.field for problem in problems}
        problems += [_named(problem, known, config) for problem in error.problems if problem.field not in broken]
    except Exception as error:  # noqa: BLE001  a validator of attrs raises what it likes, and quotes the value
        if not problems:  # else it may have stumbled over what stands in for a value
            reason = f"{settings.__name__} refuses the settings with {type(error).__name__}"
            problems.append(SettingProblem(settings.__name__, None, reason))
    else:
        if not problems:
            return made
    raise MailSettingsError(provider, problems)


def _read(info: SettingInfo, reader: Reader, raw: object) -> object:
    """Return the value, or None if it is not set. A ValueError says what is wrong, without the value."""
    text = raw.reveal() if isinstance(raw, Secret) else raw
    if text is None or (isinstance(text, str) and not text.strip()):
        if info.required:
            raise ValueError(info.missing)
        return None
    try:
        return reader.read(raw)
    except (ValueError, OverflowError):
        raise ValueError(slips.because(f"{_words(info.field)} must be {reader.says}", text)) from None


def _named(problem: SettingProblem, known: Mapping[str, SettingInfo], config: Mapping[str, object]) -> SettingProblem:
    """Return a problem that `check` found, with the variable that sets the field, and what may be the cause."""
    info = known.get(problem.field)
    if info is None:
        return attrs.evolve(problem, variable=None)
    raw = config.get(info.field) if info.type == "text" else None  # else it has been read, so it is written well
    read = raw.strip() if isinstance(raw, str) and not info.secret else raw
    return attrs.evolve(problem, variable=info.variable, reason=slips.because(problem.reason, read))


def _unknown(key: str, known: Mapping[str, SettingInfo]) -> str:
    import difflib  # noqa: PLC0415  only a mistake pays for it

    close = difflib.get_close_matches(str(key), known, n=1)
    return f"unknown setting {str(key)[:50]!r}" + (f", did you mean {close[0]!r}?" if close else "")


def _words(name: str) -> str:
    return name.replace("_", " ")
