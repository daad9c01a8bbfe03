"""What the factory returns: default sender, observers, and every error in our own words."""

import itertools
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import pytest

from postroom import (
    Attachment,
    Capability,
    DeliveringSender,
    Leaving,
    Limit,
    MailAuthError,
    MailError,
    MailMessage,
    MailMessageError,
    MailRecipientsError,
    MailSenderFactory,
    MailSendError,
    MailTimeoutError,
    Outcome,
    Provider,
    ProviderRegistry,
    Receipt,
    Refusal,
    SenderSettings,
    hookimpl,
)

SECRET = "hunter2"
GONE = Refusal(550, "5.1.1", "no such user", transient=False)
BUSY = Refusal(450, "4.2.1", "mailbox busy", transient=True)


class Pigeon:
    """A transport that does what a test says, and keeps what it was given."""

    def __init__(
        self, act: Callable[[MailMessage], Any] | None = None, check: Callable[[], None] | None = None
    ) -> None:
        self.act = act or (lambda message: Receipt(message.message_id, "pigeon", accepted=message.recipients))
        self.check = check
        self.sent: list[MailMessage] = []
        self.closed = 0

    def deliver(self, message: MailMessage) -> Receipt:
        """Keep the message, and act."""
        self.sent.append(message)
        receipt: Receipt = self.act(message)
        return receipt

    def is_configured(self) -> bool:
        """Say no, so that the answer is seen to come from here."""
        return False

    def check_connection(self) -> None:
        """Do what the test says."""
        if self.check is not None:
            self.check()

    def close(self) -> None:
        """Count."""
        self.closed += 1


class Plain:
    """The least that sends: no receipt, and a probe that answers yes or no."""

    def __init__(
        self, act: Callable[[MailMessage], None] | None = None, probe: Callable[[], bool] | None = None
    ) -> None:
        self.act = act
        self.probe = probe
        self.sent: list[MailMessage] = []

    def send(self, message: MailMessage) -> None:
        """Keep the message, and act."""
        self.sent.append(message)
        if self.act is not None:
            self.act(message)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def test_connection(self) -> bool:
        """Do what the test says."""
        return self.probe() if self.probe else True


class Observer:
    """Keeps what became of each message."""

    def __init__(self) -> None:
        self.sent: list[tuple[MailMessage, Receipt]] = []
        self.failed: list[tuple[MailMessage, MailError]] = []

    @hookimpl
    def postroom_message_sent(self, message: MailMessage, receipt: Receipt) -> None:
        """Keep both."""
        self.sent.append((message, receipt))

    @hookimpl
    def postroom_message_failed(self, message: MailMessage, error: MailError) -> None:
        """Keep both."""
        self.failed.append((message, error))


class Broken:
    """Fails whatever it is told."""

    @hookimpl
    def postroom_message_sent(self) -> None:
        """Fail."""
        raise RuntimeError("observer is down")

    @hookimpl
    def postroom_message_failed(self) -> None:
        """Fail."""
        raise RuntimeError("observer is down")


def sender_of(
    transport: Pigeon | Plain,
    registry: ProviderRegistry,
    capabilities: frozenset[Capability] = frozenset(),
    *limits: Limit,
    **settings: object,
) -> DeliveringSender:
    """Return the sender that the factory puts around a transport."""
    registry.add(
        Provider("pigeon", SenderSettings, lambda settings: transport, capabilities=capabilities, limits=limits)
    )
    return MailSenderFactory.create_sender("pigeon", settings, registry=registry)


def raising(error: BaseException) -> Callable[..., Any]:
    """Return a function that raises this error."""

    def act(*args: object) -> None:
        raise error

    return act


class ForeignError(Exception):
    """What a library that core does not know raises; like that of requests, it quotes what it was given."""


FOREIGN = [
    KeyError(SECRET),
    OSError(5, SECRET),
    ConnectionResetError(104, SECRET),
    TimeoutError(SECRET),
    ValueError(SECRET),
    ssl.SSLCertVerificationError(1, SECRET),
    UnicodeEncodeError("ascii", SECRET, 0, 1, "no"),
    ForeignError(f"POST https://example.com?key={SECRET}"),
    AssertionError(),
]


