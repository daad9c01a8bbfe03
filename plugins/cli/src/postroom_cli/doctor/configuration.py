"""The configuration as the application reads it: which provider, each setting with its origin, and what looks wrong."""

import difflib
from collections.abc import Iterator, Mapping

import attrs

from postroom import DifySource, Provider, ProviderRegistry
from postroom_cli import limited, listing
from postroom_cli.doctor.report import Caution, Setting

_OURS = ("MAIL_TYPE", "MAIL_DEFAULT_SEND_FROM")
_OTHERS = 3.0  # seconds to look at the providers that are not asked for
_ALIKE = 0.8  # how much a name must resemble ours to be taken for a slip


@attrs.frozen(kw_only=True)
class Configuration:
    """Where the settings come from."""

    config: object
    """The application's configuration object, or None."""
    environ: Mapping[str, str]
    """Of the process."""
    file: Mapping[str, str]
    """Variables of a file, which the environment goes before."""
    file_name: str
    overrides: Mapping[str, str]
    """What options set: they go before all."""

    @property
    def first(self) -> object:
        """What goes before the environment: options, and behind them the application's configuration object."""
        if self.config is None or isinstance(self.config, Mapping):
            return {**(self.config or {}), **self.overrides}
        return _Over(self.overrides, self.config)

    @property
    def behind(self) -> dict[str, str]:
        """The environment, and behind it the file."""
        return {**self.file, **self.environ}

    @property
    def source(self) -> DifySource:
        """What the application would read."""
        return DifySource(self.first, self.behind)

    def settings(self, provider: Provider) -> list[Setting]:
        """Return every setting of a provider with its value and where it comes from."""
        said = [Setting("MAIL_TYPE", _text(self.source.get("MAIL_TYPE")), self._origin("MAIL_TYPE"))]
        for info in provider.describe():
            value = self.source.get(info.variable)
            if value is None:
                said.append(Setting(info.variable, info.default_text or None, "default"))
            else:
                said.append(Setting(info.variable, "***" if info.secret else _text(value), self._origin(info.variable)))
        return said

    def warnings(self, provider: Provider, registry: ProviderRegistry) -> Iterator[Caution]:
        """Yield what is suspicious, the most likely cause of trouble first.

        Raises:
            MailSettingsError: The settings are wrong.
        """
        for variable, doubt in self.source.doubts(provider):
            slip = self.source.slip(variable)
            of_writing = slip is not None and doubt.endswith(f": write it {slip}")
            yield Caution(f"{variable}: {doubt}", f"Write {variable} {slip}" if of_writing else f"Check {variable}")
        if self.source.get("MAIL_DEFAULT_SEND_FROM") is None:
            yield Caution(
                "MAIL_DEFAULT_SEND_FROM is not set: a message that names no sender is refused",
                "Set MAIL_DEFAULT_SEND_FROM to the address that mail comes from",
            )
        yield from self._hidden(provider)
        for stranger, close in self.source.strangers(provider):
            yield _unused(stranger, f"{stranger} is none of the settings of {provider.name}", close)
        yield from self._slips()
        yield from self._others(provider, registry)

    def chosen_by(self, name: str) -> str | None:
        """Return the variable whose value ends the name of a provider, as `SMTP_AUTH_TYPE` does, if there is one."""
        for variable in self._names():
            value = str(self.source.get(variable) or "").strip().lower()
            if value and name.endswith(f"-{value}") and name.startswith(variable.partition("_")[0].lower()):
                return variable
        return None

    def slip(self) -> str | None:
        """Return the variable that may have been meant to be `MAIL_TYPE`, if there is one."""
        return next(iter(difflib.get_close_matches("MAIL_TYPE", self._names(), n=1, cutoff=_ALIKE)), None)

    def _origin(self, variable: str) -> str:
        if variable in self.overrides:
            return "option"
        origin = self.source.origin(variable)
        if origin == "environment" and variable not in self.environ:
            return self.file_name
        return origin or "default"

    def _names(self) -> list[str]:
        return sorted({*self.environ, *self.file} - {*_OURS})

    def _hidden(self, provider: Provider) -> Iterator[Caution]:
        for variable in (*_OURS[:1], *provider.variables.values()):
            here, there = self.environ.get(variable), self.file.get(variable)
            if here is None or there is None or here == there or variable in self.overrides:
                continue
            if not here.strip() and there.strip():
                yield Caution(
                    f"{variable} is empty in the environment, which hides its value in {self.file_name}",
                    f"Unset {variable} in the environment, or set it there",
                )
            elif here.strip():
                yield Caution(
                    f"{variable} differs between the environment and {self.file_name}: the environment's value counts",
                    f"Set {variable} in one place",
                )

    def _slips(self) -> Iterator[Caution]:
        for name in self._names():
            if name.startswith("MAIL") and (close := difflib.get_close_matches(name, _OURS, n=1, cutoff=_ALIKE)):
                yield _unused(name, f"{name} is not read", close[0])

    def _others(self, provider: Provider, registry: ProviderRegistry) -> Iterator[Caution]:
        """Yield the providers that are configured as well, which somebody may take for the one that sends."""
        survey = listing.survey(registry, self._configured_by, _OTHERS)
        for other, variable in survey.found:
            # Examples set some variables of each provider, and keys that are none.
            if other.env_prefix != provider.env_prefix and variable is not None:
                yield Caution(
                    f"{other.name} is configured as well, and mail goes by {provider.name}",
                    f"Set MAIL_TYPE={other.name} if it is the one that sends, or remove {variable}",
                )
        for name in survey.late:
            yield Caution(
                f"{name} is installed and cannot be looked at: {limited.late(_OTHERS)}",
                f"Uninstall the distribution that brings {name} if nothing sends by it, or tell its authors",
            )

    def _configured_by(self, provider: Provider) -> str | None:
        """Return the first required variable of a provider that has all of them, and is doubted in none.

        Raises:
            MailError: It is not configured.
        """
        needed = [info.variable for info in provider.describe() if info.required]
        doubted = {variable for variable, _ in self.source.doubts(provider)}
        return needed[0] if needed and not {*needed} & doubted else None


class _Over:
    """What options set, over a configuration object."""

    def __init__(self, first: Mapping[str, str], second: object) -> None:
        self._first = first
        self._second = second

    def __getattr__(self, name: str) -> object:
        return self._first[name] if name in self._first else getattr(self._second, name, None)


def _unused(variable: str, text: str, close: str | None) -> Caution:
    if close is not None:
        return Caution(f"{text}: did you mean {close}?", f"Rename {variable} to {close}")
    return Caution(text, f"Remove {variable}, or set MAIL_TYPE to the provider that it is for")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
