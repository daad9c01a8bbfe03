"""`postroom check`: is the configuration right, and does the server know us?"""

from collections.abc import Mapping
from pathlib import Path

import click

from postroom import Provider, ProviderRegistry, SettingInfo, describe
from postroom_cli import environment, output


@click.command()
@environment.env_file_option
def check(env_file: Path | None) -> None:
    """Check the configuration and the connection."""
    environ = environment.read(env_file)
    registry = ProviderRegistry()
    with environment.sender_for(environ, registry) as sender:
        provider = registry.provider(sender.provider, {})
        _show(provider, registry, environ)
        sender.check_connection()
    output.line("ok", "the provider can be reached and accepts the login, if there is one", "green")


def _show(provider: Provider, registry: ProviderRegistry, environ: Mapping[str, str]) -> None:
    (registration,) = (each for each in registry.registrations if each.name == provider.name)
    output.line("provider", f"{provider.name} ({registration})")
    settings = describe(provider.settings, provider.env_prefix)
    for label, info in zip(["settings", *[""] * len(settings)], _set(settings, environ), strict=False):
        output.line(label, f"{info.variable}={'***' if info.secret else environ[info.variable]}")
    if not environ.get("MAIL_DEFAULT_SEND_FROM", "").strip():
        output.line("note", "MAIL_DEFAULT_SEND_FROM is not set: each message has to name its sender", "yellow")


def _set(settings: list[SettingInfo], environ: Mapping[str, str]) -> list[SettingInfo]:
    return [info for info in settings if environ.get(info.variable, "").strip()]