def test_the_default_sender_is_filled_in(registry: ProviderRegistry) -> None:
    """A message without sender goes out with `default_from`; the caller's message is not changed."""
    pigeon = Pigeon()
    sender = sender_of(pigeon, registry, default_from="Loft <loft@example.com>")
    message = MailMessage("grace@example.com", "Hello", "x")
    before = attrs.evolve(message)
    receipt = sender.deliver(message)
    (sent,) = pigeon.sent
    assert message == before
    assert message.from_ is None
    assert str(sent.from_) == "Loft <loft@example.com>"
    assert (sent.id, sent.date, sent.idempotency_key) == (message.id, message.date, message.idempotency_key)
    assert receipt.message_id == f"<{message.id}@example.com>"
    sender.deliver(message)
    assert pigeon.sent[0] == pigeon.sent[1]


def test_a_messages_own_sender_goes_first(registry: ProviderRegistry, message: MailMessage) -> None:
    """A message that names its sender is sent as it is, the same object."""
    pigeon = Pigeon()
    sender_of(pigeon, registry, default_from="loft@example.com").send(message)
    assert pigeon.sent[0] is message


def test_without_any_sender_the_message_is_refused(registry: ProviderRegistry) -> None:
    """A message without sender, where no default is set, is refused with what to set."""
    pigeon = Pigeon()
    with pytest.raises(MailMessageError, match="no sender: set from_, or MAIL_DEFAULT_SEND_FROM"):
        sender_of(pigeon, registry).send(MailMessage("grace@example.com", "Hello", "x"))
    assert pigeon.sent == []


@pytest.mark.parametrize(
    ("default", "advice"),
    [
        ("dify", ""),
        ("a@example.com, b@example.com", ""),
        ("a@exam ple.com", ""),
        ("a@b.c\nBcc: d@e.f", ""),
        ("Acme, Inc. <a@example.com>", 'Put the name into quotes: "Acme, Inc." <a@example.com>'),
        ("a@example.com; b@example.com", "Separate addresses with a comma (,)"),
    ],
)
def test_a_bad_default_sender_is_said_early_and_refused_late(
    registry: ProviderRegistry, caplog: pytest.LogCaptureFixture, message: MailMessage, default: str, advice: str
) -> None:
    """A default sender that is none is a WARNING with what to do at first, and an error only when it is needed."""
    pigeon = Pigeon()
    sender = sender_of(pigeon, registry, default_from=default)
    (record,) = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "postroom.factory")
    assert record.getMessage().startswith("mail: pigeon: MAIL_DEFAULT_SEND_FROM: this cannot be a sender: ")
    assert record.getMessage().endswith(advice)
    sender.send(message)
    assert len(pigeon.sent) == 1
    with pytest.raises(MailMessageError, match=r"^MAIL_DEFAULT_SEND_FROM: ") as caught:
        sender.send(MailMessage("grace@example.com", "Hello", "x"))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(advice)
    assert len(pigeon.sent) == 1


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("transport", [Pigeon, Plain])
def test_a_foreign_exception_is_an_unknown_outcome(
    registry: ProviderRegistry, message: MailMessage, error: Exception, transport: Any
) -> None:
    """Whatever else a provider raises is a `MailSendError` of unknown outcome; its class is said, not its text."""
    with pytest.raises(MailSendError) as caught:
        sender_of(transport(raising(error)), registry).send(message)
    assert str(caught.value) == (
        f"pigeon: unexpected {type(error).__name__} in the provider. It is a bug of the provider: report it with the "
        "traceback. The message may have been sent: do not send it again before you know"
    )
    assert caught.value.__cause__ is error
    assert (caught.value.outcome, caught.value.provider, caught.value.transient) == (Outcome.UNKNOWN, "pigeon", False)
    assert caught.value.safe_to_retry is False


