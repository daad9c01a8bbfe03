"""Local variables of the calls that an error came through: what error trackers show, and what they must not find."""

import traceback
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from postroom import (
    DeliveringSender,
    MailConfigError,
    MailError,
    MailMessage,
    MailRejectedError,
    MailSenderFactory,
    MailSendError,
    Provider,
    ProviderRegistry,
    Receipt,
    Secret,
    SenderSettings,
    setting,
)
from postroom.traces import forget_locals

HERE = __file__
PASSWORD = "correct horse battery staple"
BODY = "Your code is 12345."


@attrs.frozen(kw_only=True)
class Settings(SenderSettings):
    """A secret, and a number that may be wrong."""

    password: Secret = attrs.field(metadata=setting("password", secret=True))
    number: int = attrs.field(default=1, metadata=setting("a number"))


class Leaky:
    """A transport that has secrets in its local variables when it fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def deliver(self, message: MailMessage) -> Receipt:
        """Fail with a context of its own."""
        password, body = PASSWORD, message.text
        try:
            self._login(f"AUTH {password}")
        except ValueError as error:
            raise self.error from error
        raise AssertionError(body)

    def _login(self, command: str) -> None:
        octets = command.encode()
        raise ValueError(len(octets))

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Fail."""
        self._login(PASSWORD)

    def close(self) -> None:
        """Release nothing."""


def shown(error: BaseException | None, seen: tuple[int, ...] = ()) -> Iterator[str]:
    """Yield the local variables of every frame of an exception and of those behind it, tests left out."""
    if error is None or id(error) in seen:
        return
    trace = error.__traceback__
    while trace is not None:
        code, values = trace.tb_frame.f_code, trace.tb_frame.f_locals.values()
        if code.co_filename != HERE or code.co_name in ("deliver", "_login"):
            yield from map(repr, values)
        trace = trace.tb_next
    for each in (error.__cause__, error.__context__):
        yield from shown(each, (*seen, id(error)))


def assert_silent(error: BaseException) -> None:
    """Assert that nothing secret is shown."""
    for value in shown(error):
        assert PASSWORD not in value
        assert BODY not in value


def sender_of(error: Exception) -> DeliveringSender:
    """Return a sender by a leaky transport."""
    registry = ProviderRegistry()
    registry.add(Provider("leaky", SenderSettings, lambda _: Leaky(error)))
    return MailSenderFactory.create_sender("leaky", {}, registry=registry)


@pytest.mark.parametrize("error", [MailRejectedError("no"), KeyError("no")], ids=["ours", "foreign"])
def test_an_error_of_a_provider_shows_no_local_variable(error: Exception) -> None:
    """Neither one of ours nor a foreign one, nor what is behind them; the lines of code are still there."""
    made = sender_of(error)
    message = MailMessage("ada@example.com", "Hello", text=BODY, from_="grace@example.com")
    with pytest.raises(MailSendError) as caught:
        made.deliver(message)
    assert_silent(caught.value)
    assert "raise ValueError(len(octets))" in "".join(traceback.format_exception(caught.value))
    first, second = made.deliver_many([message, message])
    for result in (first, second):
        assert isinstance(result, MailSendError)
        assert_silent(result)
    with pytest.raises(MailSendError) as caught:
        made.check_connection()
    assert_silent(caught.value)


@pytest.mark.parametrize("config", [{"password": PASSWORD, "number": "x"}, {"pasword": PASSWORD}])
def test_an_error_of_the_settings_shows_no_local_variable(config: dict[str, object]) -> None:
    """The raw configuration has every secret in it: as a mapping, as an object, in the environment."""
    registry = ProviderRegistry()
    registry.add(Provider("leaky", Settings, lambda _: Leaky(KeyError())))
    with pytest.raises(MailConfigError) as caught:
        MailSenderFactory.create_sender("leaky", config, registry=registry)
    assert_silent(caught.value)
    variables = {"MAIL_TYPE": "leaky", **{f"LEAKY_{name.upper()}": str(value) for name, value in config.items()}}
    for given in ({"dify_config": variables}, {"dify_config": None, "environ": variables}):
        with pytest.raises(MailConfigError) as caught:
            MailSenderFactory.create_from_dify_config(registry=registry, **given)
        assert_silent(caught.value)


def test_a_generator_that_waits_to_go_on_is_left_alone() -> None:
    """Its frame is in the traceback of what it has caught, and it has more to yield."""

    def results() -> Iterator[MailError | str]:
        try:
            raise MailRejectedError("no")
        except MailRejectedError as error:
            yield error
        yield "more"

    made: Any = results()
    error = next(made)
    forget_locals(error)
    with pytest.raises(MailRejectedError):
        raise error  # so that its traceback has further frames
    forget_locals(error)
    assert next(made) == "more"


def test_a_generator_that_has_failed_keeps_nothing() -> None:
    """It does not go on."""

    def _login() -> Iterator[str]:
        password = PASSWORD
        yield "connected"
        raise MailRejectedError(str(len(password)))

    made = _login()
    next(made)
    with pytest.raises(MailRejectedError) as caught:
        next(made)
    forget_locals(caught.value)
    assert_silent(caught.value)


def test_a_circle_of_causes_ends() -> None:
    """Whatever refers to whatever."""
    first, second = ValueError(), ValueError()
    first.__cause__, second.__context__ = second, first
    forget_locals(ExceptionGroup("both", [first, second]))
    assert first.__traceback__ is None
