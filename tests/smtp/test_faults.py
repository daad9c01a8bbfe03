"""What is reported agrees with what the server has taken, wherever the connection breaks."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from fault_server import FaultServer, Moment
from postroom import Attachment, DeliveringSender, MailMessage, MailSendError, Outcome, Receipt
from postroom_smtp.sender import SmtpSender
from postroom_smtp.settings import SmtpSettings
from postroom_testing.smtp import Action, Reset, SmtpServer
from smtp_checks import message, sender

THREADS = 8
DEPTH = 10  # messages in doubt at the most when a connection breaks
VARIANTS = {
    "PIPELINING and CHUNKING": (("PIPELINING", "CHUNKING", "8BITMIME"), 1_700),
    "PIPELINING": (("PIPELINING", "8BITMIME"), 1_700),
    "neither": ((), 1_600),
}
Outcomes = dict[str, Outcome]


def outcome(result: object) -> Outcome:
    """Return what a result says became of the message."""
    assert isinstance(result, Receipt | MailSendError), repr(result)
    assert "bug of the provider" not in str(result), repr(result)
    return result.outcome


def one_by_one(made: DeliveringSender, messages: Sequence[MailMessage]) -> Outcomes:
    """Send each by itself."""
    found: Outcomes = {}
    for each in messages:
        try:
            made.send(each)
            found[each.message_id] = Outcome.ACCEPTED
        except MailSendError as error:
            found[each.message_id] = outcome(error)
    return found


def together(made: DeliveringSender, messages: Sequence[MailMessage]) -> Outcomes:
    """Send many at a time, one `deliver_many` after the other."""
    found: Outcomes = {}
    for start in range(0, len(messages), 60):
        part = messages[start : start + 60]
        for each, result in zip(part, made.deliver_many(part), strict=True):
            found[each.message_id] = outcome(result)
    return found


def mixed(number: int, dice: random.Random) -> MailMessage:
    """Return a message that is small, or, once in 25 times, too large for the buffers of a socket."""
    file = Attachment("film.bin", bytes(400_000), "application/octet-stream")
    return message(
        subject=f"Number {number}",
        text="A line.\n.A line with a dot.\n" * dice.randrange(1, 60),
        attachments=[file] if dice.random() < 0.04 else [],
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_report_agrees_with_the_log_of_a_server_that_breaks_its_connections(variant: str) -> None:
    """Accepted is in the log once, not sent is not in it, unknown is at most once in it, and nothing is sent twice."""
    extensions, count = VARIANTS[variant]
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    messages = [mixed(number, dice) for number in range(count)]
    parts = [messages[number::THREADS] for number in range(THREADS)]
    ways: list[Callable[[DeliveringSender, Sequence[MailMessage]], Outcomes]] = [one_by_one, together]
    outcomes: Outcomes = {}
    with (
        FaultServer(extensions, seed=seed, rate=0.04) as server,
        ThreadPoolExecutor(THREADS) as threads,
        sender(server.settings(pool_size=THREADS, timeout=20)) as made,
    ):
        runs = [threads.submit(ways[number % 2], made, part) for number, part in enumerate(parts)]
        for run in runs:
            outcomes.update(run.result(60))
    log = Counter(each.decode() for each in server.taken)
    told = Counter(outcomes.values())
    kills = sum(server.kills.values())
    said = f"{variant}, seed {seed}: {count} messages, {server.connections} connections, {kills} broken; {dict(told)}"
    print(said)
    assert outcomes.keys() == {each.message_id for each in messages}, said
    assert told.keys() <= {Outcome.ACCEPTED, Outcome.NOT_SENT, Outcome.UNKNOWN}, said
    for each, what in outcomes.items():
        match what:
            case Outcome.ACCEPTED:
                assert log[each] == 1, said
            case Outcome.NOT_SENT:
                assert log[each] == 0, said
            case _:
                assert log[each] <= 1, said
    assert log.keys() <= outcomes.keys(), said
    assert told[Outcome.UNKNOWN] <= kills * DEPTH, said
    assert {moment for moment, _ in server.kills} == {*Moment}, said
    assert told[Outcome.ACCEPTED] > count / 2, said


def one_window(made: SmtpSender, messages: Sequence[MailMessage]) -> list[Outcome]:
    return [outcome(result) for result in made.deliver_many(messages)]


@pytest.fixture
def pipelining() -> Iterator[SmtpServer]:
    """A server with PIPELINING that takes the second message and resets, with a small buffer for what follows it."""
    script: dict[str, Action | list[Action]] = {".": [b"250 taken\r\n", Reset()]}
    with SmtpServer(script, extensions=["PIPELINING"], receive_buffer=4096) as server:
        yield server


def test_a_message_that_left_with_a_part_of_the_next_envelope_is_not_offered_again(pipelining: SmtpServer) -> None:
    """The envelope behind the final dot may fail to leave; the message before the dot may have been taken."""
    domain = ".".join(["x" * 60] * 3)
    crowd = [f"{number:06}@{domain}.example" for number in range(30_000)]  # 6 MB, more than the buffers of a socket
    made = SmtpSender(SmtpSettings(server=pipelining.host, port=pipelining.port), "smtp")
    messages = [message(subject="one"), message(subject="two"), message(subject="three", to=crowd)]
    results = one_window(made, messages)
    made.close()
    bodies = [body for body in pipelining.wait().bodies if b"Subject: two" in body]
    assert len(bodies) == 1
    assert results[1] is Outcome.UNKNOWN
