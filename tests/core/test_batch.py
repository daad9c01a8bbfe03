"""`deliver_many`: one result for each message, in order, whatever the caller, the service or the transport does."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom import (
    BatchTransport,
    DeliveringSender,
    Limit,
    MailAuthError,
    MailError,
    MailMessage,
    MailMessageError,
    MailRateLimitError,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Provider,
    ProviderRegistry,
    Receipt,
    SenderSettings,
    Transport,
    hookimpl,
)
from smtp_servers import RealServer

Result = Receipt | MailError
Many = Iterator[MailMessage]

NO_TAGS = "pigeon cannot carry tags: leave it out, or send by another provider"
BUG = "It is a bug of the provider: report it with the traceback"
DO_NOT_REPEAT = f"{BUG}. The message may have been sent: do not send it again before you know"


class Pigeon:
    """A transport that sends one at a time, and keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def deliver(self, message: MailMessage) -> Receipt:
        """Send one; an id that begins with an x makes it fail."""
        self.sent.append(message.id)
        if message.id.startswith("x"):
            raise MailRateLimitError("450 slow down", code=450)
        return Receipt(message.message_id, "pigeon", accepted=message.recipients)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Reach nothing."""

    def close(self) -> None:
        """Release nothing."""


class Flock(Pigeon):
    """A transport that sends many, in the way that a test gives: a function from it and the messages to results."""

    def __init__(self, fly: "Callable[[Flock, Many], Iterator[Any]]") -> None:
        super().__init__()
        self.fly = fly
        self.flights = 0

    def deliver_many(self, messages: Iterable[MailMessage]) -> Iterator[Result]:
        """Do what the test says."""
        self.flights += 1
        return self.fly(self, iter(messages))


def _name(message: object) -> object:
    return message.id if isinstance(message, MailMessage) else message


class Observer:
    """Keeps what became of each message, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, Result]] = []

    @hookimpl
    def postroom_message_sent(self, message: MailMessage, receipt: Receipt) -> None:
        """Keep both."""
        self.seen.append((_name(message), receipt))

    @hookimpl
    def postroom_message_failed(self, message: MailMessage, error: MailError) -> None:
        """Keep both."""
        self.seen.append((_name(message), error))


def mail(name: str) -> MailMessage:
    """Return a message; a name that begins with a minus sign makes one that the provider cannot carry."""
    refused = name.startswith("-")
    to = f"{name.strip('-')}@example.com"
    return MailMessage(to, "Hello", "x", "ada@example.com", tags=["t"] if refused else [], id=name)


def mails(names: str) -> list[MailMessage]:
    """Return one message for each word."""
    return [mail(name) for name in names.split()]


def windows(size: int) -> Flock:
    """Return a transport that sends this many together, as a good one does."""

    def fly(flock: Flock, messages: Many) -> Iterator[Receipt | MailError]:
        while window := list(itertools.islice(messages, size)):
            results: list[Receipt | MailError] = []
            for message in window:
                try:
                    results.append(flock.deliver(message))
                except MailError as error:
                    results.append(error)
            yield from results

    return Flock(fly)


def sender_of(transport: Transport, registry: ProviderRegistry, *limits: Limit, **given: object) -> DeliveringSender:
    """Return the sender that the factory puts around a transport."""
    registry.add(Provider("pigeon", SenderSettings, lambda settings: transport, limits=limits))
    return MailSenderFactory.create_sender("pigeon", given, registry=registry)


def show(results: Iterable[Result]) -> list[str]:
    """Return a word for each result: the message's name if it was sent, else the error's text."""
    return [
        result.message_id.strip("<").partition("@")[0] if isinstance(result, Receipt) else str(result)
        for result in results
    ]


KINDS = [Pigeon, lambda: windows(1), lambda: windows(2), lambda: windows(100)]
KIND_NAMES = ["one by one", "batches of 1", "batches of 2", "batches of 100"]
every_kind = pytest.mark.parametrize("make", KINDS, ids=KIND_NAMES)


