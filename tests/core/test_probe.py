"""A probe through core: the steps of a transport, and remedies from the rules."""

from collections.abc import Iterator

import pytest

from postroom import (
    Address,
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailMessage,
    MailMessageError,
    MailSenderFactory,
    MailSendError,
    ProbeTransport,
    Provider,
    ProviderRegistry,
    Receipt,
    Rule,
    SenderSettings,
    Step,
)

LOST = Rule(meaning="The loft is shut", remedy="Check {default_from}", source="https://example.com", stage="connect")
MESSAGE = MailMessage("grace@example.com", "Hello", "<p>Hello</p>", "ada@example.com")


class Pigeon:
    """A transport that fails as it is told, and knows no steps."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def deliver(self, message: MailMessage) -> Receipt:
        """Fail, or accept."""
        self.check_connection()
        return Receipt(message.message_id, "pigeon", accepted=message.recipients)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Fail, or do nothing."""
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Do nothing."""


class Homing(Pigeon):
    """One that knows its way."""

    asked: tuple[Address | None, Address | None] | None = None

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Take off, and fail or arrive."""
        self.asked = (sender, recipient)
        yield Step("connect", "took off", {"height": 3})
        self.check_connection()
        yield Step("auth", "arrived")


def sender_of(transport: Pigeon, default_from: str | None = None, *rules: Rule) -> DeliveringSender:
    """Return a sender over the transport."""
    registry = ProviderRegistry()
    registry.add(Provider("pigeon", SenderSettings, lambda _: transport, rules=rules))
    return MailSenderFactory.create_sender("pigeon", {"default_from": default_from}, registry=registry)


def steps_of(made: DeliveringSender, recipient: str | None = None) -> list[Step]:
    """Return the steps of a sender's probe."""
    return list(made.probe(recipient))


def test_a_transport_that_knows_its_way_is_asked_for_the_steps() -> None:
    """It gets the default sender and the recipient as addresses."""
    transport = Homing()
    assert isinstance(transport, ProbeTransport)
    steps = steps_of(sender_of(transport, "Ada <ada@example.com>"), "Grace <grace@example.com>")
    assert [step.name for step in steps] == ["connect", "auth"]
    assert transport.asked == (Address.parse("Ada <ada@example.com>"), Address.parse("Grace <grace@example.com>"))
    steps_of(sender_of(transport))
    assert transport.asked == (None, None)


def test_a_default_sender_that_is_no_address_is_not_asked_about() -> None:
    """Core warns of it when the sender is made."""
    transport = Homing()
    steps_of(sender_of(transport, "dify"))
    assert transport.asked == (None, None)


def test_another_transport_is_checked_as_a_whole() -> None:
    """It has one step."""
    assert not isinstance(Pigeon(), ProbeTransport)
    assert [step.name for step in steps_of(sender_of(Pigeon()))] == ["check"]


@pytest.mark.parametrize("kind", [Pigeon, Homing])
def test_a_failed_step_has_the_remedy_of_the_rules(kind: type[Pigeon]) -> None:
    """The variables are those of the provider, and so is the name."""
    made = sender_of(kind(MailConnectionError("no way", stage="connect")), None, LOST)
    with pytest.raises(MailConnectionError) as caught:
        steps_of(made)
    assert str(caught.value) == "pigeon: no way. Check MAIL_DEFAULT_SEND_FROM"


@pytest.mark.parametrize("kind", [Pigeon, Homing])
def test_a_foreign_exception_becomes_ours(kind: type[Pigeon]) -> None:
    """Its text stays out of the error."""
    with pytest.raises(MailSendError, match="unexpected RuntimeError in the provider"):
        steps_of(sender_of(kind(RuntimeError("hunter2"))))


def test_what_is_no_address_is_refused_before_anything_is_done() -> None:
    """A recipient that cannot be one costs no connection."""
    transport = Homing()
    with pytest.raises(MailMessageError):
        steps_of(sender_of(transport), "nobody")
    assert transport.asked is None


def test_a_send_has_the_remedy_of_the_rules_unless_the_transport_knows_better() -> None:
    """The rule that holds says what to do, and an error that has a remedy keeps it."""
    for error, remedy in (
        (MailConnectionError("no way", stage="connect"), "Check MAIL_DEFAULT_SEND_FROM"),
        (MailConnectionError("no way", stage="connect", remedy="Feed it"), "Feed it"),
        (MailAuthError("who?", stage="auth"), None),
    ):
        made = sender_of(Pigeon(error), None, LOST)
        with pytest.raises(MailSendError) as caught:
            made.deliver(MESSAGE)
        (result,) = made.deliver_many([MESSAGE])
        assert isinstance(result, MailSendError)
        assert (caught.value.remedy, result.remedy) == (remedy, remedy)
