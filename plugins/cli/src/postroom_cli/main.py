"""The command line, and its exit codes: 0 done, 1 not sent, 2 usage or configuration, 3 nobody knows."""

import io
import logging
import sys
from typing import Any, NoReturn

import click

from postroom import MailError, MailSendError, Outcome
from postroom_cli import output
from postroom_cli.demo import demo
from postroom_cli.doctor.command import doctor
from postroom_cli.explain import explain
from postroom_cli.lint.command import lint
from postroom_cli.new_provider import new_provider
from postroom_cli.providers import providers
from postroom_cli.send import send

_USAGE = 2
_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it
# What the library says besides: nothing where a command's own output has it.
_LEVELS = {"demo": logging.ERROR, "providers": logging.ERROR, "doctor": logging.CRITICAL}


class _Main(click.Group):
    """Turns whatever is raised into one line on standard error and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command line and exit."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a name may hold what this terminal cannot show
        sys.exit(self._run(*args, **kwargs))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; with --debug, show where its error comes from."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params["debug"]:
                output.show_origin(error)
            raise

    def _run(self, *args: Any, **kwargs: Any) -> int:
        try:
            result = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.UsageError as error:
            where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            output.say("error", error.format_message().rstrip(".") + where)
            return _USAGE
        except click.ClickException as error:
            output.say("error", error.format_message())
            return _USAGE
        except click.Abort:
            return _INTERRUPTED
        except MailError as error:
            output.say("error", error)
            return _exit_code(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  its text stays out: nobody knows what a foreign exception quotes
            output.say("error", f"unexpected {type(error).__name__}; postroom --debug shows where")
            return 1
        return result if isinstance(result, int) else 0


def _exit_code(error: MailError) -> int:
    if not isinstance(error, MailSendError):
        return _USAGE
    return 3 if error.outcome is Outcome.UNKNOWN else 1


@click.group(cls=_Main, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="postroom-cli", prog_name="postroom", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the dialogue with the server, without secrets.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Send mail through the providers that are installed.

    Exit codes: 0 done, 1 not sent, 2 wrong usage or configuration, 3 nobody knows whether it was sent.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    level = _LEVELS.get(ctx.invoked_subcommand or "", logging.WARNING)
    ctx.with_resource(output.log_to_stderr(logging.DEBUG if debug else level))


for command in (demo, send, doctor, explain, providers, new_provider, lint):
    main.add_command(command)
