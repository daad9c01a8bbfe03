"""The factory: from a name and a configuration to a sender that is ready, without any I/O."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from postroom import foreign, slips
from postroom.delivery import Delivery
from postroom.dify import DifySource
from postroom.errors import MailConfigError
from postroom.plain import PlainTransport
from postroom.provider import Provider
from postroom.registry import ProviderRegistry
from postroom.sender import DeliveringSender, MailSender, Transport
from postroom.settings import SenderSettings
from postroom.traces import forget_locals

_log = logging.getLogger("postroom.factory")
_FAILURE = "cannot be built"
_default: dict[str, ProviderRegistry] = {}


def default_registry() -> ProviderRegistry:
    """Return the registry that is used when none is given; it is made at the first call."""
    # setdefault is atomic, so two first callers get the same one without a lock at import.
    return _default.get("registry") or _default.setdefault("registry", ProviderRegistry())


class MailSenderFactory:
    """Makes senders. Every method takes the registry to look in; the default registry when None."""

    @classmethod
    def create_sender(
        cls, mail_type: str, config: Mapping[str, object], *, registry: ProviderRegistry | None = None
    ) -> DeliveringSender:
        """Make a sender of the named provider from its settings by field name.

        Raises:
            MailConfigError: The provider is unknown or broken, or the settings are wrong; see its subclasses.
        """
        given = [config]
        del config  # it may hold secrets, and error trackers show the local variables of this frame
        try:
            return _from_mapping(mail_type, given.pop(), registry or default_registry())
        except BaseException as error:
            forget_locals(error)
            raise

    @classmethod
    def create_from_dify_config(
        cls,
        dify_config: object,
        *,
        environ: Mapping[str, str] | None = None,
        registry: ProviderRegistry | None = None,
    ) -> DeliveringSender | None:
        """Make the sender that `MAIL_TYPE` names, from Dify's variables; None if `MAIL_TYPE` is not set.

        Args:
            dify_config: Object whose attributes are the variables, or a mapping of them; None: the environment alone.
            environ: Variables behind it; those of the process when None.
            registry: Where to look for providers.

        Raises:
            MailConfigError: The provider is unknown or broken, or the settings are wrong; see its subclasses.
        """
        source = DifySource(dify_config, os.environ if environ is None else environ)
        del dify_config, environ  # as in create_sender
        try:
            return _from_source(source, registry or default_registry())
        except BaseException as error:
            forget_locals(error)
            raise

    @classmethod
    def get_supported_types(cls, *, registry: ProviderRegistry | None = None) -> list[str]:
        """Return the names that `MAIL_TYPE` may have, sorted. Imports no provider."""
        return (registry or default_registry()).names()

    @classmethod
    def register_sender(
        cls,
        name: str,
        factory: Callable[[Any], Transport | MailSender],
        *,
        settings: type[SenderSettings] = SenderSettings,
        registry: ProviderRegistry | None = None,
    ) -> None:
        """Offer a provider that the application brings itself, without a distribution.

        Args:
            name: What `MAIL_TYPE` calls it.
            factory: Takes an instance of `settings`, validated, and returns what sends.
            settings: Settings class of the provider.
            registry: Where to offer it.
        """
        (registry or default_registry()).add(Provider(name.strip().lower(), settings, factory))


def _from_mapping(mail_type: str, config: Mapping[str, object], registry: ProviderRegistry) -> Delivery:
    return _build(mail_type, registry.provider(mail_type, config), config, registry)


def _from_source(source: DifySource, registry: ProviderRegistry) -> Delivery | None:
    provider = source.provider(registry)
    if provider is None:
        return None
    sender = _build(str(source.get("MAIL_TYPE")), provider, source.config_for(provider), registry)
    for stranger, close in source.strangers(provider):
        advice = f"did you mean {close}?" if close else "it changes nothing"
        _log.warning("mail: %s: %s is none of its settings; %s", provider.name, stranger, advice)
    return sender


def _build(mail_type: str, provider: Provider, config: Mapping[str, object], registry: ProviderRegistry) -> Delivery:
    """Build the sender, and say in the log what was built: one line at INFO, one at WARNING for each doubt."""
    loaded = provider.load(config)
    made = provider.guarded(
        lambda: Delivery(_built(provider, loaded), provider, registry, loaded.default_from), _FAILURE
    )
    summary = provider.guarded(lambda: _words(loaded.summary()), _FAILURE)
    doubts = provider.doubts(loaded, config)
    refusal = made.sender_refusal()
    if refusal is not None:
        doubts.append((provider.variables["default_from"], refusal.reason))
    _log.info("mail: %s", _line(mail_type, provider, summary, loaded.default_from, registry))
    if (slip := slips.doubt(mail_type)) is not None:
        doubts.insert(0, ("MAIL_TYPE", slip))
    for variable, doubt in doubts:
        _log.warning("mail: %s: %s: %s", provider.name, variable, doubt)
    return made


def _built(provider: Provider, loaded: SenderSettings) -> Transport:
    built: object = provider.build(loaded)
    if isinstance(built, Transport):
        return built
    if isinstance(built, MailSender):
        return PlainTransport(built, provider.name)
    raise MailConfigError(f"mail type {provider.name}: build returned {foreign.kind(built)}, not a Transport")


def _words(summary: Mapping[str, object]) -> dict[str, str]:
    return {f"{key}": foreign.printable(f"{value}") for key, value in summary.items() if value is not None}


def _line(
    mail_type: str,
    provider: Provider,
    summary: Mapping[str, str],
    default_from: str | None,
    registry: ProviderRegistry,
) -> str:
    """Return what was built, as `key=value` words."""
    found = registry.registration(provider.name)
    said = {
        "type": mail_type.strip(),
        "provider": provider.name,
        "distribution": found.distribution if found else None,
        "version": found.version if found else None,
        **summary,
        "from": default_from or "none",
    }
    words = {key: str(value) for key, value in said.items() if value is not None}
    return " ".join(f'{key}="{word}"' if " " in word else f"{key}={word}" for key, word in words.items())