# --- what every transport shares ---------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    "names",
    [
        "a b c",
        "-a b c",
        "a -b c",
        "a b -c",
        "-a -b c",
        "a -b -c d",
        "a b -c -d",
        "-a -b -c",
        "-a b -c -d e -f",
        "x a -b xx -c",
        "",
    ],
)
def test_each_message_has_its_result_in_its_place(registry: ProviderRegistry, make: Any, names: str) -> None:
    """Sent, failed and refused ones come in the order of the messages, wherever the refused ones stand."""
    transport = make()
    expected = [
        NO_TAGS if name[0] == "-" else "pigeon: 450 slow down" if name[0] == "x" else name for name in names.split()
    ]
    assert show(sender_of(transport, registry).deliver_many(mails(names))) == expected
    assert transport.sent == [name for name in names.split() if name[0] != "-"]


@every_kind
def test_nothing_is_sent_before_the_first_result_is_asked_for(registry: ProviderRegistry, make: Any) -> None:
    """A call alone, and `iter` of what it returns, neither reads a message nor sends one."""
    transport = make()
    messages = iter(mails("a b"))
    results = iter(sender_of(transport, registry).deliver_many(messages))
    assert transport.sent == []
    assert show([next(results)]) == ["a"]
    assert transport.sent[0] == "a"


@every_kind
def test_a_result_has_the_errors_of_deliver(registry: ProviderRegistry, make: Any) -> None:
    """The default sender is filled in, and a message without any is refused with the words of `deliver`."""
    transport = make()
    letter = MailMessage("grace@example.com", "Hello", "x", id="a")
    (sent,) = sender_of(transport, registry, default_from="loft@example.org").deliver_many([letter])
    assert isinstance(sent, Receipt)
    assert sent.message_id == "<a@example.org>"
    (error,) = sender_of(transport, registry).deliver_many([letter])
    assert type(error) is MailMessageError
    assert str(error) == "the message has no sender: set from_, or MAIL_DEFAULT_SEND_FROM for all messages"


@every_kind
def test_an_endless_iterable_can_be_left_at_any_time(registry: ProviderRegistry, make: Any) -> None:
    """Messages are read as they are sent, so a generator may have no end; leaving it early is no error."""
    transport = make()
    endless = (mail(f"a{number}") for number in itertools.count())
    results = sender_of(transport, registry).deliver_many(endless)
    assert show(itertools.islice(results, 5)) == ["a0", "a1", "a2", "a3", "a4"]
    results.close()  # type: ignore[attr-defined]  # of a generator, as `for` would
    assert len(transport.sent) <= 100
    assert list(results) == []


@every_kind
def test_endless_refusals_can_be_left_too(registry: ProviderRegistry, make: Any) -> None:
    """A refusal is yielded when its turn comes: no search for a message that can be sent holds it back."""
    transport = make()
    results = sender_of(transport, registry).deliver_many(mail("-a") for _ in itertools.count())
    assert show(itertools.islice(results, 3)) == [NO_TAGS] * 3
    assert transport.sent == []


def test_one_by_one_reads_no_message_ahead(registry: ProviderRegistry) -> None:
    """When a result is there, no later message has been read or sent, so who stops knows what became of all of them."""
    pigeon = Pigeon()
    read: list[str] = []

    def source() -> Iterator[MailMessage]:
        for message in mails("a -b c -d -e f"):
            read.append(message.id)
            yield message

    seen = []
    for result in sender_of(pigeon, registry).deliver_many(source()):
        seen.append(result)
        assert len(read) == len(seen)
        assert pigeon.sent == [name for name in read if name[0] != "-"]
    assert len(seen) == 6


@every_kind
@pytest.mark.parametrize("names", ["a b c", "-a", "a -b", ""])
def test_an_iterable_that_fails_loses_no_message(registry: ProviderRegistry, make: Any, names: str) -> None:
    """What was read before is sent and has its result; then comes the iterable's own exception, the same object."""
    failure = ZeroDivisionError("half-way")

    def source() -> Iterator[MailMessage]:
        yield from mails(names)
        raise failure

    transport = make()
    results = sender_of(transport, registry).deliver_many(source())
    seen = [next(results) for _ in names.split()]
    assert show(seen) == [NO_TAGS if name[0] == "-" else name for name in names.split()]
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert caught.value is failure
    assert transport.sent == [name for name in names.split() if name[0] != "-"]


