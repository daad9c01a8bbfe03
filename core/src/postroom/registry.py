"""The registry: finds providers by their distributions' entry points, and loads the one that is asked for.

Entry-point names are data, plugins are code: names are read without importing anything, and one provider is imported
when somebody wants it. A broken distribution is reported, and hurts nobody else.
"""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import importlib_metadata
import pluggy

from postroom import hookspecs
from postroom.errors import MailConfigError, ProviderConflictError, ProviderLoadError, UnknownProviderError
from postroom.provider import Provider
from postroom.settings import Lookup

_log = logging.getLogger("postroom.registry")


@attrs.frozen
class Registration:
    """One entry point of the group: a name, and the distribution that claims it."""

    name: str
    distribution: str
    version: str
    value: str
    """The module that the entry point names."""
    entry_point: importlib_metadata.EntryPoint = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@attrs.frozen
class Skipped:
    """A distribution that mentions the group and cannot be read."""

    distribution: str
    reason: str


class ProviderRegistry:
    """The providers of one process, or of one test; registries do not know each other.

    Args:
        group: Entry-point group to scan.
    """

    def __init__(self, group: str = "mail.senders") -> None:
        self.group = group
        self._lock = threading.RLock()
        self._plugins = pluggy.PluginManager(hookspecs.PROJECT)
        self._plugins.add_hookspecs(hookspecs)
        self._found: dict[str, list[Registration]] | None = None
        self._skipped: list[Skipped] = []
        self._added: dict[str, Provider] = {}

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """Every entry point of the group, by name. Two of one name are a conflict. Imports nothing."""
        return tuple(each for name, found in sorted(self._scan().items()) for each in found)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Distributions that mention the group and cannot be read, with the reason."""
        self._scan()
        return tuple(self._skipped)

    def names(self) -> list[str]:
        """Return the names of all providers, sorted. Imports nothing."""
        return sorted({*self._scan(), *self._added})

    def add(self, provider: Provider) -> None:
        """Offer a provider that no distribution brings; it goes before an installed one of the same name."""
        self._added[provider.name.lower()] = provider

    def register(self, observer: object) -> None:
        """Call an observer's `postroom_message_sent` and `postroom_message_failed` from now on.

        Raises:
            MailConfigError: It implements a hook that does not exist, or is registered already.
        """
        with self._lock:
            try:
                self._plugins.register(observer)
                self._plugins.check_pending()
            except (ValueError, pluggy.PluginValidationError) as error:
                self._forget(observer)
                raise MailConfigError(f"cannot register {type(observer).__name__}: {error}") from error

    def provider(self, name: str, config: Lookup) -> Provider:
        """Load the provider of this name; a route may choose another by looking at `config`.

        Raises:
            UnknownProviderError: Nothing installed offers the name.
            ProviderConflictError: Several distributions do.
            ProviderLoadError: The one that does is broken.
        """
        name = name.strip().lower()
        if name in self._added:
            return self._added[name]
        plugin = self.load(name)
        target = self._ask(name, plugin, "postroom_route", config=config)
        if target is None:
            return self._registration_of(name, plugin)
        if not isinstance(target, str):
            raise self._broken(name, f"postroom_route returned {type(target).__name__}, not a name")
        target = target.strip().lower()
        if target in self._added:
            return self._added[target]
        return self._registration_of(target, self.load(target, asked=name))

    def load(self, name: str, *, asked: str | None = None) -> object:
        """Import the plugin of this name, once, and return it. `asked` is the family that routed to it, for the error.

        Raises:
            UnknownProviderError: Nothing installed offers the name.
            ProviderConflictError: Several distributions do.
            ProviderLoadError: The import fails, or the plugin implements a hook that does not exist.
        """
        found = self._scan().get(name, [])
        if not found:
            raise _unknown(name, self.names(), asked)
        if len(found) > 1:
            raise ProviderConflictError(
                f"mail type {name} is claimed by {' and '.join(map(str, found))}: uninstall all but one of them",
                name=name,
                distributions=[each.distribution for each in found],
            )
        with self._lock:
            plugin = self._plugins.get_plugin(name)
            return self._import(found[0]) if plugin is None else plugin

    def observe(self, hook: str, **arguments: object) -> None:
        """Call one hook of every observer. What an observer raises is logged, and the next is called."""
        if not getattr(self._plugins.hook, hook).get_hookimpls():
            return
        for plugin in self._plugins.get_plugins():
            try:
                self._call_one(plugin, hook, **arguments)
            except Exception:  # noqa: BLE001  the mail is sent or not, whatever an observer does
                _log.exception("observer %s failed in %s", self._plugins.get_name(plugin), hook)

    def _scan(self) -> dict[str, list[Registration]]:
        with self._lock:
            if self._found is None:
                found: dict[str, list[Registration]] = {}
                for each in self._read_distributions():
                    found.setdefault(each.name, []).append(each)
                for skipped in self._skipped:
                    _log.warning("%s is passed over: %s", skipped.distribution, skipped.reason)
                self._found = found
            return self._found

    def _read_distributions(self) -> Iterator[Registration]:
        """Yield the group's entry points, each distribution read inside its own guard.

        `entry_points(group=...)` would not do: one malformed line in any distribution breaks it for all of them.
        """
        seen: set[str] = set()
        for distribution in importlib_metadata.Distribution.discover():
            name = _path_of(distribution)
            try:
                if self.group not in (distribution.read_text("entry_points.txt") or ""):
                    continue
                name = distribution.metadata["Name"] or name
                if name in seen:
                    continue
                seen.add(name)
                # The import system takes the first copy on sys.path; so do we.
                yield from self._read(importlib_metadata.Distribution.from_name(name))
            except Exception as error:  # noqa: BLE001  whatever is wrong with it must not hurt the others
                self._skipped.append(Skipped(name, f"{type(error).__name__}: {error}"))

    def _read(self, distribution: importlib_metadata.Distribution) -> list[Registration]:
        return [
            Registration(each.name.lower(), distribution.metadata["Name"], distribution.version, each.value, each)
            for each in distribution.entry_points
            if each.group == self.group
        ]

    def _import(self, registration: Registration) -> object:
        try:
            plugin = registration.entry_point.load()
            self._plugins.register(plugin, name=registration.name)
            self._plugins.check_pending()
        except Exception as error:
            # Taken out again, so that a second attempt fails in the same way.
            self._forget(self._plugins.get_plugin(registration.name))
            raise self._broken(registration.name, f"{type(error).__name__}: {error}") from error
        return plugin

    def _forget(self, plugin: object) -> None:
        if plugin is not None and self._plugins.is_registered(plugin):
            self._plugins.unregister(plugin)

    def _registration_of(self, name: str, plugin: object) -> Provider:
        provider = self._ask(name, plugin, "postroom_provider")
        if not isinstance(provider, Provider):
            said = "implements no postroom_provider" if provider is None else f"returned {type(provider).__name__}"
            raise self._broken(name, f"{said}; expected postroom_provider() to return a Provider")
        if provider.name != name:
            raise self._broken(name, f"its Provider is named {provider.name!r}, its entry point {name!r}")
        return provider

    def _ask(self, name: str, plugin: object, hook: str, **arguments: object) -> object:
        try:
            return self._call_one(plugin, hook, **arguments)
        except Exception as error:
            raise self._broken(name, f"{hook} failed: {type(error).__name__}: {error}") from error

    def _call_one(self, plugin: object, hook: str, **arguments: Any) -> object:
        others = [other for other in self._plugins.get_plugins() if other is not plugin]
        answers: list[object] = self._plugins.subset_hook_caller(hook, others)(**arguments)
        return answers[0] if answers else None

    def _broken(self, name: str, why: str) -> ProviderLoadError:
        (registration,) = self._scan()[name]
        return ProviderLoadError(
            f"mail type {name} ({registration}, {registration.value}) cannot be loaded: {why}",
            name=name,
            distribution=registration.distribution,
        )


def _path_of(distribution: importlib_metadata.Distribution) -> str:
    return str(getattr(distribution, "_path", distribution))  # the only thing left to name one that cannot be read


def _unknown(name: str, installed: list[str], asked: str | None) -> UnknownProviderError:
    import difflib  # noqa: PLC0415  only a mistake pays for it

    close = difflib.get_close_matches(name, [each for each in installed if each != asked], n=1)
    if close:
        advice = f"did you mean {close[0]}?"
    else:
        advice = f"install the distribution that brings it, for a provider of ours: pip install postroom-{name}"
    route = f" (chosen by {asked} from its settings)" if asked else ""
    return UnknownProviderError(
        f"Unsupported mail type: {name}{route}. Installed: {', '.join(installed) or 'none'}; {advice}",
        name=name,
        installed=installed,
    )
