"""`postroom demo`: the whole way of one mail, on this machine."""

import tempfile
from pathlib import Path

import click
from rich.console import Console

from postroom import ProviderRegistry
from postroom_cli import environment, output

_EXTRA = "the demo needs a mail server: pip install 'postroom-cli[demo]'"


@click.command()
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder for the mail that arrives; a new temporary one if not given.",
)
def demo(keep: Path | None) -> None:
    """Send a mail on this machine, see it arrive."""
    run(output.console(), keep)


def run(console: Console, keep: Path | None) -> None:
    """Do it: server, settings, message, receipt, and what arrived.

    Args:
        console: What to print on.
        keep: Where to keep the mail; None makes a temporary folder.

    Raises:
        click.ClickException: The server is not installed, or the folder cannot be written to.
        MailError: The mail could not be sent.
    """
    try:
        from postroom_cli.demo_server import DemoServer  # noqa: PLC0415  an extra; without it the rest works
        from postroom_cli.demo_view import show  # noqa: PLC0415  it needs the server, too
    except ModuleNotFoundError as error:
        raise click.ClickException(_EXTRA) from error
    from postroom_cli.demo_message import message  # noqa: PLC0415  no other command needs it

    registry = ProviderRegistry()
    if not {"smtp", "smtp-basic"} <= set(registry.names()):
        raise click.ClickException(_EXTRA)
    folder = keep or Path(tempfile.mkdtemp(prefix="postroom-demo-"))
    mail, authority = folder / "postroom-demo.eml", folder / "postroom-demo.pem"
    with DemoServer() as server:
        environ = {
            "MAIL_TYPE": "smtp",
            "MAIL_DEFAULT_SEND_FROM": "demo@example.org",
            "SMTP_SERVER": server.host,
            "SMTP_PORT": str(server.port),
            "SMTP_USERNAME": server.username,
            "SMTP_PASSWORD": server.password,
            "SMTP_USE_TLS": "true",
            "SMTP_OPPORTUNISTIC_TLS": "true",
            "SMTP_CA_FILE": str(authority),
            "SMTP_LOCAL_HOSTNAME": "localhost",
        }
        _write(authority, server.ca)
        try:
            with environment.sender_for(environ, registry) as sender:
                receipt = sender.deliver(message())
        finally:
            authority.unlink()
    (arrived,) = server.arrived
    _write(mail, arrived.content)
    show(
        console,
        address=f"{server.host}:{server.port}",
        environ=environ,
        receipt=receipt,
        arrived=arrived,
        kept=mail,
    )


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