@every_kind
@pytest.mark.parametrize("failing", [True, False], ids=["after a failure", "after an end"])
def test_an_iterator_that_goes_on_after_its_end_is_left_alone(
    registry: ProviderRegistry, make: Any, failing: bool
) -> None:
    """What an iterator would give after its end or its failure is neither read nor sent."""

    class Odd:
        def __init__(self) -> None:
            self.steps = iter([mail("a"), ZeroDivisionError() if failing else StopIteration(), mail("b")])

        def __iter__(self) -> "Odd":
            return self

        def __next__(self) -> MailMessage:
            step = next(self.steps)
            if isinstance(step, Exception):
                raise step
            return step

    transport, odd = make(), Odd()
    seen: list[Result] = []
    try:
        seen += sender_of(transport, registry).deliver_many(odd)
    except ZeroDivisionError:
        assert failing
    assert transport.sent == ["a"]
    assert [message.id for message in odd] == ["b"]


@every_kind
@pytest.mark.parametrize("thing", [None, "message", 7], ids=repr)
def test_what_is_no_message_is_refused_in_its_place(registry: ProviderRegistry, make: Any, thing: Any) -> None:
    """A stranger among the messages is an error with its type; the others are sent, and observers see no stranger."""
    observer = Observer()
    registry.register(observer)
    results = list(sender_of(make(), registry).deliver_many([mail("a"), thing, mail("b")]))
    assert show(results) == ["a", f"send takes a MailMessage, not {type(thing).__name__}", "b"]
    assert type(results[1]) is MailMessageError
    assert observer.seen == [("a", results[0]), ("b", results[2])]


@every_kind
def test_observers_see_each_message_once_with_its_result(registry: ProviderRegistry, make: Any) -> None:
    """They are told in order, with the very object that the caller gets, before the caller gets it."""
    observer = Observer()
    registry.register(observer)
    names = "-a b xc -d -e f x -g"
    results: list[Result] = []
    for result in sender_of(make(), registry).deliver_many(mails(names)):
        results.append(result)
        assert len(observer.seen) == len(results)
    assert [name for name, _ in observer.seen] == names.split()
    assert all(told is result for (_, told), result in zip(observer.seen, results, strict=True))


