"""`postroom providers`: what is installed, what is broken and why, and what one provider can be told."""

import attrs
import click
from rich import box
from rich.table import Table
from rich.text import Text

from postroom import Provider, ProviderRegistry, SettingInfo
from postroom_cli import limited, output
from postroom_cli.listing import Entry, entries, setting

_COLOURS = {"ok": "green", "route": "cyan", "broken": "red", "conflict": "red", "skipped": "red"}


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def providers(name: str | None, as_json: bool) -> None:
    """List the providers, or the settings of one."""
    registry = ProviderRegistry()
    if name is None:
        found = entries(registry)
        if as_json:
            output.print_json([attrs.asdict(each) for each in found])
        else:
            _print_entries(found)
        return
    provider, settings = limited.loaded(name, lambda: _described(registry, name), registry)
    if as_json:
        output.print_json([setting(info) for info in settings])
        return
    if provider.name != name.strip().lower():
        output.line("route", f"{name} leads to {provider.name} when no setting chooses another")
    _print_settings(settings)


def _described(registry: ProviderRegistry, name: str) -> tuple[Provider, list[SettingInfo]]:
    provider = registry.provider(name, {})
    return provider, provider.describe()


def _print_entries(found: list[Entry]) -> None:
    if not found:
        click.echo("No provider is installed. For SMTP: pip install postroom-smtp-basic")
        return
    table = _table("name", "distribution", "version", "title", "variables", "status")
    for each in found:
        status = f"route to {each.routes_to}" if each.routes_to else each.status
        prefix = f"{each.env_prefix}…" if each.env_prefix else ""
        cells = (each.name, each.distribution, each.version, each.title, prefix)
        table.add_row(*(output.one_line(cell or "") for cell in cells), Text(status, style=_COLOURS[each.status]))
    output.console().print(table)
    for each in found:
        if each.reason:
            who = output.one_line(each.name or each.distribution)
            click.echo(f"{click.style(f'{who}:', bold=True)} {each.reason}")


def _print_settings(settings: list[SettingInfo]) -> None:
    table = _table("variable", "what it is", "value", "default")
    for info in settings:
        kind = f"{info.type}, secret" if info.secret else info.type
        table.add_row(*map(output.one_line, (info.variable, info.help, kind)), _default(info))
    output.console().print(table)


def _default(info: SettingInfo) -> Text:
    if info.required:
        return Text("required", style="bold")
    return Text(output.one_line(info.default_text))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