class Telling(Pigeon):
    """A transport that tells when a message leaves, and fails before or after that."""

    def __init__(self, error: Exception, *, left: bool) -> None:
        super().__init__()
        self.error, self.left = error, left

    def deliver(self, message: MailMessage, *, leaving: Leaving | None = None) -> Receipt:
        """Fail."""
        if self.left and leaving is not None:
            leaving(message)
        raise self.error

    def deliver_many(
        self, messages: Iterable[MailMessage], *, leaving: Leaving | None = None
    ) -> Iterator[Receipt | MailError]:
        """Take two, let the first one leave if any shall, and fail."""
        first, _ = itertools.islice(messages, 2)
        if self.left and leaving is not None:
            leaving(first)
        yield from ()
        raise self.error


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("left", [False, True])
def test_a_foreign_exception_before_a_message_leaves_sent_nothing(
    registry: ProviderRegistry, message: MailMessage, error: Exception, left: bool
) -> None:
    """A transport that tells when a message leaves is believed, and core need not guess."""
    sender = sender_of(Telling(error, left=left), registry)
    with pytest.raises(MailSendError) as caught:
        sender.send(message)
    assert caught.value.outcome is (Outcome.UNKNOWN if left else Outcome.NOT_SENT)
    assert ("may have been sent" in str(caught.value)) is left
    first, second, *_ = sender.deliver_many([message, attrs.evolve(message, id="second"), message, message])
    assert isinstance(first, MailSendError)
    assert isinstance(second, MailSendError)
    assert (first.outcome, second.outcome) == (Outcome.UNKNOWN if left else Outcome.NOT_SENT, Outcome.NOT_SENT)


def test_an_accepted_message_is_not_taken_for_the_same_one_that_is_lost(
    registry: ProviderRegistry, message: MailMessage
) -> None:
    """What has left and was accepted is forgotten, so the same message behind it counts for itself."""

    class Twice(Pigeon):
        def deliver_many(
            self, messages: Iterable[MailMessage], *, leaving: Leaving | None = None
        ) -> Iterator[Receipt | MailError]:
            first, _ = itertools.islice(messages, 2)
            assert leaving is not None
            leaving(first)
            yield Receipt(first.message_id, "pigeon", accepted=first.recipients)
            raise KeyError

    first, second = sender_of(Twice(), registry).deliver_many([message, message])
    assert isinstance(first, Receipt)
    assert isinstance(second, MailSendError)
    assert second.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "transport", [lambda act: Pigeon(check=act), lambda act: Plain(probe=act)], ids=["pigeon", "plain"]
)
def test_a_foreign_exception_of_the_check_sent_nothing(
    registry: ProviderRegistry, caplog: pytest.LogCaptureFixture, error: Exception, transport: Any
) -> None:
    """`check_connection` wraps what a provider raises too, and since it sends nothing, nothing was sent."""
    sender = sender_of(transport(raising(error)), registry)
    with pytest.raises(MailSendError) as caught:
        sender.check_connection()
    assert str(caught.value) == (
        f"pigeon: unexpected {type(error).__name__} in the provider. It is a bug of the provider: report it with the "
        "traceback"
    )
    assert caught.value.__cause__ is error
    assert caught.value.outcome is Outcome.NOT_SENT
    assert sender.test_connection() is False
    assert SECRET not in caplog.text


def test_what_is_no_exception_passes(registry: ProviderRegistry, message: MailMessage) -> None:
    """An interrupt is not an error of the provider: it passes through, and no observer is told."""
    observer = Observer()
    registry.register(observer)
    with pytest.raises(KeyboardInterrupt):
        sender_of(Pigeon(raising(KeyboardInterrupt())), registry).send(message)
    assert observer.failed == []


def test_a_transport_that_returns_no_receipt_is_a_bug_of_the_provider(
    registry: ProviderRegistry, message: MailMessage
) -> None:
    """A `deliver` that returns something else leaves the outcome unknown, and no observer is told that it was sent."""
    observer = Observer()
    registry.register(observer)
    with pytest.raises(MailSendError, match="unexpected TypeError in the provider") as caught:
        sender_of(Pigeon(lambda message: None), registry).deliver(message)
    assert str(caught.value.__cause__) == "deliver returned NoneType, not a Receipt"
    assert caught.value.outcome is Outcome.UNKNOWN
    assert observer.sent == []


