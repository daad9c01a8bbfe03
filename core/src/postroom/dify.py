"""Dify's configuration: one object with attributes in capitals, and the environment behind it.

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
        for value in (getattr(self._config, variable, None), self._environ.get(variable)):
            if isinstance(value, str | int | float | bool) and str(value).strip():
                return value
        return None

    def config_for(self, provider: Provider) -> dict[str, object]:
        """Return what is set of a provider's settings, by field name."""
        fields = describe(provider.settings, provider.env_prefix)
        return {info.field: value for info in fields if (value := self.get(info.variable)) is not None}


class PrefixedSource:
    """The settings of a family by field name, for a route: `get("auth_type")` reads `SMTP_AUTH_TYPE`."""

    def __init__(self, source: DifySource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix

    def get(self, field: str) -> object:
        """Return the raw value of a field, or None."""
        return self._source.get(self._prefix + field.upper())
