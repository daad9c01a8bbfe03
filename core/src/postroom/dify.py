"""Dify's configuration: one object with attributes in capitals, or a mapping, and the environment behind it.

No table of names stands here. A provider's variable is its prefix and the field's name in capitals, so a provider that
Dify never heard of is configured like the others.
"""

from collections.abc import Mapping

from postroom.provider import Provider
from postroom.settings import describe


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
        config = self._config
        declared = config.get(variable) if isinstance(config, Mapping) else getattr(config, variable, None)
        for value in (declared, self._environ.get(variable)):
            if isinstance(value, str | int | float | bool) and str(value).strip():
                return value
        return None

    def config_for(self, provider: Provider) -> dict[str, object]:
        """Return what is set of a provider's settings, by field name."""
        fields = describe(provider.settings, provider.env_prefix)
        return {info.field: value for info in fields if (value := self.get(info.variable)) is not None}

    def strangers(self, provider: Provider) -> list[tuple[str, str | None]]:
        """Return the variables that begin like the provider's and are none of them, each with its closest match."""
        prefix = provider.env_prefix
        known = [info.variable for info in describe(provider.settings, prefix)]
        names = {*self._environ, *(self._config if isinstance(self._config, Mapping) else ())}
        found = sorted(name for name in names if name.startswith(prefix) and name not in known)
        return [(name, _closest(name, known, prefix)) for name in found if self.get(name) is not None]


class PrefixedSource:
    """The settings of a family by field name, for a route: `get("auth_type")` reads `SMTP_AUTH_TYPE`."""

    def __init__(self, source: DifySource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    def get(self, field: str) -> object:
        """Return the raw value of a field, or None."""
        return self._source.get(self._prefix + field.upper())


def _closest(name: str, known: list[str], prefix: str) -> str | None:
    import difflib  # noqa: PLC0415  only a mistake pays for it

    rest = [each.removeprefix(prefix) for each in known if each.startswith(prefix)]  # all share the prefix
    close = difflib.get_close_matches(name.removeprefix(prefix), rest, n=1)
    return prefix + close[0] if close else None
