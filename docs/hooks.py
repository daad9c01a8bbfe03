"""Puts what the code knows into the pages, so that it is written once.

`<!-- settings: resend -->` becomes a table of that provider's settings, `<!-- limits: resend -->` the list of its
limits, and `<!-- capabilities -->` a table of what each provider carries.
"""

import re
from collections.abc import Callable
from typing import Any

from postroom import Capability, Provider, ProviderRegistry, SettingInfo, describe

_MARK = re.compile(r"<!-- (settings|limits|capabilities)(?:: ([\w-]+))? -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each mark; an unknown provider stops the build."""
    return _MARK.sub(lambda found: _MAKERS[found[1]](found[2]), markdown)


def providers() -> list[Provider]:
    """Return the providers that are installed, by name. A family is not one: its members are."""
    registry = ProviderRegistry()
    found = {provider.name: provider for provider in (registry.provider(name, {}) for name in registry.names())}
    return [found[name] for name in sorted(found)]


def settings(name: str) -> str:
    """Return the settings of a provider as a Markdown table."""
    provider = ProviderRegistry().provider(name, {})
    rows = [_row(info) for info in describe(provider.settings, provider.env_prefix)]
    return "\n".join(["| variable | key | what it is | value | default |", "| --- | --- | --- | --- | --- |", *rows])


def limits(name: str) -> str:
    """Return the limits of a provider as a Markdown list."""
    provider = ProviderRegistry().provider(name, {})
    return "\n".join(f"- {limit.rule} ([source]({limit.source}))" for limit in provider.limits)


def capabilities(_: object = None) -> str:
    """Return what each provider carries as a Markdown table."""
    known = providers()
    head = ["", *(f"`{provider.name}`" for provider in known)]
    rows = [
        [capability.value, *("yes" if capability in provider.capabilities else "refused" for provider in known)]
        for capability in Capability
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


_MAKERS: dict[str, Callable[[str], str]] = {"settings": settings, "limits": limits, "capabilities": capabilities}


def _row(info: SettingInfo) -> str:
    default = f"`{info.default_text}`" if info.default_text else ""
    if info.required:
        default = "**required**"
    kind = f"{info.type}, secret" if info.secret else info.type
    return f"| `{info.variable}` | `{info.field}` | {info.help} | {kind} | {default} |"
