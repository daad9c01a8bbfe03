"""What is installed, as data: every entry point of the group, loaded in its own guard, and what became of it."""

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

import attrs

from postroom import (
    MailError,
    Provider,
    ProviderConflictError,
    ProviderRegistry,
    Registration,
    SettingInfo,
)
from postroom_cli import limited, output

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Entry:
    """One line of the listing. What is not known of a broken provider is None."""

    name: str | None
    status: Literal["ok", "route", "broken", "conflict", "skipped"]
    distribution: str
    version: str | None = None
    value: str | None = None
    """The module that the entry point names."""
    title: str | None = None
    env_prefix: str | None = None
    routes_to: str | None = None
    """For a route: the provider that it chooses when nothing is set."""
    reason: str | None = None
    """What is wrong."""


def entries(registry: ProviderRegistry) -> list[Entry]:
    """Return the providers by name, then the distributions that cannot be read."""
    found = sorted(registry.registrations, key=lambda each: (each.name, each.distribution))
    unread = sorted(registry.skipped, key=lambda each: each.distribution)
    looked = limited.look(range(len(found)), lambda position: _loaded(registry, _known(found[position])))
    return [
        *(_entry(each, looked[position]) for position, each in enumerate(found)),
        *(
            Entry(name=None, status="skipped", distribution=each.distribution, reason=output.one_line(each.reason))
            for each in unread
        ),
    ]


@attrs.frozen
class Survey(Generic[_T]):
    """What came of looking at all providers."""

    found: list[tuple[Provider, _T]]
    """Each that could be looked at, with the result. `entries` says what is wrong with the others."""
    late: list[str]
    """The names of those from which nothing came back in time."""


def survey(registry: ProviderRegistry, how: Callable[[Provider], _T], seconds: float = limited.LIMIT) -> Survey[_T]:
    """Load each provider and look at it, all at the same time. What fails at one does not hide the others."""

    def one(name: str) -> tuple[Provider, _T]:
        provider = registry.provider(name, {})
        provider.describe()
        return provider, how(provider)

    looked = limited.look(registry.names(), one, seconds)
    found: dict[str, tuple[Provider, _T]] = {}
    for result in looked.values():
        if not isinstance(result, BaseException):
            found[result[0].name] = result  # a route leads to one that is there already
    return Survey([*found.values()], [name for name, result in looked.items() if isinstance(result, TimeoutError)])


def setting(info: SettingInfo) -> dict[str, object]:
    """Return one setting for JSON."""
    return attrs.asdict(info, filter=attrs.filters.exclude("missing")) | {"default": default(info)}


def default(info: SettingInfo) -> str | int | float | None:
    """Return the default of a setting as it may be shown."""
    if info.default is None or not info.secret:
        return info.default if isinstance(info.default, str | int | float | None) else str(info.default)
    return "***"


def _known(registration: Registration) -> Entry:
    return Entry(
        name=registration.name,
        status="ok",
        distribution=registration.distribution,
        version=registration.version,
        value=registration.value,
    )


def _entry(registration: Registration, result: Entry | BaseException) -> Entry:
    if not isinstance(result, BaseException):
        return result
    status: Literal["conflict", "broken"] = "conflict" if isinstance(result, ProviderConflictError) else "broken"
    ours = isinstance(result, MailError | TimeoutError)
    reason = output.one_line(result) if ours else f"{type(result).__name__}: {output.one_line(result)}"
    return attrs.evolve(_known(registration), status=status, reason=reason)


def _loaded(registry: ProviderRegistry, known: Entry) -> Entry:
    name = known.name or ""
    is_route = hasattr(registry.load(name), "postroom_route")
    try:
        provider = registry.provider(name, {})
    except MailError as error:
        if not is_route or getattr(error, "name", name) == name:
            raise
        # The family is sound; what it leads to when nothing is set is missing or broken.
        return attrs.evolve(known, status="route", reason=output.one_line(error))
    if provider.name != name:
        return attrs.evolve(known, status="route", routes_to=provider.name)
    provider.describe()  # raises what would stop it when it is used
    return attrs.evolve(known, title=provider.title, env_prefix=provider.env_prefix)
