"""Where the settings come from: the process's environment, and behind it a file of variables."""

import os
from collections.abc import Mapping
from pathlib import Path

import click
from dotenv import dotenv_values

from postroom import DeliveringSender, MailSenderFactory, ProviderRegistry

env_file_option = click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read variables from this file, too. The environment goes before it.",
)


def read(env_file: Path | None) -> dict[str, str]:
    """Return the variables of the file with those of the process over them, as Dify's settings do it.

    Raises:
        click.ClickException: The file cannot be read.
    """
    return {**(variables(env_file) if env_file else {}), **os.environ}


def variables(env_file: Path) -> dict[str, str]:
    """Return the variables of a file.

    Raises:
        click.ClickException: The file cannot be read.
    """
    try:
        # Editors on Windows begin a file with a byte order mark.
        values = dotenv_values(env_file, encoding="utf-8-sig")
    except UnicodeDecodeError:  # its text quotes the file
        raise click.ClickException(f"{env_file} is not UTF-8") from None
    except OSError as error:
        raise click.ClickException(f"{env_file} cannot be read: {error.strerror}") from error
    return {name: value for name, value in values.items() if value is not None}


def sender_for(environ: Mapping[str, str], registry: ProviderRegistry) -> DeliveringSender:
    """Return the sender that the variables describe.

    Raises:
        click.ClickException: `MAIL_TYPE` is not set.
        MailConfigError: The configuration is wrong.
    """
    sender = MailSenderFactory.create_from_dify_config(None, environ=environ, registry=registry)
    if sender is None:
        names = ", ".join(registry.names()) or "a provider, after you have installed one"
        raise click.ClickException(f"MAIL_TYPE is not set: set it to {names}")
    return sender