@every_kind
def test_a_limit_that_fails_stops_its_message_alone(registry: ProviderRegistry, make: Any) -> None:
    """A bug in a provider's limit sends nothing and says whose bug it is; the other messages go on."""

    def breach(message: MailMessage) -> str | None:
        return str(1 // 0) if message.id == "b" else None

    transport = make()
    sender = sender_of(transport, registry, Limit("whole numbers", breach, source="https://example.com"))
    first, error, last = sender.deliver_many(mails("a b c"))
    assert show([first, last]) == ["a", "c"]
    assert isinstance(error, MailSendError)
    assert str(error) == f"pigeon: unexpected ZeroDivisionError in the provider. {BUG}"
    assert (error.outcome, error.safe_to_retry) == (Outcome.NOT_SENT, True)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert transport.sent == ["a", "c"]


@every_kind
def test_errors_name_the_provider(registry: ProviderRegistry, make: Any) -> None:
    """An error that a transport yields or raises without a provider's name gets it."""
    (error,) = sender_of(make(), registry).deliver_many(mails("x"))
    assert isinstance(error, MailRateLimitError)
    assert (error.provider, error.code, error.outcome) == ("pigeon", 450, Outcome.NOT_SENT)


def test_a_name_that_an_error_has_stays(registry: ProviderRegistry) -> None:
    """A transport may say itself who failed; what is no send error has no place for a name."""
    errors = [MailSendError("no", provider="dove"), MailMessageError("odd")]

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        for _, error in zip(messages, errors, strict=False):
            yield error

    assert show(sender_of(Flock(fly), registry).deliver_many(mails("a b"))) == ["dove: no", "odd"]


def test_a_transport_without_deliver_many_sends_one_by_one() -> None:
    """Whether a transport sends several together is told by its method."""
    assert isinstance(windows(2), BatchTransport)
    assert not isinstance(Pigeon(), BatchTransport)


def test_a_foreign_exception_of_one_message_is_its_own(registry: ProviderRegistry) -> None:
    """One by one, what a provider raises for a message is that message's result, unknown; the others are sent."""

    class Clumsy(Pigeon):
        def deliver(self, message: MailMessage) -> Receipt:
            receipt = super().deliver(message)
            if message.id == "b":
                raise KeyError("hunter2")
            return receipt

    first, error, last = sender_of(Clumsy(), registry).deliver_many(mails("a b c"))
    assert show([first, last]) == ["a", "c"]
    assert isinstance(error, MailSendError)
    assert str(error) == f"pigeon: unexpected KeyError in the provider. {DO_NOT_REPEAT}"
    assert (error.outcome, error.safe_to_retry) == (Outcome.UNKNOWN, False)


# --- transports that misbehave -----------------------------------------------------------------------------------


def lost(kind: str) -> str:
    """Return what is said of a message that a transport has lost by this exception."""
    return f"pigeon: unexpected {kind} in the provider. {DO_NOT_REPEAT}"


def take_three_answer_one(error: BaseException) -> Callable[[Flock, Many], Iterator[Any]]:
    """Return a way to send that fails in its first flight, in the middle."""

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        taken = list(itertools.islice(messages, 3 if flock.flights == 1 else 100))
        yield from map(flock.deliver, taken[:1] if flock.flights == 1 else taken)
        if flock.flights == 1:
            raise error

    return fly


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("a b c d e", ["a", *[lost("KeyError")] * 2, "d", "e"]),
        ("-a b -c d -e f -g h", [NO_TAGS, "b", NO_TAGS, lost("KeyError"), NO_TAGS, lost("KeyError"), NO_TAGS, "h"]),
        ("a b c -d", ["a", *[lost("KeyError")] * 2, NO_TAGS]),
    ],
)
def test_a_transport_that_fails_loses_what_it_had_taken(
    registry: ProviderRegistry, names: str, expected: list[str]
) -> None:
    """A foreign exception leaves the taken without result unknown; refused ones keep their place, the rest is sent."""
    observer = Observer()
    registry.register(observer)
    cause = KeyError("hunter2")
    # A flight ends where nothing but a refused message has come; the one that fails is the first that takes something.
    flock = Flock(take_three_answer_one(cause))
    flock.flights = -1 if names.startswith("-") else 0
    results = list(sender_of(flock, registry).deliver_many(mails(names)))
    assert show(results) == expected
    errors = [result for result in results if isinstance(result, MailSendError)]
    assert [(error.outcome, error.safe_to_retry, error.__cause__) for error in errors] == [
        (Outcome.UNKNOWN, False, cause)
    ] * 2
    assert errors[0] is not errors[1]
    assert observer.seen == list(zip(names.split(), results, strict=True))


def test_an_error_that_a_transport_raises_is_copied(registry: ProviderRegistry) -> None:
    """Each taken message without result gets a copy of it, as it is, with the provider filled in and its traceback."""
    raised = MailRateLimitError("450 slow down", code=450, outcome=Outcome.UNKNOWN, retry_after=3.0, safe_to_retry=True)
    flock = Flock(take_three_answer_one(raised))
    results = list(sender_of(flock, registry).deliver_many(mails("a b c d e")))
    assert show(results) == ["a", *["pigeon: 450 slow down"] * 2, "d", "e"]
    first, second = results[1:3]
    assert isinstance(first, MailRateLimitError)
    assert isinstance(second, MailRateLimitError)
    assert len({id(error) for error in (first, second, raised)}) == 3
    assert vars(first) == vars(second) == {**vars(raised), "provider": "pigeon"}
    assert first.__cause__ is second.__cause__ is raised
    assert flock.flights == 2


def test_a_transport_that_ends_early_loses_what_it_had_taken(registry: ProviderRegistry) -> None:
    """The taken without result are unknown, since they may be under way; the rest is offered anew."""

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        for first in messages:
            next(messages, None)
            yield flock.deliver(first)
            return

    results = list(sender_of(Flock(fly), registry).deliver_many(mails("a b c d e")))
    assert show(results) == ["a", lost("RuntimeError"), "c", lost("RuntimeError"), "e"]
    assert isinstance(results[1], MailSendError)
    assert str(results[1].__cause__) == "deliver_many ended before its messages"