@pytest.mark.parametrize("transport", [Pigeon, Plain])
def test_our_own_errors_pass_with_the_provider_filled_in(
    registry: ProviderRegistry, message: MailMessage, transport: Any
) -> None:
    """A `MailError` reaches the caller as it is; a send error that names no provider gets its name."""
    for error in (MailAuthError("535", code=535), MailTimeoutError("late", outcome=Outcome.UNKNOWN)):
        with pytest.raises(type(error)) as caught:
            sender_of(transport(raising(error)), registry).send(message)
        assert caught.value is error
        assert error.provider == "pigeon"
    named = MailAuthError("535", provider="dove")
    with pytest.raises(MailAuthError):
        sender_of(transport(raising(named)), registry).send(message)
    assert named.provider == "dove"
    refused = MailMessageError("too large")
    with pytest.raises(MailMessageError) as late:
        sender_of(transport(raising(refused)), registry).send(message)
    assert late.value is refused


def test_our_own_errors_of_the_check_pass_too(registry: ProviderRegistry) -> None:
    """`check_connection` raises what the provider says, with the provider filled in."""
    error = MailAuthError("535")
    with pytest.raises(MailAuthError, match=r"^pigeon: 535$"):
        sender_of(Pigeon(check=raising(error)), registry).check_connection()
    other = MailMessageError("odd")
    with pytest.raises(MailMessageError, match=r"^odd$"):
        sender_of(Pigeon(check=raising(other)), registry).check_connection()
    sender_of(Pigeon(), registry).check_connection()


def partial(message: MailMessage, refusals: dict[str, Refusal]) -> Receipt:
    """Return a receipt in which these recipients are refused."""
    accepted = tuple(address for address in message.recipients if address not in refusals)
    return Receipt(message.message_id, "pigeon", accepted=accepted, refused=refusals)


def test_a_partial_refusal_is_a_receipt_for_deliver_and_an_error_for_send(registry: ProviderRegistry) -> None:
    """`deliver` returns who was refused; `send`, which returns nothing, raises it with the receipt: nobody is lost."""
    message = MailMessage("a@example.com, b@example.com, c@example.com", "Hello", "x", "d@example.com")
    refusals = {"b@example.com": GONE, "c@example.com": BUSY}
    sender = sender_of(Pigeon(lambda message: partial(message, refusals)), registry)
    receipt = sender.deliver(message)
    assert (receipt.outcome, receipt.accepted, receipt.refused) == (Outcome.PARTIAL, ("a@example.com",), refusals)
    with pytest.raises(MailRecipientsError) as caught:
        sender.send(message)
    error = caught.value
    assert str(error) == (
        "pigeon: 2 of 3 recipients were refused: b@example.com (no such user), c@example.com (mailbox busy). "
        "The others have the mail: send again to the refused ones only"
    )
    assert (error.outcome, error.receipt, error.refused, error.stage) == (Outcome.PARTIAL, receipt, refusals, "rcpt")
    assert (error.transient, error.safe_to_retry) == (False, False)


def test_a_partial_refusal_is_transient_if_all_of_it_is(registry: ProviderRegistry) -> None:
    """A second attempt at the refused is worth it only if every refusal is transient; a long list is cut."""
    names = [f"r{number}@example.com" for number in range(5)]
    message = MailMessage(["a@example.com", *names], "Hello", "x", "d@example.com")
    with pytest.raises(MailRecipientsError) as caught:
        sender_of(Pigeon(lambda message: partial(message, dict.fromkeys(names, BUSY))), registry).send(message)
    assert caught.value.transient is True
    assert "r2@example.com (mailbox busy), …." in str(caught.value)
    assert "r3@example.com" not in str(caught.value)
    assert list(caught.value.refused) == names


@pytest.mark.parametrize("transport", [Pigeon, Plain])
def test_what_the_provider_cannot_carry_is_refused_by_name(registry: ProviderRegistry, transport: Any) -> None:
    """A message that uses what the provider does not declare is refused with the names, and nothing is dropped."""
    made = transport()
    message = MailMessage(
        "grace@example.com",
        "Hello",
        "x",
        "a@example.com",
        attachments=[Attachment("a", b"")],
        tags=["t"],
        headers={"X-A": "1"},
    )
    sender = sender_of(made, registry, frozenset({Capability.HEADERS}))
    with pytest.raises(MailMessageError) as caught:
        sender.send(message)
    assert str(caught.value) == "pigeon cannot carry attachments, tags: leave it out, or send by another provider"
    assert made.sent == []
    every = frozenset({Capability.HEADERS, Capability.TAGS, Capability.ATTACHMENTS})
    sender_of(made, registry, every).send(message)
    assert made.sent == [message]


