"""The examination: configuration, provider, and then the way of a message, until something fails."""

import functools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from postroom import (
    DeliveringSender,
    MailError,
    MailSenderFactory,
    MailSendError,
    Provider,
    ProviderRegistry,
    Step,
)
from postroom_cli import environment, limited
from postroom_cli.doctor import verdict, worker
from postroom_cli.doctor.configuration import Configuration
from postroom_cli.doctor.report import Caution, Report, Taken
from postroom_cli.doctor.worker import Worker

_LOADING = 8.0  # seconds to import a provider, and as many to make a sender of it

_log = logging.getLogger("postroom.doctor")


def examine(
    config: object = None,
    *,
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    provider: str | None = None,
    send_to: str | None = None,
    registry: ProviderRegistry | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Report:
    """Find out why mail does not arrive. Takes half a minute at most, and sends nothing unless `send_to` is given.

    Args:
        config: The application's configuration object or mapping, as `create_from_dify_config` takes it.
        environ: Variables behind it; those of the process when None.
        env_file: File with further variables, behind those.
        provider: Name of a provider to look at in place of the one that `MAIL_TYPE` names.
        send_to: Address to send a mail to at the end.
        registry: Where to look for providers.
        progress: Called with the name of each step that was taken.

    Raises:
        click.ClickException: The file cannot be read.
    """
    registry = registry or ProviderRegistry()
    found = Configuration(
        config=config,
        environ=os.environ if environ is None else environ,
        file=environment.variables(env_file) if env_file else {},
        file_name=str(env_file),
        overrides={"MAIL_TYPE": provider} if provider else {},
    )
    report = Report()
    until = time.monotonic() + worker.LIMIT
    chosen: Provider | None = None
    try:
        name = str(found.source.get("MAIL_TYPE"))
        chosen = limited.loaded(name, lambda: found.source.provider(registry), registry, _LOADING)
        if chosen is None:
            _unset(report, found, registry)
            return report
        registration = registry.registration(chosen.name)
        report.provider = chosen.name
        report.distribution = str(registration) if registration else None
        sender = limited.loaded(name, functools.partial(_built, report, found, chosen, registry), registry, _LOADING)
        _way(Worker(sender, send_to, until).steps(), report, progress)
    except MailError as error:
        _fail(report, error, chosen, found)
    else:
        _well(report, send_to)
    return report


def _unset(report: Report, found: Configuration, registry: ProviderRegistry) -> None:
    report.failed, report.exit_code = "configuration", 2
    report.cause = "MAIL_TYPE is not set, so no mail is sent"
    slip, names = found.slip(), registry.names()
    if slip is not None:
        report.remedy = f"Rename {slip} to MAIL_TYPE"
    elif names:
        report.remedy = f"Set MAIL_TYPE to one of {', '.join(names)}"
    else:
        report.remedy = "Install a provider, such as postroom-smtp-basic, and set MAIL_TYPE to its name"


def _built(report: Report, found: Configuration, chosen: Provider, registry: ProviderRegistry) -> DeliveringSender:
    report.settings = found.settings(chosen)
    report.warnings = list(found.warnings(chosen, registry))
    sender = MailSenderFactory.create_from_dify_config(found.first, environ=found.behind, registry=registry)
    assert sender is not None  # noqa: S101  MAIL_TYPE is set
    return sender


def _way(
    steps: Iterator[Step],
    report: Report,
    progress: Callable[[str], None],
) -> None:
    started = time.monotonic()
    try:
        for step in steps:
            report.steps.append(Taken(step.name, "ok", _since(started), step.said, dict(step.facts)))
            progress(step.name)
            if step.warning:
                report.warnings.append(Caution(step.warning, _advice(step.warning)))
            if step.name == "send":
                report.receipt = dict(step.facts)
            started = time.monotonic()
    except MailSendError as error:
        report.steps.append(Taken(error.stage or "check", "failed", _since(started), error.reason, {}))
        raise


def _fail(report: Report, error: MailError, chosen: Provider | None, found: Configuration) -> None:
    _log.debug("the examination ends with %s", type(error).__name__, exc_info=error)
    told = verdict.of(error, chosen, found)
    if isinstance(error, MailSendError):
        report.failed = report.steps[-1].name
    else:
        report.failed = "configuration" if chosen is not None else "provider"
    report.error = verdict.as_data(error)
    report.cause, report.remedy, report.source, report.exit_code = told.cause, told.remedy, told.source, told.exit_code


def _well(report: Report, send_to: str | None) -> None:
    done = f"a mail to {send_to} is accepted" if send_to else "everything up to the message itself works"
    if report.warnings:
        first = report.warnings[0]
        report.cause, report.remedy = f"{done}, but {first.text}", first.remedy
    else:
        report.cause = done
        report.remedy = None if send_to else "To see a mail arrive: postroom doctor --send-to ADDRESS"


def _advice(warning: str) -> str:
    advice = warning.rpartition(": ")[2]
    return advice[:1].upper() + advice[1:]


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)
