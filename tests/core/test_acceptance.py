"""A default sender that no mail can come from is told when a sender is made, and by every check."""

import logging
from collections.abc import Callable, Iterator

import attrs
import pytest

from postroom import (
    Address,
    DeliveringSender,
    Limit,
    MailMessage,
    MailMessageError,
    MailRejectedError,
    MailSenderFactory,
    Outcome,
    Provider,
    ProviderRegistry,
    Receipt,
    Rule,
    SenderSettings,
    Step,
)

SOURCE = "https://pigeons.example/names"
NAME = "no names with a capital Z"
ZOE = "Zoë <zoe@example.org>"
SAID = f"every message from {ZOE} is refused: pigeon takes {NAME}; this message has Zoë ({SOURCE})"
Finds = Callable[[MailMessage], str | None]


class Pigeon:
    """A transport that counts who asks."""

    asked = 0

    def deliver(self, message: MailMessage) -> Receipt:
        """Take it."""
        return Receipt(message.message_id, "pigeon", accepted=message.recipients)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Count."""
        self.asked += 1

    def close(self) -> None:
        """Do nothing."""


class Homing(Pigeon):
    """One that knows its way."""

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Count."""
        self.asked += 1
        yield Step("auth", "arrived")


def of(message: MailMessage) -> Address:
    """Return the sender of a message."""
    assert message.from_ is not None
    return message.from_


def by_name(message: MailMessage) -> str | None:
    """Find a name that begins with Z."""
    return of(message).name if of(message).name.startswith("Z") else None


def made(
    finds: Finds, default_from: str | None = ZOE, transport: Pigeon | None = None, *rules: Rule
) -> DeliveringSender:
    """Return a sender of a provider with one limit."""
    registry = ProviderRegistry()
    limits = [Limit(NAME, finds, source=SOURCE)]
    registry.add(Provider("pigeon", SenderSettings, lambda _: transport or Pigeon(), limits=limits, rules=rules))
    return MailSenderFactory.create_sender("pigeon", {"default_from": default_from}, registry=registry)


def test_a_sender_that_no_mail_can_come_from_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It has the variable, the rule, what breaks it, and who says so; the sender is made all the same."""
    with caplog.at_level(logging.WARNING, "postroom"):
        sender = made(by_name)
    assert [record.getMessage() for record in caplog.records] == [f"mail: pigeon: MAIL_DEFAULT_SEND_FROM: {SAID}"]
    assert sender.deliver(MailMessage("grace@example.com", "Hello", "x", "ada@example.com")).accepted


@pytest.mark.parametrize("kind", [Pigeon, Homing])
def test_every_check_says_no(kind: type[Pigeon], caplog: pytest.LogCaptureFixture) -> None:
    """The connection is not tried: whatever it says, no mail of this sender goes out."""
    transport = kind()
    sender = made(by_name, ZOE, transport)
    checks: list[Callable[[], object]] = [sender.check_connection, lambda: list(sender.probe())]
    for check in checks:
        with pytest.raises(MailRejectedError) as caught:
            check()
        error = caught.value
        assert str(error) == f"pigeon: {SAID}. Change MAIL_DEFAULT_SEND_FROM"
        assert (error.stage, error.outcome, error.transient) == ("sender", Outcome.NOT_SENT, False)
    assert sender.test_connection() is False
    assert transport.asked == 0


def test_what_the_check_says_is_what_a_send_says() -> None:
    """A message that names no sender is refused by the same limit."""
    with pytest.raises(MailMessageError, match=NAME):
        made(by_name).send(MailMessage("grace@example.com", "Hello", "x"))


def test_the_limit_is_the_diagnosis() -> None:
    """Rule and page come from the limit, not from a provider's own rule about senders."""
    general = Rule(meaning="The sender is not verified", remedy="Verify it", source="-", stage="sender")
    limits = [Limit(NAME, by_name, source=SOURCE)]
    provider = Provider("pigeon", SenderSettings, print, limits=limits, rules=[general])
    rule = provider.diagnose(MailRejectedError(SAID, stage="sender"))
    assert rule is not None
    assert rule.meaning == f"Every message of the default sender is refused: the provider takes {NAME}"
    assert (rule.remedy, rule.source) == ("Change MAIL_DEFAULT_SEND_FROM", SOURCE)
    assert provider.diagnose(MailRejectedError("zoe is not verified", stage="sender")) == general


def raises(message: MailMessage) -> str | None:
    """Fail at a name that is not ASCII, as a bug would."""
    of(message).name.encode("ascii")
    return None


ABOUT_THE_SENDER: dict[str, Finds] = {
    "its name": by_name,
    "its local part": lambda message: of(message).local_part if of(message).local_part == "zoe" else None,
    "its domain": lambda message: of(message).domain if of(message).domain == "example.org" else None,
    "addresses of all kinds": lambda message: next(
        (each.spec for each in [of(message), *message.to] if each.spec == "zoe@example.org"), None
    ),
    "a bug": raises,
}
ABOUT_SOMETHING_ELSE: dict[str, Finds] = {
    "nothing": lambda message: None,
    "everything": lambda message: "a subject" if message.subject else None,
    "recipients of its domain": lambda message: "one" if message.to[0].domain == "example.org" else None,
    "recipients of other domains": lambda message: "one" if message.to[0].domain != "a.example" else None,
    "mail to oneself": lambda message: of(message).spec if of(message).spec in message.recipients else None,
    "mail across domains": lambda message: "one" if message.to[0].domain != of(message).domain else None,
    "text without HTML": lambda message: "none" if not message.html else None,
    "a bug": lambda message: str(len(message.subject) // 0),
}  # fmt: skip


@pytest.mark.parametrize("case", ABOUT_THE_SENDER)
def test_what_is_about_the_sender_is_told(case: str) -> None:
    """Whatever part of it a limit looks at, by whatever means."""
    assert not made(ABOUT_THE_SENDER[case]).test_connection()


@pytest.mark.parametrize("case", ABOUT_SOMETHING_ELSE)
def test_what_may_be_about_something_else_is_not_told(case: str) -> None:
    """A limit that lets some messages of the sender pass, or none of any sender, is no reason to change the sender."""
    assert made(ABOUT_SOMETHING_ELSE[case]).test_connection()


@pytest.mark.parametrize("default_from", [None, "dify"])
def test_without_a_sender_there_is_nothing_to_tell(default_from: str | None) -> None:
    """None is set, or what is set is no address, of which the settings warn."""
    assert made(by_name, default_from).test_connection()


def test_a_check_of_a_providers_own_counts(caplog: pytest.LogCaptureFixture) -> None:
    """A `Provider` with a `check` beyond its limits is asked in the same way."""

    @attrs.frozen
    class Strict(Provider):
        def check(self, message: MailMessage) -> None:
            if of(message).name:
                raise MailMessageError("pigeons cannot read names")

    registry = ProviderRegistry()
    registry.add(Strict("pigeon", SenderSettings, lambda _: Pigeon()))
    sender = MailSenderFactory.create_sender("pigeon", {"default_from": ZOE}, registry=registry)
    assert "pigeons cannot read names" in caplog.text
    assert not sender.test_connection()