def test_a_transport_that_ends_with_all_answered_is_asked_again(registry: ProviderRegistry) -> None:
    """To end after a part of the messages is allowed: what was not taken is offered anew."""

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        yield from map(flock.deliver, list(itertools.islice(messages, 2)))

    flock = Flock(fly)
    assert show(sender_of(flock, registry).deliver_many(mails("a b -c d e"))) == ["a", "b", NO_TAGS, "d", "e"]
    assert flock.sent == ["a", "b", "d", "e"]


def test_results_that_no_message_has_are_dropped(registry: ProviderRegistry) -> None:
    """A transport that yields too many is stopped; each message has one result, the first."""

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        for message in messages:
            yield flock.deliver(message)
            while True:
                yield Receipt("<too@many>", "pigeon")

    assert show(sender_of(Flock(fly), registry).deliver_many(mails("a -b c"))) == ["a", NO_TAGS, "c"]


@pytest.mark.parametrize("thing", [None, "sent", Receipt, KeyError("x")], ids=repr)
def test_a_result_of_another_type_is_a_bug_of_the_provider(registry: ProviderRegistry, thing: Any) -> None:
    """What is neither a receipt nor a `MailError` leaves its message unknown; observers are told the same."""
    observer = Observer()
    registry.register(observer)

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        for message in messages:
            yield thing if message.id == "b" else flock.deliver(message)

    results = list(sender_of(Flock(fly), registry).deliver_many(mails("a b c")))
    assert show(results) == ["a", lost("TypeError"), "c"]
    assert isinstance(results[1], MailSendError)
    said = f"deliver_many yielded {type(thing).__name__}, not a Receipt or MailError"
    assert str(results[1].__cause__) == said
    assert observer.seen == list(zip("abc", results, strict=True))


def nothing(flock: Flock, messages: Many) -> Iterator[Any]:
    """Take no message, and end."""
    return iter(())


def at_once(flock: Flock, messages: Many) -> Iterator[Any]:
    """Fail in the call itself, before there is anything to iterate over."""
    raise MailAuthError("401 wrong key")


def no_iterator(flock: Flock, messages: Many) -> Iterator[Any]:
    """Return what cannot be iterated over."""
    return None  # type: ignore[return-value]


def unasked(flock: Flock, messages: Many) -> Iterator[Any]:
    """Yield results without end, and take no message."""
    return itertools.repeat(Receipt("<no@body>", "pigeon"))


@pytest.mark.parametrize(
    ("fly", "said"),
    [
        (nothing, lost("RuntimeError")),
        (at_once, "pigeon: 401 wrong key"),
        (no_iterator, lost("TypeError")),
        (unasked, lost("RuntimeError")),
    ],
    ids=["nothing", "at once", "no iterator", "unasked"],
)
def test_a_transport_that_takes_nothing_is_not_asked_for_ever(registry: ProviderRegistry, fly: Any, said: str) -> None:
    """Every message has its error, and the end comes."""
    flock = Flock(fly)
    results = sender_of(flock, registry).deliver_many(mails("a -b c"))
    assert show(results) == [said, NO_TAGS, said]
    assert list(sender_of(flock, registry).deliver_many([])) == []
    endless = sender_of(flock, registry).deliver_many(mail("a") for _ in itertools.count())
    assert show(itertools.islice(endless, 3)) == [said] * 3


def test_a_transport_may_take_all_before_the_first_result(registry: ProviderRegistry) -> None:
    """A transport that reads to the end gives up laziness, not order: refused ones still stand in their place."""
    observer = Observer()
    registry.register(observer)

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        return iter([flock.deliver(message) for message in list(messages)])

    results = list(sender_of(Flock(fly), registry).deliver_many(mails("a -b -c d -e")))
    assert show(results) == ["a", NO_TAGS, NO_TAGS, "d", NO_TAGS]
    assert observer.seen == list(zip(["a", "-b", "-c", "d", "-e"], results, strict=True))


