"""Code of other people: whatever it raises is its own failure, and what comes from outside passes."""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from distributions import write_pigeon
from postroom import (
    Limit,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Provider,
    ProviderLoadError,
    ProviderRegistry,
    Receipt,
    Rule,
    SenderSettings,
    Symptom,
    foreign,
    hookimpl,
)
from postroom_testing import write_distribution


def leave() -> None:
    """End the process."""
    sys.exit(3)


class OddError(BaseException):
    """What is neither an `Exception` nor one of Python's own."""


class MuteError(Exception):
    """What cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class SilentError(BaseException):
    """What cannot be shown, and ends the process that tries."""

    def __str__(self) -> str:
        leave()
        return ""

    __repr__ = __str__


def cancel() -> None:
    """Run a task that is cancelled: no `raise` statement is left in the traceback."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    asyncio.run(cancelled())


def throw(error: BaseException) -> Callable[[], None]:
    """Return a function that raises an exception."""

    def raise_it() -> None:
        raise error

    return raise_it


FAILURES: dict[str, Callable[[], None]] = {
    "sys.exit": leave,
    "a task that is cancelled": cancel,
    "GeneratorExit": throw(GeneratorExit()),
    "CancelledError": throw(asyncio.CancelledError()),
    "StopIteration": throw(StopIteration()),
    "an exception of its own": throw(OddError("hunter2")),
    "an exception without a text": throw(MuteError()),
    "an exception whose text ends the process": throw(SilentError()),
    "a group": throw(BaseExceptionGroup("several", [OddError()])),
    "an exception that moves the cursor": throw(ValueError("\x1b[2J\n\nhunter2")),
}
failures = pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES.keys())


class Loft:
    """A transport that sends nothing."""

    def deliver(self, message: MailMessage) -> Receipt:
        """Say that it is sent."""
        return Receipt(message.message_id, "loft", accepted=message.recipients)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def build(settings: SenderSettings) -> Loft:
    """Return a transport."""
    return Loft()


PLUGIN = """
    import sys
    from postroom import Provider, SenderSettings, hookimpl

    fail = sys.modules["FAILURES"]["NAME"]
    HERE

    @hookimpl
    def postroom_provider():
        PROVIDER

    @hookimpl
    def postroom_route(config):
        ROUTE
"""


