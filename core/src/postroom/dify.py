"""Dify's configuration: one object with attributes in capitals, or a mapping, and the environment behind it.

No table of names stands here. A provider's variable is its prefix and the field's name in capitals, so a provider that
Dify never heard of is configured like the others.
"""

from collections.abc import Mapping
from typing import Any, Literal

from postroom import slips
from postroom.provider import Provider, env_prefix
from postroom.registry import ProviderRegistry


class DifySource:
    """Looks a variable up: the attribute of Dify's config object first, then the environment.

    Only str, int, float and bool count as values. Dify drops variables that it does not declare, and its tests pass
    mocks, all of whose attributes are truthy objects.
    """

    def __init__(self, config: object, environ: Mapping[str, str]) -> None:
        self._config = config
        self._environ = environ

    def get(self, variable: str) -> str | int | float | bool | None:
        """Return the value of an environment variable, or None if it is unset or blank."""
        value = self._declared(variable)
        return value if _is_set(value) else self._from_environ(variable)

    def origin(self, variable: str) -> Literal["config object", "environment"] | None:
        """Return where the value of a variable comes from; None if it is unset or blank."""
        if _is_set(self._declared(variable)):
            return "config object"
        return None if self._from_environ(variable) is None else "environment"

    def slip(self, variable: str) -> str | None:
        """Return how to write a value that is refused, such as `without quotes`; None if it is written well."""
        return slips.remedy(self.get(variable), refused=True)

    def slips(self, provider: Provider) -> dict[str, str]:
        """Return the variables whose values reach a provider with what does not belong to them, and how to write them.

        Blanks at the ends of a text never reach it.
        """
        found: dict[str, str] = {}
        for info in provider.describe():
            raw = self.get(info.variable)
            read = raw.strip() if isinstance(raw, str) and not info.secret else raw
            if info.type == "text" and (remedy := slips.remedy(read)) is not None:
                found[info.variable] = remedy
        return found

    def provider(self, registry: ProviderRegistry) -> Provider | None:
        """Return the provider that `MAIL_TYPE` names, or None if it is not set.

        Raises:
            MailConfigError: The provider is unknown or broken; see its subclasses.
        """
        mail_type = self.get("MAIL_TYPE")
        if mail_type is None:
            return None
        return registry.provider(str(mail_type), PrefixedSource(self, env_prefix(str(mail_type).strip())))

    def config_for(self, provider: Provider) -> dict[str, object]:
        """Return what is set of a provider's settings, by field name."""
        fields = provider.describe()
        return {info.field: value for info in fields if (value := self.get(info.variable)) is not None}

    def doubts(self, provider: Provider) -> list[tuple[str, str]]:
        """Return the variables of a provider whose values are suspicious, each with what is.

        Raises:
            MailSettingsError: They are not only suspicious, but wrong.
        """
        config = self.config_for(provider)
        found = provider.doubts(provider.load(config), config)
        mail_type = slips.doubt(self.get("MAIL_TYPE"))
        return [("MAIL_TYPE", mail_type), *found] if mail_type else found

    def strangers(self, provider: Provider) -> list[tuple[str, str | None]]:
        """Return the variables that begin like the provider's and are none of them, each with its closest match."""
        prefix = provider.env_prefix
        known = [*provider.variables.values()]
        names = {*self._environ, *(self._config if isinstance(self._config, Mapping) else ())}
        found = sorted(name for name in names if name.startswith(prefix) and name not in known)
        return [(name, _closest(name, known, prefix)) for name in found if self.get(name) is not None]

    def _declared(self, variable: str) -> Any:
        config = self._config
        return config.get(variable) if isinstance(config, Mapping) else getattr(config, variable, None)

    def _from_environ(self, variable: str) -> str | None:
        value = self._environ.get(variable)
        return value if _is_set(value) else None


class PrefixedSource:
    """The settings of a family by field name, for a route: `get("auth_type")` reads `SMTP_AUTH_TYPE`."""

    def __init__(self, source: DifySource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    def get(self, field: str) -> object:
        """Return the raw value of a field, or None."""
        return self._source.get(self._prefix + field.upper())


def _is_set(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and bool(str(value).strip())


def _closest(name: str, known: list[str], prefix: str) -> str | None:
    import difflib  # noqa: PLC0415  only a mistake pays for it

    rest = [each.removeprefix(prefix) for each in known if each.startswith(prefix)]  # all share the prefix
    close = difflib.get_close_matches(name.removeprefix(prefix), rest, n=1)
    return prefix + close[0] if close else None
