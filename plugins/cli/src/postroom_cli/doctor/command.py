"""The command `postroom doctor`."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from postroom import Address, MailMessageError
from postroom_cli import environment, output
from postroom_cli.doctor.examination import examine
from postroom_cli.doctor.view import show


def _address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            Address.parse(value)
        except MailMessageError as error:
            raise click.BadParameter(str(error)) from None
    return value


@click.command()
@environment.env_file_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--send-to", metavar="ADDRESS", callback=_address, help="Send a mail to this address at the end.")
@click.option("--provider", metavar="NAME", help="Look at this provider, whatever MAIL_TYPE says.")
def doctor(*, env_file: Path | None, as_json: bool, send_to: str | None, provider: str | None) -> int:
    """Find out why mail does not arrive.

    Reads the configuration as the application does, and goes the way of a message step by step. The first line says
    what is wrong, the last what to do. It sends nothing, unless --send-to is given.
    """
    terminal = Console(stderr=True)
    with terminal.status("configuration", spinner="line") as status:
        report = examine(
            env_file=env_file,
            provider=provider,
            send_to=send_to,
            progress=lambda step: status.update(Text(f"after {output.one_line(step)}")),
        )
    with output.reader_may_leave():
        if as_json:
            output.print_json(report.as_json())
        else:
            show(report)
        sys.stdout.flush()
    return report.exit_code