@pytest.mark.parametrize("method", ["send", "deliver"])
@pytest.mark.parametrize("transport", [Pigeon, Plain])
def test_what_breaks_a_limit_is_refused_before_the_provider_sees_it(
    registry: ProviderRegistry, message: MailMessage, transport: Any, method: str
) -> None:
    """`send` and `deliver` say what the service takes, what this message has, and where the service says so."""
    made, observer = transport(), Observer()
    registry.register(observer)
    limit = Limit("light letters", lambda message: "5 grams", source="https://example.com/weights")
    with pytest.raises(MailMessageError) as caught:
        getattr(sender_of(made, registry, frozenset(), limit), method)(message)
    assert type(caught.value) is MailMessageError
    assert str(caught.value) == "pigeon takes light letters; this message has 5 grams (https://example.com/weights)"
    assert made.sent == []
    assert observer.failed == [(message, caught.value)]


def test_a_limit_sees_the_default_sender(registry: ProviderRegistry) -> None:
    """What a limit looks at is what would be sent: the sender is filled in, from the message or from the settings."""
    seen = []

    def breach(message: MailMessage) -> None:
        seen.append(str(message.from_))

    sender = sender_of(Pigeon(), registry, frozenset(), Limit("any", breach, source="-"), default_from="d@example.com")
    assert set(seen) == {"d@example.com"}  # asked about it when the sender is made
    seen.clear()
    sender.send(MailMessage("grace@example.com", "Hello", "x"))
    sender.send(MailMessage("grace@example.com", "Hello", "x", "own@example.com"))
    assert seen == ["d@example.com", "own@example.com"]


@pytest.mark.parametrize("method", ["send", "deliver"])
def test_a_limit_that_fails_is_a_bug_of_the_provider(
    registry: ProviderRegistry, message: MailMessage, method: str
) -> None:
    """A limit that raises stops the message, which is certainly not sent, and the error says whose bug it is."""
    pigeon = Pigeon()
    limit = Limit("any", raising(KeyError(SECRET)), source="-")
    with pytest.raises(MailSendError) as caught:
        getattr(sender_of(pigeon, registry, frozenset(), limit), method)(message)
    assert str(caught.value) == (
        "pigeon: unexpected KeyError in the provider. It is a bug of the provider: report it with the traceback"
    )
    assert (caught.value.outcome, caught.value.safe_to_retry) == (Outcome.NOT_SENT, True)
    assert pigeon.sent == []


@pytest.mark.parametrize("thing", [None, "message", {"to": "a@example.com"}], ids=repr)
def test_what_is_no_message_is_refused(registry: ProviderRegistry, thing: Any) -> None:
    """What is not a `MailMessage` is refused with its type before the provider sees it."""
    pigeon = Pigeon()
    with pytest.raises(MailMessageError, match=f"send takes a MailMessage, not {type(thing).__name__}"):
        sender_of(pigeon, registry).send(thing)
    assert pigeon.sent == []