@pytest.mark.parametrize("place", ["HERE", "PROVIDER", "ROUTE"])
@pytest.mark.parametrize("name", FAILURES)
def test_what_a_plugin_raises_is_a_load_error(
    site: Path, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    """In its import and in each hook: one printable line with the distribution, each time alike, and others load."""
    monkeypatch.setitem(sys.modules, "FAILURES", FAILURES)  # type: ignore[arg-type]  # it need not be a module
    source = PLUGIN.replace("NAME", name).replace(place, "fail()")
    for other in ("HERE", "PROVIDER", "ROUTE"):
        source = source.replace(other, "pass")
    write_distribution(site, "acme-owl", {"owl": "owl_plugin"}, modules={"owl_plugin": source})
    write_pigeon(site)
    registry = ProviderRegistry()
    for _ in range(2):
        with pytest.raises(ProviderLoadError) as caught:
            registry.provider("owl", {})
        assert str(caught.value).startswith("mail type owl (acme-owl 1.0, owl_plugin) cannot be loaded: ")
        assert str(caught.value).isprintable()
        assert caught.value.__cause__ is not None
        assert registry.provider("pigeon", {}).name == "pigeon"


@attrs.frozen(kw_only=True)
class Failing(SenderSettings):
    """Settings that fail in one place."""

    FAIL = None
    PLACE = ""

    def _at(self, place: str) -> None:
        if place == type(self).PLACE:
            type(self).FAIL()  # type: ignore[misc]  # it is there where a place is

    def check(self) -> Iterator[tuple[str, str]]:
        """Find nothing wrong."""
        self._at("check")
        return super().check()

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Doubt nothing."""
        self._at("doubts")
        return super().doubts()

    def summary(self) -> dict[str, object]:
        """Say something of a class that another one wrote."""
        return {"loft": Shown(self)}


class Shown:
    """A value that fails when it is shown."""

    def __init__(self, settings: Failing) -> None:
        self.settings = settings

    def __str__(self) -> str:
        self.settings._at("summary")
        return "north"


class Odd(Loft):
    """A transport that fails when it is looked at."""

    def __init__(self, settings: Failing) -> None:
        self.settings = settings

    @property
    def deliver(self) -> Callable[[MailMessage], Receipt]:  # type: ignore[override]
        """Return what sends."""
        self.settings._at("looked at")
        return super().deliver


def odd(settings: Failing) -> Odd:
    """Build a transport."""
    settings._at("build")
    return Odd(settings)


@pytest.mark.parametrize("place", ["check", "doubts", "summary", "build", "looked at"])
@failures
def test_what_a_provider_raises_when_a_sender_is_made_is_a_config_error(place: str, fail: Callable[[], None]) -> None:
    """Nothing but a `MailConfigError` leaves, in one line that quotes nothing; the next sender is made as ever."""
    settings = type("Settings", (Failing,), {"FAIL": staticmethod(fail), "PLACE": place})
    registry = ProviderRegistry()
    registry.add(Provider("owl", settings, odd))
    registry.add(Provider("loft", SenderSettings, build))
    with pytest.raises(ValueError, match=r"^(mail type )?owl.*(:|with) \w+$") as caught:
        MailSenderFactory.create_sender("owl", {}, registry=registry)
    assert "hunter2" not in str(caught.value)
    assert MailSenderFactory.create_sender("loft", {}, registry=registry).is_configured()


@failures
def test_what_an_observer_raises_takes_nothing_with_it(
    message: MailMessage, caplog: pytest.LogCaptureFixture, fail: Callable[[], None]
) -> None:
    """The mail is sent, the other observers are called, and the log names the one that has failed."""
    called: list[object] = []

    class Observer:
        @hookimpl
        def postroom_message_sent(self, receipt: Receipt) -> None:
            called.append(receipt)
            fail()

    registry = ProviderRegistry()
    registry.add(Provider("loft", SenderSettings, build))
    registry.register(Observer())
    registry.register(Observer())
    receipt = MailSenderFactory.create_sender("loft", {}, registry=registry).deliver(message)
    assert called == [receipt, receipt]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "observer Observer" in caplog.text


@failures
def test_an_observer_that_cannot_be_looked_at_is_refused(fail: Callable[[], None]) -> None:
    """Registering runs code of the observer, whose failure is an error of the configuration."""

    class Observer:
        def __dir__(self) -> list[str]:
            fail()
            return []

    with pytest.raises(ValueError, match="cannot register Observer: "):
        ProviderRegistry().register(Observer())


@failures
def test_what_a_limit_or_a_transport_raises_is_a_send_error(message: MailMessage, fail: Callable[[], None]) -> None:
    """Before the transport has the message, it is not sent; afterwards nobody knows. The process goes on."""

    class Broken(Loft):
        def deliver(self, message: MailMessage) -> Receipt:
            fail()
            return super().deliver(message)

    def breach(message: MailMessage) -> str | None:
        if message.subject == "Hello":
            fail()
        return None

    registry = ProviderRegistry()
    limits = [Limit("no feathers", breach, source="https://x.test")]
    registry.add(Provider("owl", SenderSettings, lambda _: Loft(), limits=limits))
    registry.add(Provider("dove", SenderSettings, lambda _: Broken()))
    for name, outcome in (("owl", Outcome.NOT_SENT), ("dove", Outcome.UNKNOWN)):
        with pytest.raises(MailSendError) as caught:
            MailSenderFactory.create_sender(name, {}, registry=registry).send(message)
        assert caught.value.outcome is outcome


@failures
def test_a_rule_that_raises_does_not_hide_the_error(caplog: pytest.LogCaptureFixture, fail: Callable[[], None]) -> None:
    """The rules behind it are asked, and the log says that one has failed."""

    class Broken(Rule):
        def matches(self, symptom: Symptom) -> bool:
            fail()
            return True

    said = {"meaning": "It is so", "source": "https://example.com", "code": "550"}
    rules = [Broken(remedy="Do this", **said), Rule(remedy="Do that", **said)]
    provider = Provider("loft", SenderSettings, build, rules=rules)
    found = provider.diagnose(MailSendError("no", code=550))
    assert found is not None
    assert found.remedy == "Do that"
    assert caplog.messages == ["mail: loft: a rule failed"]


def test_a_users_interrupt_passes(site: Path) -> None:
    """Ctrl-C in a plugin's import is no failure of the plugin: it comes out, and the plugin loads the next time."""
    source = "import signal\nsignal.raise_signal(signal.SIGINT)\n"
    write_distribution(site, "acme-owl", {"owl": "owl_plugin"}, modules={"owl_plugin": source})
    registry = ProviderRegistry()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            registry.provider("owl", {})
    finally:
        signal.signal(signal.SIGINT, before)
    write_pigeon(site)
    assert ProviderRegistry().provider("pigeon", {}).name == "pigeon"


class StopError(Exception):
    """What a time limit raises."""


@pytest.mark.parametrize("error", [SystemExit(0), StopError()])
def test_what_a_signal_handler_raises_passes(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A worker that is told to end while it makes a sender ends, and a time limit stays one."""

    def stop(*_: object) -> None:
        raise error

    def interrupted(settings: SenderSettings) -> Loft:
        signal.raise_signal(signal.SIGTERM)
        return Loft()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        registry = ProviderRegistry()
        registry.add(Provider("loft", SenderSettings, interrupted))
        with pytest.raises(type(error)):
            MailSenderFactory.create_sender("loft", {}, registry=registry)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_kills_a_greenlet_passes() -> None:
    """An exception that is thrown into code that waits comes out as it is."""
    greenlet = pytest.importorskip("greenlet")
    hub = greenlet.getcurrent()

    def waiting(settings: SenderSettings) -> Loft:
        hub.switch()
        return Loft()

    registry = ProviderRegistry()
    registry.add(Provider("loft", SenderSettings, waiting))
    sending = greenlet.greenlet(lambda: MailSenderFactory.create_sender("loft", {}, registry=registry))
    sending.switch()
    with pytest.raises(OddError):
        sending.throw(OddError())


def test_a_class_that_lies_about_its_name_is_named() -> None:
    """The name of a class comes from the class, past its metaclass, and in one printable line."""

    class Liar(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise RuntimeError("no name")

    assert foreign.kind(Liar("Owl\x1b", (), {})()) == "Owl?"


def test_a_long_text_is_cut() -> None:
    """A text of a megabyte makes no line of a megabyte."""
    assert len(foreign.told(ValueError("x" * 1_000_000))) < 1000
