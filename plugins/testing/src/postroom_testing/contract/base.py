"""What the groups of checks share: the author's part, a service for each check, and what a send has come to."""

import contextlib
import io
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FrameType
from typing import ClassVar

import attrs
import pytest

from postroom import (
    Concealer,
    DeliveringSender,
    MailMessage,
    MailSender,
    MailSenderFactory,
    Provider,
    ProviderRegistry,
    Receipt,
    Registration,
    Secret,
    SenderSettings,
    Transport,
    describe,
)
from postroom_testing.contract.cases import USUAL, Case, Expected
from postroom_testing.contract.services import Place, Running, Service, nowhere

SENDER = "Sender <sender@example.com>"


@attrs.frozen
class Played:
    """What one send has come to."""

    receipt: Receipt | None
    error: BaseException | None
    log: str
    """All that was logged meanwhile, by anybody, with tracebacks."""
    ended: bool
    """False if the sender did not come back at all."""


class Contract:
    """The part that the author of a provider writes. Derive from `SenderContract`, which has the checks.

    `settings` and `server` are needed, and `provider`, the name.
    """

    provider: ClassVar[str]
    """What `MAIL_TYPE` calls the provider."""
    server: ClassVar[Service]
    """The service: an `HttpService` with its answers, or an `SmtpService`."""
    expected: ClassVar[Mapping[Case, Expected]] = {}
    """What the service's errors are where they are not the usual ones."""
    impatient: ClassVar[Mapping[str, object]] = {"timeout": 0.5, "deadline": 1.0}
    """Settings with which the sender gives up within a few seconds; those that it does not have are left out."""
    patience: ClassVar[float] = 20.0
    """Seconds until a sender that does not come back is given up."""
    sends_many_at_once: ClassVar[int] = 5
    """How many messages each of 16 threads sends."""

    _kept: ClassVar[dict[tuple[type, Case], Played]] = {}

    def settings(self, place: Place) -> Mapping[str, object]:
        """Return settings by field name that lead to the service. A secret should be no ordinary word."""
        raise NotImplementedError("write settings(self, place): settings by field name that lead to the service")

    # --- For the checks. ---

    @pytest.fixture
    def service(self) -> Iterator[Running]:
        """Run the service for one check."""
        with self.server.start() as running:
            yield running

    @pytest.fixture
    def sender(self, service: Running) -> Iterator[DeliveringSender]:
        """Make a sender that leads to the service."""
        with self.made(service.place) as made:
            yield made

    @property
    def registration(self) -> Registration:
        """The entry point."""
        found = [each for each in ProviderRegistry().registrations if each.name == self.provider]
        assert len(found) == 1, (
            f"{len(found)} entry points named {self.provider!r} in the group mail.senders: install the distribution "
            f'(pip install -e .), with [project.entry-points."mail.senders"] {self.provider} = "your_package.plugin"'
        )
        return found[0]

    @property
    def registered(self) -> Provider:
        """What the plugin registers."""
        return ProviderRegistry().provider(self.provider, {})

    def values(self, place: Place, **more: object) -> dict[str, object]:
        """Return the author's settings, with `more` on top, where the provider has such a field."""
        known = {field.name for field in attrs.fields(self.registered.settings)}
        extra = {name: value for name, value in more.items() if name in known}
        return {"default_from": SENDER, **self.settings(place), **extra}

    def made(self, place: Place, **more: object) -> DeliveringSender:
        """Make a sender."""
        return MailSenderFactory.create_sender(self.provider, self.values(place, **more), registry=ProviderRegistry())

    def loaded(self, place: Place) -> SenderSettings:
        """Return the author's settings, validated, as the provider's `build` gets them."""
        seen: list[SenderSettings] = []
        registered = self.registered

        def build(settings: SenderSettings) -> Transport | MailSender:
            seen.append(settings)
            return registered.build(settings)

        registry = ProviderRegistry("postroom.testing")  # in which nobody else is
        registry.add(attrs.evolve(registered, build=build))
        MailSenderFactory.create_sender(self.provider, self.values(place), registry=registry).close()
        return seen[0]

    def secrets(self, place: Place) -> list[str]:
        """Return the secrets among the author's settings."""
        given = self.settings(place)
        names = [info.field for info in describe(self.registered.settings, "") if info.secret and info.field in given]
        values = [given[name] for name in names]
        return [value.reveal() if isinstance(value, Secret) else str(value) for value in values]

    def want(self, case: Case) -> Expected:
        """Return what the error of a case must be."""
        return {**USUAL, **self.expected}[case]

    def needs(self, case: Case) -> None:
        """Leave a check out that is about something which the service cannot play."""
        if case not in self.server.cases:
            pytest.skip(f"this service never is {case.value}")

    def played(self, case: Case) -> Played:
        """Send one message in this case, once for all checks, and return what it has come to."""
        key = (type(self), case)
        if key not in self._kept:
            self._kept[key] = self._play(case)
        return self._kept[key]

    def _play(self, case: Case) -> Played:
        with self.server.start() as service:
            place = service.place
            if case is Case.REFUSED:
                place = nowhere(place)
            else:
                service.play(case)
            slow = self.impatient if case in (Case.SILENT, Case.DRIPPING, Case.SLOW_HEAD) else {}
            with log_of_everybody() as log, self.made(place, **slow) as sender:
                message = MailMessage("grace@example.com", "Hello", "<p>Hello.</p>")
                ended, result = within_reason(self.patience, lambda: sender.deliver(message))
            error = result if isinstance(result, BaseException) else None
            return Played(result if isinstance(result, Receipt) else None, error, log.getvalue(), ended)


def within_reason(seconds: float, call: Callable[[], object]) -> tuple[bool, object]:
    """Call, and return True with what is returned or raised; False if it does not come back."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001  whatever it is, a check looks at it
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return (True, results[0]) if results else (False, None)


@contextlib.contextmanager
def log_of_everybody() -> Iterator[io.StringIO]:
    """Yield what is logged, by any logger and from DEBUG on."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in [*logging.root.manager.loggerDict])]
    levels = [logger.level for logger in loggers]
    logging.getLogger().addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG if logger is logging.root else logging.NOTSET)
    try:
        yield written
    finally:
        logging.getLogger().removeHandler(handler)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def everything_shown(error: BaseException) -> str:
    """Return all that an error shows, to people and to error trackers.

    That is its text and what it carries, the local variables of each call that it came through, and the same of what it
    was raised from and of what was being handled then, even where Python hides that.
    """
    shown = ["".join(traceback.format_exception(error))]
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        link = todo.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        shown += [repr(link), str(link), repr(link.args), repr(vars(link))]
        shown += [_local_variables(frame) for frame, _ in traceback.walk_tb(link.__traceback__)]
        todo += [link.__cause__, link.__context__, *(each for each in link.args if isinstance(each, BaseException))]
    with contextlib.suppress(Exception):
        shown.append(pickle.dumps(error).decode("utf-8", "replace"))
    return "\n".join(shown)


def _local_variables(frame: FrameType) -> str:
    shown = []
    for value in frame.f_locals.values():
        with contextlib.suppress(Exception):
            shown.append(repr(value))
    return "\n".join(shown)


def secret_in(text: str, secrets: Iterable[str]) -> str | None:
    """Return where a text shows a secret or a piece of one: as it is, in base64, in a URL, in JSON or in HTML."""
    hidden = Concealer(*secrets).conceal(text)
    if hidden == text:
        return None
    at = next(at for at, (one, other) in enumerate(zip(hidden, text, strict=False)) if one != other)
    return text[max(0, at - 60) : at + 60]
