"""Puts the settings tables into the pages: `<!-- settings: smtp-basic -->` becomes the fields of that provider."""

import re
from typing import Any

from postroom import ProviderRegistry, SettingInfo, describe

_MARK = re.compile(r"<!-- settings: ([\w-]+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each mark by a table; an unknown provider stops the build."""
    return _MARK.sub(lambda found: table(found[1]), markdown)


def table(name: str) -> str:
    """Return the settings of a provider as a Markdown table."""
    provider = ProviderRegistry().provider(name, {})
    rows = [_row(info) for info in describe(provider.settings, provider.env_prefix)]
    return "\n".join(["| variable | key | what it is | value | default |", "| --- | --- | --- | --- | --- |", *rows])


def _row(info: SettingInfo) -> str:
    default = f"`{info.default_text}`" if info.default_text else ""
    if info.required:
        default = "**required**"
    kind = f"{info.type}, secret" if info.secret else info.type
    return f"| `{info.variable}` | `{info.field}` | {info.help} | {kind} | {default} |"
