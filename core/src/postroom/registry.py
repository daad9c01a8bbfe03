"""The registry: finds providers by their distributions' entry points, and loads the one that is asked for.

Entry-point names are data, plugins are code: names are read without importing anything, and one provider is imported
when somebody wants it. A broken distribution is reported, and hurts nobody else.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import attrs

from postroom import foreign, slips
from postroom.discovery import Registration, Skipped, canonical, scan
from postroom.errors import MailConfigError, MailError, ProviderConflictError, ProviderLoadError, UnknownProviderError
from postroom.plugin import PROVIDING, AnswerError, Plugin, provider_in, route_in
from postroom.provider import Provider, env_prefix
from postroom.settings import Lookup
from postroom.traces import forget_locals

_log = logging.getLogger("postroom.registry")

_T = TypeVar("_T")


class ProviderRegistry:
    """The providers of one process, or of one test; registries do not know each other.

    It holds no lock, so a plugin whose import hangs keeps only those who ask for this very one, and a forked child
    inherits none. What two threads do at the same time has the same result, and the first one's is kept.

    Args:
        group: Entry-point group to scan.
    """

    def __init__(self, group: str = "mail.senders") -> None:
        self.group = group
        self._scanned: dict[str, _Scan] = {}
        self._added: dict[str, Provider] = {}
        self._loaded: dict[str, Plugin] = {}
        self._observers: dict[int, Plugin] = {}

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """Every entry point of the group, by name. Two of one name are a conflict. Imports nothing."""
        return tuple(each for found in self._scan().found.values() for each in found)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Distributions that mention the group and cannot be read, with the reason."""
        return tuple(self._scan().skipped)

    def names(self) -> list[str]:
        """Return the names of all providers, sorted. Imports nothing."""
        return sorted({*self._scan().found, *self._added})

    def registration(self, name: str) -> Registration | None:
        """Return the entry point of this name, if there is exactly one. Imports nothing."""
        found = self._scan().found.get(name, []) if name not in self._added else []
        return found[0] if len(found) == 1 else None

    def add(self, provider: Provider) -> None:
        """Offer a provider that no distribution brings; it goes before an installed one of the same name."""
        self._added[canonical(provider.name)] = provider

    def register(self, observer: object) -> None:
        """Call an observer's `postroom_message_sent` and `postroom_message_failed` from now on.

        Raises:
            MailConfigError: It implements a hook that does not exist, or is registered already.
        """
        kind = foreign.kind(observer)
        if id(observer) not in self._observers:
            made = foreign.call(
                lambda: Plugin(observer, f"{kind} {id(observer)}"), lambda error: _not_registered(kind, error)
            )
            if self._observers.setdefault(id(observer), made) is made:
                return
        raise MailConfigError(f"cannot register {kind}: it is registered already")

    def provider(self, name: str, config: Lookup) -> Provider:
        """Load the provider of this name; a route may choose another by looking at `config`.

        Raises:
            UnknownProviderError: Nothing installed offers the name.
            ProviderConflictError: Several distributions do.
            ProviderLoadError: The one that does is broken.
        """
        name = canonical(name)
        if name in self._added:
            return self._added[name]
        plugin = self._plugin(name)
        asked = _Asked(config)
        target = self._ask(plugin, "postroom_route", route_in, config=asked)
        if target is None:
            return self._provider_of(plugin)
        found = self._added.get(target) or self._provider_of(self._plugin(target, asked=name))
        return attrs.evolve(found, routed_by={field: env_prefix(name) + field.upper() for field in asked.fields})

    def load(self, name: str) -> object:
        """Import the plugin of this name, once, and return it.

        Raises:
            UnknownProviderError: Nothing installed offers the name.
            ProviderConflictError: Several distributions do.
            ProviderLoadError: The import fails, or the plugin implements a hook that does not exist.
        """
        return self._plugin(canonical(name)).subject

    def observe(self, hook: str, **arguments: object) -> None:
        """Call one hook of every observer. What an observer raises is logged, and the next is called."""
        for observer in [*self._observers.values()]:
            if hook not in observer.implements:
                continue
            try:
                observer.call(hook, **arguments)
            except BaseException as error:  # the mail is sent or not, whatever an observer does
                forget_locals(error)
                if not foreign.is_its_own(error):
                    raise
                _log.exception("mail: observer %s failed in %s", observer.name, hook)

    def _scan(self) -> "_Scan":
        if not self._scanned:
            found: dict[str, list[Registration]] = {}
            registrations, skipped = scan(self.group)
            for each in registrations:
                found.setdefault(each.name, []).append(each)
            made = _Scan(found, skipped)
            if self._scanned.setdefault(self.group, made) is made:
                for each_skipped in skipped:
                    each_skipped.warn()
        return self._scanned[self.group]

    def _plugin(self, name: str, *, asked: str | None = None) -> Plugin:
        """Return a plugin, imported once. `asked` is the family that routed to it, for the error.

        Python lets no two threads import one module at a time: the second waits for the first.
        """
        kept = self._loaded.get(name)
        if kept is not None:
            return kept
        registration = self._only(name, asked)
        made = foreign.call(
            lambda: Plugin(registration.load(), name), lambda error: self._broken(name, foreign.told(error))
        )
        if not made.implements & PROVIDING:
            return made  # nothing to keep: so the next one who asks sees what has become of the module
        made = self._loaded.setdefault(name, made)
        if made.implements - PROVIDING:
            self._observers.setdefault(id(made.subject), made)
        return made

    def _only(self, name: str, asked: str | None) -> Registration:
        scanned = self._scan()
        found = scanned.found.get(name, [])
        if not found:
            raise _unknown(name, self.names(), scanned.skipped, asked)
        if len(found) > 1:
            distributions = list(dict.fromkeys(each.distribution for each in found))
            said = f"by {' and '.join(map(str, found))}: uninstall all but one of them"
            if len(distributions) == 1:
                values = " and ".join(each.value for each in found)
                said = f"more than once by {found[0]} ({values}): tell its authors"
            raise ProviderConflictError(f"mail type {name} is claimed {said}", name=name, distributions=distributions)
        return found[0]

    def _provider_of(self, plugin: Plugin) -> Provider:
        return self._ask(plugin, "postroom_provider", lambda answer: provider_in(answer, plugin.name))

    def _ask(self, plugin: Plugin, hook: str, read: Callable[[object], _T], **arguments: object) -> _T:
        """Return what `read` makes of the answer of a hook."""

        def broken(error: BaseException) -> MailError:
            if isinstance(error, AnswerError):
                return self._broken(plugin.name, str(error))
            # A route has seen raw settings, so its error may quote one.
            said = foreign.kind(error) if arguments else foreign.told(error)
            return self._broken(plugin.name, f"{hook} failed: {said}")

        return foreign.call(lambda: read(plugin.call(hook, **arguments)), broken)

    def _broken(self, name: str, why: str) -> ProviderLoadError:
        (registration,) = self._scan().found[name]
        return ProviderLoadError(
            f"mail type {name} ({registration}, {registration.value}) cannot be loaded: {why}",
            name=name,
            distribution=registration.distribution,
        )


@attrs.frozen(eq=False)
class _Scan:
    """What the metadata of the installed distributions say."""

    found: dict[str, list[Registration]]
    skipped: list[Skipped]


class _Asked:
    """The settings as a route sees them, and which of them it has asked for."""

    def __init__(self, config: Lookup) -> None:
        self._config = config
        self.fields: set[str] = set()

    def get(self, field: str, /) -> object:
        """Return the raw value of a field, or None."""
        self.fields.add(field)
        return self._config.get(field)


def _not_registered(kind: str, error: BaseException) -> MailConfigError:
    said = foreign.told(error).removeprefix("PluginValidationError: ")
    return MailConfigError(f"cannot register {kind}: {said}")


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
