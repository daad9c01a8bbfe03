"""The registration: what a plugin returns to say which provider it is."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from postroom import foreign, slips
from postroom.capability import Capability, Limit
from postroom.errors import MailError, MailMessageError, ProviderLoadError
from postroom.message import MailMessage
from postroom.rules import Rule, Symptom
from postroom.send_errors import MailSendError
from postroom.sender import MailSender, Transport
from postroom.settings import SenderSettings, SettingInfo, describe, load
from postroom.traces import forget_locals

_log = logging.getLogger("postroom.provider")

_T = TypeVar("_T")


def _capabilities(value: Iterable[Capability]) -> frozenset[Capability]:
    if isinstance(value, type):  # a newer core has members that a provider of today drops
        raise TypeError("name each Capability that the provider carries, not the class")
    return frozenset(_held("capabilities", Capability, value))


def _limits(value: Iterable[Limit]) -> tuple[Limit, ...]:
    return _held("limits", Limit, value)


def _rules(value: Iterable[Rule]) -> tuple[Rule, ...]:
    return _held("rules", Rule, value)


def _held(field: str, kind: type[_T], value: Iterable[_T]) -> tuple[_T, ...]:
    found = tuple(value)
    for each in found:
        if not isinstance(each, kind):  # else it would only be seen when a mail is sent, or has failed already
            raise TypeError(f"{field} holds a {type(each).__name__}, not a {kind.__name__}")
    return found


@attrs.frozen
class Provider:
    """A provider: its name, its settings, and how to build what sends.

    `Provider("resend", ResendSettings, build)` reads `RESEND_API_KEY` for the field `api_key`.
    """

    name: str
    """The entry point's name, in lower case: what an operator writes into `MAIL_TYPE`."""
    settings: type[SenderSettings]
    """Settings class; every field has `metadata=setting(...)`."""
    build: Callable[[Any], Transport | MailSender]
    """Takes an instance of `settings`, returns what sends. Does no I/O; import heavy packages here."""
    title: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True))
    """The name that people know, such as `Resend`."""
    env_prefix: str = attrs.field(
        default=attrs.Factory(lambda self: env_prefix(self.name), takes_self=True),
    )
    """What the environment variables of the settings begin with; `RESEND_` for `resend`."""
    capabilities: frozenset[Capability] = attrs.field(default=frozenset(), converter=_capabilities)
    """The optional parts of a message that arrive through this provider, each by name."""
    limits: tuple[Limit, ...] = attrs.field(default=(), converter=_limits)
    """The rules of the service that a message must keep."""
    rules: tuple[Rule, ...] = attrs.field(default=(), converter=_rules)
    """What the failures mean that the service is known for, the more exact ones first."""
    routed_by: Mapping[str, str] = attrs.field(factory=dict, eq=False, repr=False)
    """The settings that a route has looked at before it chose this provider, each with its variable. The registry
    fills it in. They need not be settings of the provider itself."""

    def check(self, message: MailMessage) -> None:
        """Refuse what this provider cannot carry. `from_` is set.

        Raises:
            MailMessageError: The message needs what is not declared, or breaks a limit; says which, and who says so.
        """
        missing = Capability.needed_by(message) - self.capabilities
        if missing:
            names = ", ".join(sorted(capability.value for capability in missing))
            raise MailMessageError(f"{self.name} cannot carry {names}: leave it out, or send by another provider")
        for limit in self.limits:
            found = limit.breach(message)
            if found is not None:
                raise MailMessageError(f"{self.name} takes {limit.rule}; this message has {found} ({limit.source})")

    def describe(self) -> list[SettingInfo]:
        """Return the fields of the settings with their variables.

        Raises:
            ProviderLoadError: The settings class is not written as `SenderSettings` says.
        """

        def broken(error: BaseException) -> MailError:
            said = f"mail type {self.name} cannot be described: {foreign.told(error)}"
            return ProviderLoadError(said, name=self.name)

        return foreign.call(lambda: describe(self.settings, self.env_prefix), broken)

    def load(self, config: Mapping[str, object]) -> SenderSettings:
        """Return the settings, converted and validated.

        Raises:
            MailSettingsError: With every problem.
            ProviderLoadError: The settings class fails.
        """
        return self.guarded(
            lambda: load(self.settings, config, provider=self.name, prefix=self.env_prefix, routed_by=self.routed_by),
            "cannot read its settings",
        )

    def doubts(self, loaded: SenderSettings, config: Mapping[str, object]) -> list[tuple[str, str]]:
        """Return the variable and what is suspicious about it: how it is written first, then what the settings say.

        Args:
            loaded: The settings.
            config: What they were made of: a blank at the end of a text is gone when it has been read.

        Raises:
            ProviderLoadError: The settings' own `doubts` fail.
        """
        slipped = {field: doubt for field, raw in config.items() if (doubt := slips.doubt(raw))}
        infos = self.describe() if slipped else ()
        found = [
            (each.variable, slipped[each.field]) for each in infos if each.type == "text" and each.field in slipped
        ]
        own = self.guarded(
            lambda: [(f"{field}", f"{doubt}") for field, doubt in loaded.doubts()], "cannot look at its settings"
        )
        return [*found, *((self.variables.get(field, field), foreign.printable(doubt)) for field, doubt in own)]

    def diagnose(self, error: MailSendError) -> Rule | None:
        """Return the rule that an error falls under, with the variables of this provider in it; None if none does.

        The limits are among the rules: they say why a sender is refused before the service is asked. A rule that raises
        is passed over with an ERROR in the log, so that it does not take the place of the error that it is asked about.
        """
        symptom = Symptom.of(error)
        for rule in (*map(_rule_of, self.limits), *self.rules):
            try:
                if rule.matches(symptom):
                    return rule.named(self.variables)
            except BaseException as failure:
                forget_locals(failure)
                if not foreign.is_its_own(failure):
                    raise
                _log.exception("mail: %s: a rule failed", self.name)
        return None

    def guarded(self, function: Callable[[], _T], failure: str) -> _T:
        """Call code of the provider; `failure` is what to say if it fails, such as `cannot be built`.

        Raises:
            MailError: The code has raised it on purpose.
            ProviderLoadError: It has raised anything else.
        """

        def broken(error: BaseException) -> MailError:
            # Its text stays out: it may quote a setting.
            return ProviderLoadError(f"mail type {self.name} {failure}: {foreign.kind(error)}", name=self.name)

        return foreign.call(function, broken, passing=(MailError,))

    @property
    def variables(self) -> dict[str, str]:
        """The environment variable of each field of the settings, and of each setting that a route has looked at."""
        return {**self.routed_by, **{info.field: info.variable for info in self.describe()}}


def _rule_of(limit: Limit) -> Rule:
    """Return the rule for a default sender that breaks the limit."""
    return Rule(
        meaning=f"Every message of the default sender is refused: the provider takes {limit.rule}",
        remedy="Change {default_from}",
        source=limit.source,
        stage="sender",
        text=limit.rule,
    )


def env_prefix(name: str) -> str:
    """Return the prefix of a provider's environment variables when it names none: `my-mail` gives `MY_MAIL_`."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()) + "_"
