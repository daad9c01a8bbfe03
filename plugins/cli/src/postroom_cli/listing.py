"""What is installed, as data: every entry point of the group, loaded in its own guard, and what became of it."""

import contextlib
from typing import Literal

import attrs

from postroom import (
    MailError,
    Provider,
    ProviderConflictError,
    ProviderRegistry,
    Registration,
    SettingInfo,
    describe,
)
from postroom_cli import output


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
    return [
        *(_entry(registry, registration) for registration in found),
        *(
            Entry(name=None, status="skipped", distribution=each.distribution, reason=output.one_line(each.reason))
            for each in unread
        ),
    ]


def sound(registry: ProviderRegistry) -> list[Provider]:
    """Return each provider that can be loaded and described, once. `entries` says what is wrong with the others."""
    found: dict[str, Provider] = {}
    for name in registry.names():
        with contextlib.suppress(Exception, SystemExit):  # whatever is wrong with one must not hide the others
            provider = registry.provider(name, {})
            describe(provider.settings, provider.env_prefix)
            found[provider.name] = provider  # a route leads to one that is there already
    return list(found.values())


def setting(info: SettingInfo) -> dict[str, object]:
    """Return one setting for JSON."""
    return attrs.asdict(info, filter=attrs.filters.exclude("missing")) | {"default": default(info)}


def default(info: SettingInfo) -> str | int | float | None:
    """Return the default of a setting as it may be shown."""
    if info.default is None or not info.secret:
        return info.default if isinstance(info.default, str | int | float | None) else str(info.default)
    return "***"


def _entry(registry: ProviderRegistry, registration: Registration) -> Entry:
    known = Entry(
        name=registration.name,
        status="ok",
        distribution=registration.distribution,
        version=registration.version,
        value=registration.value,
    )
    try:
        return _loaded(registry, known)
    except ProviderConflictError as error:
        return attrs.evolve(known, status="conflict", reason=output.one_line(error))
    except MailError as error:
        return attrs.evolve(known, status="broken", reason=output.one_line(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever is wrong with one must not hide the others
        return attrs.evolve(known, status="broken", reason=output.one_line(f"{type(error).__name__}: {error}"))


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
    return _described(known, provider)


def _described(known: Entry, provider: Provider) -> Entry:
    describe(provider.settings, provider.env_prefix)  # raises what would stop it when it is used
    return attrs.evolve(known, title=provider.title, env_prefix=provider.env_prefix)
