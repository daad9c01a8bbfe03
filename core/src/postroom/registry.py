"""The registry: finds providers by their distributions' entry points, and loads the one that is asked for.

Entry-point names are data, plugins are code: names are read without importing anything, and one provider is imported
when somebody wants it. A broken distribution is reported, and hurts nobody else.
"""

import logging
import threading
from typing import TYPE_CHECKING, Any

import attrs

from postroom import slips
from postroom.discovery import Registration, Skipped, scan
from postroom.errors import MailConfigError, ProviderConflictError, ProviderLoadError, UnknownProviderError
from postroom.provider import Provider, env_prefix
from postroom.settings import Lookup

if TYPE_CHECKING:
    import pluggy

_log = logging.getLogger("postroom.registry")


class ProviderRegistry:
    """The providers of one process, or of one test; registries do not know each other.

    Args:
        group: Entry-point group to scan.
    """

    def __init__(self, group: str = "mail.senders") -> None:
        self.group = group
        self._lock = threading.RLock()
        self._found: dict[str, list[Registration]] | None = None
        self._skipped: list[Skipped] = []
        self._added: dict[str, Provider] = {}
        self._manager: pluggy.PluginManager | None = None

    @property
    def _plugins(self) -> "pluggy.PluginManager":
        if self._manager is None:  # each send comes by, and takes no lock: a forked child would inherit it
            with self._lock:
                if self._manager is None:
                    self._manager = _plugin_manager()
        return self._manager

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """Every entry point of the group, by name. Two of one name are a conflict. Imports nothing."""
        return tuple(each for found in self._scan().values() for each in found)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Distributions that mention the group and cannot be read, with the reason."""
        self._scan()
        return tuple(self._skipped)

    def names(self) -> list[str]:
        """Return the names of all providers, sorted. Imports nothing."""
        return sorted({*self._scan(), *self._added})

    def registration(self, name: str) -> Registration | None:
        """Return the entry point of this name, if there is exactly one. Imports nothing."""
        found = self._scan().get(name, []) if name not in self._added else []
        return found[0] if len(found) == 1 else None

    def add(self, provider: Provider) -> None:
        """Offer a provider that no distribution brings; it goes before an installed one of the same name."""
        self._added[provider.name.lower()] = provider

    def register(self, observer: object) -> None:
        """Call an observer's `postroom_message_sent` and `postroom_message_failed` from now on.

        Raises:
            MailConfigError: It implements a hook that does not exist, or is registered already.
        """
        import pluggy  # noqa: PLC0415  see _plugin_manager

        kind = type(observer).__name__
        with self._lock:
            if self._plugins.is_registered(observer):
                raise MailConfigError(f"cannot register {kind}: it is registered already")
            try:  # under a name of ours, or a module named `smtp` would pass for the plugin of that name
                self._plugins.register(observer, name=f"{kind} {id(observer)}")
                self._plugins.check_pending()
            except pluggy.PluginValidationError as error:
                self._forget(observer)
                raise MailConfigError(f"cannot register {kind}: {error}") from error

    def provider(self, name: str, config: Lookup) -> Provider:
        """Load the provider of this name; a route may choose another by looking at `config`.

        Raises:
            UnknownProviderError: Nothing installed offers the name.
            ProviderConflictError: Several distributions do.
            ProviderLoadError: The one that does is broken.
        """
        name = " ".join(name.lower().split())
        if name in self._added:
            return self._added[name]
        plugin = self.load(name)
        asked = _Asked(config)
        target = self._ask(name, plugin, "postroom_route", config=asked)
        if target is None:
            return self._registration_of(name, plugin)
        if not isinstance(target, str):
            raise self._broken(name, f"postroom_route returned {type(target).__name__}, not a name")
        target = target.strip().lower()
        found = self._added.get(target) or self._registration_of(target, self.load(target, asked=name))
        return attrs.evolve(found, routed_by={field: env_prefix(name) + field.upper() for field in asked.fields})

    def load(self, name: str, *, asked: str | None = None) -> object:
        """Import the plugin of this name, once, and return it. `asked` is the family that routed to it, for the error.

        Raises:
            UnknownProviderError: Nothing installed offers the name.
            ProviderConflictError: Several distributions do.
            ProviderLoadError: The import fails, or the plugin implements a hook that does not exist.
        """
        found = self._scan().get(name, [])
        if not found:
            raise _unknown(name, self.names(), self._skipped, asked)
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
                _log.exception("mail: observer %s failed in %s", self._plugins.get_name(plugin), hook)

    def _scan(self) -> dict[str, list[Registration]]:
        with self._lock:
            if self._found is None:
                found: dict[str, list[Registration]] = {}
                registrations, self._skipped = scan(self.group)
                for each in registrations:
                    found.setdefault(each.name, []).append(each)
                self._found = found
            return self._found

    def _import(self, registration: Registration) -> object:
        try:
            plugin = registration.load()
            self._plugins.register(plugin, name=registration.name)
            self._plugins.check_pending()
        except (Exception, SystemExit) as error:
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
            # A route has seen raw settings, so its error may quote one.
            said = "" if arguments else f": {error}"
            raise self._broken(name, f"{hook} failed: {type(error).__name__}{said}") from error

    def _call_one(self, plugin: object, hook: str, **arguments: Any) -> object:
        others = [other for other in self._plugins.get_plugins() if other is not plugin]
        answers: list[object] = self._plugins.subset_hook_caller(hook, others)(**arguments)
        return answers[0] if answers else None

    def _broken(self, name: str, why: str) -> ProviderLoadError:
        (registration,) = self._scan()[name]
        return ProviderLoadError(
            f"mail type {name} ({registration}, {registration.value}) cannot be loaded: {' '.join(why.split())}",
            name=name,
            distribution=registration.distribution,
        )


class _Asked:
    """The settings as a route sees them, and which of them it has asked for."""

    def __init__(self, config: Lookup) -> None:
        self._config = config
        self.fields: set[str] = set()

    def get(self, field: str, /) -> object:
        """Return the raw value of a field, or None."""
        self.fields.add(field)
        return self._config.get(field)


def _plugin_manager() -> "pluggy.PluginManager":
    """Return a manager that knows our hooks. pluggy is loaded with the first plugin or observer, not to list names."""
    import pluggy  # noqa: PLC0415

    from postroom import hookspecs  # noqa: PLC0415

    made = pluggy.PluginManager(hookspecs.PROJECT)
    made.add_hookspecs(hookspecs)
    return made


def _unknown(name: str, installed: list[str], skipped: list[Skipped], asked: str | None) -> UnknownProviderError:
    import difflib  # noqa: PLC0415  only a mistake pays for it

    close = difflib.get_close_matches(name, [each for each in installed if each != asked], n=1, cutoff=0.75)
    advice = f"install the distribution that brings it, for a provider of ours: pip install postroom-{name}"
    if slip := slips.remedy(name.removeprefix(f"{asked}-"), refused=True):
        advice = f"write it {slip}"
    elif close:
        advice = f"did you mean {close[0]}?"
    unread = f" (unreadable: {', '.join(each.distribution for each in skipped)})" if skipped else ""
    route = f" (chosen by {asked} from its settings)" if asked else ""
    return UnknownProviderError(
        f"Unsupported mail type: {name}{route}. Installed: {', '.join(installed) or 'none'}{unread}; {advice}",
        name=name,
        installed=installed,
    )