def test_what_is_no_exception_passes_through(registry: ProviderRegistry) -> None:
    """An interrupt in a transport is not the error of a message; what is done is done."""
    results = sender_of(Flock(take_three_answer_one(KeyboardInterrupt())), registry).deliver_many(mails("a b c"))
    assert show([next(results)]) == ["a"]
    with pytest.raises(KeyboardInterrupt):
        next(results)


def test_leaving_early_ends_the_transports_generator(registry: ProviderRegistry) -> None:
    """Closing the results closes what the transport had open for them."""
    ended = []

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        try:
            yield from map(flock.deliver, messages)
        finally:
            ended.append(True)

    results = sender_of(Flock(fly), registry).deliver_many(mails("a b c"))
    next(results)
    results.close()  # type: ignore[attr-defined]  # of a generator, as `for` would
    assert ended == [True]


STEPS = st.sampled_from(["take", "take", "answer", "answer", "flush", "raise", "fail", "stranger", "end", "drain"])


def erratic(steps: list[str]) -> Flock:
    """Return a transport that does one step after the other, from flight to flight, and then sends as it should."""
    script = iter(steps)

    def fly(flock: Flock, messages: Many) -> Iterator[Any]:
        held: list[MailMessage] = []
        for step in script:
            if step == "take":
                held += itertools.islice(messages, 1)
            elif step == "drain":
                held += messages
            elif step == "raise":
                raise KeyError("x")
            elif step == "fail":
                raise MailSendError("no")
            elif step == "stranger":
                yield "sent"
            elif step == "end":
                return
            while held and step in ("answer", "flush"):
                yield flock.deliver(held.pop(0))
                if step == "answer":
                    break
        yield from map(flock.deliver, itertools.chain(held, messages))

    return Flock(fly)


@settings(max_examples=150)
@given(st.lists(st.booleans(), max_size=8), st.lists(STEPS, max_size=12))
def test_whatever_a_transport_does_each_message_has_one_result(good: list[bool], steps: list[str]) -> None:
    """Results and messages pair off: a receipt is its message's own, a refusal stays where it belongs."""
    registry, observer = ProviderRegistry(), Observer()
    registry.register(observer)
    names = [f"{'' if fine else '-'}m{number}" for number, fine in enumerate(good)]
    results = list(sender_of(erratic(steps), registry).deliver_many(map(mail, names)))
    assert observer.seen == list(zip(names, results, strict=True))
    for name, result in observer.seen:
        if str(name).startswith("-"):
            assert str(result) == NO_TAGS
        else:
            assert isinstance(result, MailSendError) or show([result]) == [name]


# --- over the wire -----------------------------------------------------------------------------------------------


def test_smtp_sends_one_after_the_other(real_server: Callable[..., RealServer]) -> None:
    """A refused recipient is the result of its message alone; the server has the others, in order."""
    server = real_server(refuse={"b@example.com": "550 5.1.1 no such user"})
    names = ["a", "b", "c"]
    with MailSenderFactory.create_sender("smtp-basic", server.settings()) as sender:
        first, error, last = sender.deliver_many(map(mail, names))
    assert show([first, last]) == ["a", "c"]
    assert isinstance(error, MailSendError)
    assert (error.outcome, error.provider) == (Outcome.NOT_SENT, "smtp-basic")
    assert "no such user" in str(error)
    assert [message.rcpt_tos for message in server.messages] == [["a@example.com"], ["c@example.com"]]


def test_smtp_yields_the_receipt_of_a_partial_refusal(real_server: Callable[..., RealServer]) -> None:
    """As `deliver` does: who was refused stands in the receipt, and it is no error."""
    server = real_server(refuse={"b@example.com": "550 5.1.1 no such user"})
    both = attrs.evolve(mail("a"), cc="b@example.com")
    with MailSenderFactory.create_sender("smtp-basic", server.settings()) as sender:
        (receipt,) = sender.deliver_many([both])
    assert isinstance(receipt, Receipt)
    assert (receipt.outcome, receipt.accepted) == (Outcome.PARTIAL, ("a@example.com",))
    assert list(receipt.refused) == ["b@example.com"]