def test_test_connection_answers_yes_or_no(registry: ProviderRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """`test_connection` never raises: it says no, and logs one WARNING with the reason."""
    assert sender_of(Pigeon(), registry).test_connection() is True
    assert sender_of(Plain(), registry).test_connection() is True
    assert caplog.records == []
    assert sender_of(Pigeon(check=raising(MailAuthError("535 no"))), registry).test_connection() is False
    assert sender_of(Plain(probe=lambda: False), registry).test_connection() is False
    assert [(record.levelno, record.name, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "postroom.delivery", "mail: pigeon: connection test failed: 535 no"),
        (
            logging.WARNING,
            "postroom.delivery",
            "mail: pigeon: connection test failed: the connection test failed; the log says why",
        ),
    ]


def test_is_configured_is_the_providers_answer(registry: ProviderRegistry) -> None:
    """`is_configured` passes on what the provider says."""
    assert sender_of(Pigeon(), registry).is_configured() is False
    assert sender_of(Plain(), registry).is_configured() is True


def test_a_plain_sender_gets_a_receipt(registry: ProviderRegistry) -> None:
    """A sender that returns nothing has sent to everybody: the receipt says so."""
    plain = Plain()
    message = MailMessage("a@example.com", "Hello", "x", cc="b@example.com", bcc="a@example.com")
    receipt = sender_of(plain, registry, default_from="d@example.com").deliver(message)
    assert receipt == Receipt(f"<{message.id}@example.com>", "pigeon", accepted=("a@example.com", "b@example.com"))
    assert str(plain.sent[0].from_) == "d@example.com"


def test_a_sender_is_a_context_manager(registry: ProviderRegistry, message: MailMessage) -> None:
    """Leaving the `with` block closes the transport, also by an error, which passes; closing twice is harmless."""
    pigeon = Pigeon()
    with sender_of(pigeon, registry) as sender:
        sender.send(message)
        assert pigeon.closed == 0
    assert pigeon.closed == 1
    with pytest.raises(ZeroDivisionError), sender:
        raise ZeroDivisionError
    sender.close()
    assert pigeon.closed == 3
    sender.send(message)
    plain = sender_of(Plain(), registry)
    with plain as same:
        assert same is plain


def test_a_sender_shows_its_provider_alone(registry: ProviderRegistry) -> None:
    """The repr of a sender names the provider, and neither settings nor transport; both can be asked for."""
    pigeon = Pigeon()
    sender: Any = sender_of(pigeon, registry, default_from="secret@example.com")
    assert repr(sender) == "<Delivery by pigeon>"
    assert sender.provider == "pigeon"
    assert sender.transport is pigeon


def test_observers_are_told_after_acceptance(registry: ProviderRegistry) -> None:
    """An accepted message is told with its receipt and its sender; an observer that raises changes nothing."""
    first, last = Observer(), Observer()
    for observer in (first, Broken(), last):
        registry.register(observer)
    message = MailMessage("grace@example.com", "Hello", "x")
    receipt = sender_of(Pigeon(), registry, default_from="d@example.com").deliver(message)
    for observer in (first, last):
        ((told, told_receipt),) = observer.sent
        assert told_receipt is receipt
        assert (told.id, str(told.from_)) == (message.id, "d@example.com")
        assert observer.failed == []


def test_observers_are_told_of_a_partial_refusal_as_sent(registry: ProviderRegistry, message: MailMessage) -> None:
    """A message that some recipients got is sent, for observers, even where `send` raises for the others."""
    observer = Observer()
    registry.register(observer)
    message = attrs.evolve(message, cc="b@example.com")
    sender = sender_of(Pigeon(lambda message: partial(message, {"b@example.com": GONE})), registry)
    with pytest.raises(MailRecipientsError):
        sender.send(message)
    assert [receipt.outcome for _, receipt in observer.sent] == [Outcome.PARTIAL]
    assert observer.failed == []


@pytest.mark.parametrize("error", [MailAuthError("535"), MailMessageError("too large"), KeyError("x")], ids=repr)
def test_observers_are_told_of_a_failure(registry: ProviderRegistry, message: MailMessage, error: Exception) -> None:
    """A failed message is told with the error that the caller is about to see; a broken observer hides nothing."""
    first, last = Observer(), Observer()
    for observer in (first, Broken(), last):
        registry.register(observer)
    with pytest.raises(MailError) as caught:
        sender_of(Pigeon(raising(error)), registry).send(message)
    for observer in (first, last):
        ((told, told_error),) = observer.failed
        assert told is message
        assert told_error is caught.value
        assert observer.sent == []


def test_observers_are_told_of_what_never_left(registry: ProviderRegistry) -> None:
    """A message that is refused before the provider sees it is a failure too."""
    observer = Observer()
    registry.register(observer)
    message = MailMessage("grace@example.com", "Hello", "x")
    with pytest.raises(MailMessageError) as caught:
        sender_of(Pigeon(), registry).send(message)
    assert observer.failed == [(message, caught.value)]


def test_observers_hear_of_their_registry_alone(registry: ProviderRegistry, message: MailMessage) -> None:
    """An observer of one registry does not hear of senders of another."""
    observer = Observer()
    ProviderRegistry().register(observer)
    sender_of(Pigeon(), registry).send(message)
    assert observer.sent == []


def test_an_observer_that_comes_later_is_told_too(registry: ProviderRegistry, message: MailMessage) -> None:
    """Observers may register after a sender has been made."""
    sender = sender_of(Pigeon(), registry)
    observer = Observer()
    registry.register(observer)
    sender.send(message)
    assert len(observer.sent) == 1
