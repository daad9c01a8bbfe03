"""What the terminal sees: plain lines, colours on a terminal only, and nothing that a server could smuggle in."""

import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator

import click
from rich.console import Console

from postroom import MailError

_WIDE = 1000  # columns; a pipe has no width, and a cell that is cut in two cannot be searched for
_EXPLAINED = (type(None), MailError, OSError, click.ClickException, click.Abort, click.exceptions.Exit)
_LOGGERS = ("postroom", "dotenv")
_MADE = ("postroom.factory", logging.INFO)  # which sender was made is said in the commands' own words


def console() -> Console:
    """Return a console on standard output; its markup is off, since what it prints comes from elsewhere."""
    made = Console(markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = _WIDE
    return made


def one_line(text: object) -> str:
    """Return `text` on one line, without control characters: a reply must not move the cursor or change colours."""
    try:
        words = str(text)
    except (Exception, SystemExit):  # noqa: BLE001  what a provider raises need not be one that can be shown
        words = f"{type(text).__name__} without a text"
    return "".join(char if char.isprintable() else " " for char in " ".join(words.split()))


def say(label: str, text: object) -> None:
    """Write one line to standard error: `error: …`, `warning: …`."""
    colours = {"error": "red", "warning": "yellow"}
    click.echo(f"{click.style(f'{label}:', fg=colours.get(label), bold=True)} {one_line(text)}", err=True)


def line(label: str, text: object, colour: str | None = None) -> None:
    """Write one line of a report to standard output, its label in a column of its own."""
    click.echo(f"{click.style(f'{label:<12}', fg=colour, bold=True)}{one_line(text)}")


def print_json(value: object) -> None:
    """Write `value` as JSON in ASCII, which every terminal and pipe can carry."""
    click.echo(json.dumps(value, indent=2, default=one_line))


def show_origin(error: BaseException) -> None:
    """Show where a bug is: the lines of code, not the exception's text, which may hold a secret."""
    origin = error.__cause__ if isinstance(error, MailError) else error
    if isinstance(origin, _EXPLAINED):
        return
    frames = "".join(traceback.format_tb(origin.__traceback__))
    click.echo(f"{frames}{type(origin).__module__}.{type(origin).__qualname__}", err=True)


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Go on when nobody reads standard output any more, as in `postroom send … | head -1`: the mail is sent."""
    try:
        yield
    except BrokenPipeError:
        # Else the interpreter flushes once more when it exits, and fails.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def log_to_stderr(level: int) -> Iterator[None]:
    """Show what the library logs, from `level` on, one line each."""
    handler = _Lines(level)
    handler.addFilter(lambda record: (record.name, record.levelno) != _MADE)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, old in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(old)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.levelname.lower(), record.getMessage().removeprefix("mail: "))  # which is for logs of applications
        if record.exc_info and record.exc_info[1] is not None:
            show_origin(record.exc_info[1])
