"""Many messages over one connection: order, how many are on their way, and what a broken connection leaves behind."""

import itertools
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom import (
    MailConnectionError,
    MailError,
    MailMessage,
    MailMessageError,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    Outcome,
    Receipt,
)
from postroom_smtp import transaction
from postroom_testing.smtp import Action, Close, Pause, Reset, Silence, SmtpServer
from smtp_checks import QUICK, message, sender

Servers = Callable[..., SmtpServer]
Result = Receipt | MailError
PLAIN, PIPELINING, CHUNKING = SmtpServer.EXTENSIONS, SmtpServer.PIPELINING, SmtpServer.CHUNKING
KINDS = {"plain": PLAIN, "PIPELINING": PIPELINING, "CHUNKING": CHUNKING}
DEPTH = 10
each_kind = pytest.mark.parametrize("kind", KINDS)


def numbered(count: int, **more: object) -> list[MailMessage]:
    """Return messages that are told apart by their text."""
    return [message(text=f"number {number};", **more) for number in range(count)]


def number_of(body: bytes | str) -> int:
    """Return which message it is."""
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    return int(re.findall(r"number (\d+);", text)[0])


def taken(server: SmtpServer) -> list[int]:
    """Return which messages the server has, in their order."""
    return [number_of(body) for body in server.wait().taken]


def outcome(result: Result) -> Outcome:
    """Return what became of a message; nothing may be a bug of ours."""
    assert isinstance(result, Receipt | MailSendError), repr(result)
    assert "bug of the provider" not in str(result), repr(result)
    return result.outcome


def deliver(server: SmtpServer, mails: Sequence[MailMessage], **more: object) -> list[Result]:
    """Return one result for each message."""
    with sender(server.settings(**{"timeout": 5, **more})) as made:
        found = list(made.deliver_many(mails))
    assert len(found) == len(mails)
    for mail, result in zip(mails, found, strict=True):
        assert not isinstance(result, Receipt) or result.message_id == mail.message_id
    server.wait()
    return found


def assert_true(server: SmtpServer, found: Sequence[Result]) -> None:
    """Assert that what is reported is what the server has, and that nothing is there twice."""
    have = taken(server)
    assert len(have) == len(set(have)), "something arrived twice"
    for number, result in enumerate(found):
        match outcome(result):
            case Outcome.ACCEPTED | Outcome.PARTIAL:
                assert number in have, f"{number} was lost"
            case Outcome.NOT_SENT:
                assert number not in have, f"{number} is there"
            case Outcome.UNKNOWN:
                pass


# Round trips


@pytest.mark.parametrize(("kind", "most", "hold"), [("plain", 4.1, 0), ("PIPELINING", 1.1, 0), ("CHUNKING", 0.2, 0.03)])
def test_a_hundred_messages_cost_few_round_trips(smtp_server: Servers, kind: str, most: float, hold: float) -> None:
    """How often the server has to answer before the client goes on; with CHUNKING ten messages wait together."""
    server = smtp_server(extensions=KINDS[kind], hold=hold)
    found = deliver(server, numbered(100))
    assert [outcome(result) for result in found] == [Outcome.ACCEPTED] * 100
    assert server.connections == 1
    assert len(server.groups) - 2 <= most * 100
    assert taken(server) == [*range(100)]


def test_with_pipelining_a_body_brings_the_next_envelope(smtp_server: Servers) -> None:
    """Trap 3: never the body with its own DATA, but the final dot and the next MAIL, RCPT and DATA in one write."""
    server = smtp_server(extensions=PIPELINING, hold=0)
    deliver(server, numbered(3))
    _, _, first, second, third, last = server.groups
    assert [line.split()[0] for line in first.splitlines()] == [b"MAIL", b"RCPT", b"DATA"]
    for group, body in zip((second, third), server.bodies, strict=False):
        assert re.fullmatch(re.escape(body) + rb"\.\r\nMAIL [^\r]+\r\nRCPT [^\r]+\r\nDATA\r\n", group)
    assert last == server.bodies[2] + b".\r\n"


# Mixtures


@each_kind
def test_every_message_has_its_result_in_order_whatever_the_others_meet(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Refused senders, recipients and bodies, what the server's limits rule out, large and small, all in one run."""
    monkeypatch.setattr(transaction, "_ONE_WRITE", 10_000)
    kinds: list[tuple[dict[str, object], type[Result]]] = [
        ({}, Receipt),
        ({"from_": "refused@example.com"}, MailRejectedError),
        ({"to": "refused@example.com"}, MailRecipientsError),
        ({"cc": "refused@example.com"}, Receipt),
        ({"html": "x" * 120_000}, MailMessageError),
        ({"to": "jürgen@example.com"}, MailMessageError),
        ({"html": "<p>\n</p>" * 4000}, Receipt),
        ({"subject": "refused"}, MailRejectedError),
        ({}, Receipt),
    ]
    made = list(itertools.islice(itertools.cycle(kinds), 45))
    mails = [message(**{"text": f"number {number};", **more}) for number, (more, _) in enumerate(made)]

    def refused(given: str) -> Action | None:
        return b"550 5.7.1 no\r\n" if "<refused@" in given or "Subject: refused" in given else None

    extensions = ["SIZE 100000", *(word for word in KINDS[kind] if not word.startswith(("SIZE", "SMTPUTF8")))]
    script = {"MAIL": refused, "RCPT": refused, ".": refused, "BDAT": refused}
    server = smtp_server(script, extensions=extensions)
    found = deliver(server, mails)
    assert [type(result) for result in found] == [kind for _, kind in made]
    accepted = [number for number, result in enumerate(found) if isinstance(result, Receipt)]
    assert taken(server) == accepted
    partial = [number for number, result in enumerate(found) if getattr(result, "outcome", None) is Outcome.PARTIAL]
    assert partial == [*range(3, 45, 9)]
    assert server.connections == 1


def test_trap_8_at_most_ten_messages_are_on_their_way(smtp_server: Servers) -> None:
    """Behind the first, a server that never answers sees ten; those are in doubt, and the others are not."""
    server = smtp_server({"MAIL": [b"250 ok\r\n", Silence()]}, extensions=CHUNKING)
    found = deliver(server, numbered(26), timeout=QUICK)
    assert server.received.count(b"\r\nBDAT ") == 1 + DEPTH + 15
    assert [outcome(result) for result in found] == [
        Outcome.ACCEPTED,
        *[Outcome.UNKNOWN] * DEPTH,
        *[Outcome.ACCEPTED] * 15,
    ]
    assert taken(server) == [0, *range(1 + DEPTH, 26)]


def test_a_server_that_has_not_shown_bdat_leaves_one_message_in_doubt(smtp_server: Servers) -> None:
    """Until it has accepted one by BDAT, none is put behind another."""
    server = smtp_server({"MAIL": [Silence()]}, extensions=CHUNKING)
    found = deliver(server, numbered(5), timeout=QUICK)
    assert [outcome(result) for result in found] == [Outcome.UNKNOWN, *[Outcome.ACCEPTED] * 4]
    assert taken(server) == [1, 2, 3, 4]


def test_a_large_message_goes_alone(smtp_server: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way before it is begun, and nothing follows until it has its result."""
    monkeypatch.setattr(transaction, "_ONE_WRITE", 10_000)
    server = smtp_server(extensions=CHUNKING, hold=0.05)
    mails = numbered(5)
    mails[2] = message(text="number 2;", html="<p>\n</p>" * 4000)
    deliver(server, mails)
    assert [group.count(b"BDAT") for group in server.groups[2:]] == [1, 1, 0, 1, 2]
    assert taken(server) == [*range(5)]


# Lost connections


@pytest.mark.parametrize("lost", range(1, 22))
@each_kind
def test_trap_8_a_connection_that_is_lost_after_so_many_replies_leaves_true_results(
    smtp_server: Servers, kind: str, lost: int
) -> None:
    """Accepted where it was said, unknown where the message had left, and all the others over a new connection."""
    server = smtp_server(extensions=KINDS[kind], lost_after=[lost], hold=0)
    found = deliver(server, numbered(30))
    assert_true(server, found)
    outcomes = [outcome(result) for result in found]
    unsure = outcomes.count(Outcome.UNKNOWN)
    assert unsure <= (DEPTH if kind == "CHUNKING" else 1)
    assert outcomes.count(Outcome.NOT_SENT) <= (DEPTH if lost == 1 else 1)  # without EHLO none can be offered
    assert outcomes[-1] is Outcome.ACCEPTED
    assert server.connections <= 3


@pytest.mark.parametrize("fault", [Close(), Reset()], ids=["close", "reset"])
@pytest.mark.parametrize("place", [0, 1, 5, 12])
@each_kind
def test_trap_8_a_connection_that_is_lost_in_a_body_leaves_true_results(
    smtp_server: Servers, kind: str, place: int, fault: Action
) -> None:
    """In the middle of a chunk the server has nothing of it; what was taken before it is not offered again."""
    moment, fine = ("chunk", b"") if kind == "CHUNKING" else ("body", b"")
    server = smtp_server({moment: [*[fine] * place, fault]}, extensions=KINDS[kind])
    found = deliver(server, numbered(30))
    assert_true(server, found)
    outcomes = [outcome(result) for result in found]
    assert outcomes.count(Outcome.ACCEPTED) >= 30 - DEPTH
    assert outcomes.count(Outcome.NOT_SENT) <= (place == 0)  # on a fresh connection there is nobody else to blame
    assert server.connections == 2


@pytest.mark.parametrize("place", [1, 4])
@each_kind
def test_a_second_connection_that_fails_ends_what_needs_it(smtp_server: Servers, kind: str, place: int) -> None:
    """Lost, and lost again before the greeting: what had not left is not sent, and the rest gets a third connection."""
    moment = "BDAT" if kind == "CHUNKING" else "."
    script = {moment: [*[b"250 ok\r\n"] * place, Close()], "greeting": [b"220 hello\r\n", Close()]}
    server = smtp_server(script, extensions=KINDS[kind])
    found = deliver(server, numbered(30))
    assert_true(server, found)
    outcomes = [outcome(result) for result in found]
    # The reset that answers what the server has not read may overtake its replies.
    before = {Outcome.ACCEPTED, Outcome.UNKNOWN} if kind == "CHUNKING" else {Outcome.ACCEPTED}
    assert {*outcomes[:place]} <= before
    assert outcomes[place] is Outcome.UNKNOWN
    assert server.connections <= 4


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "end"])
@pytest.mark.parametrize("place", [0, 3, 11])
@each_kind
def test_trap_8_421_in_the_middle_leaves_true_results(smtp_server: Servers, kind: str, place: int, moment: str) -> None:
    """It is a verdict on one message; what was behind it is in doubt if it had left, else offered anew."""
    if moment == "end":
        moment = "BDAT" if kind == "CHUNKING" else "."
    server = smtp_server(
        {moment: [*[b"250 ok\r\n"] * place, (b"421 4.3.2 too many\r\n", Close())]}, extensions=KINDS[kind]
    )
    found = deliver(server, numbered(30))
    outcomes = [outcome(result) for result in found]
    refused = [number for number, result in enumerate(found) if getattr(result, "code", None) == 421]
    assert refused in ([], [place])
    have = taken(server)
    assert [number for number in have if outcomes[number] is Outcome.NOT_SENT] in ([], [place])  # had, and refused
    # The reset that answers what the server has not read may overtake its replies.
    before = {Outcome.ACCEPTED, Outcome.UNKNOWN} if kind == "CHUNKING" else {Outcome.ACCEPTED}
    assert {*outcomes[:place]} <= before
    assert outcomes.count(Outcome.UNKNOWN) <= (DEPTH if kind == "CHUNKING" else 0)
    assert len(set(have)) == len(have)
    assert server.connections == 2


def test_trap_7_a_server_that_turns_out_not_to_know_bdat_is_left(smtp_server: Servers) -> None:
    """What it says after that is about text, not about messages; all of them go by DATA over another connection."""
    text = "RSET\nMAIL FROM:<a@example.com>\nRCPT TO:<b@example.com>\nNOOP\n" * 3
    server = smtp_server({"BDAT": b"500 what?\r\n"}, extensions=CHUNKING, swallows=False)
    found = deliver(server, [message(text=f"number {number};\n{text}") for number in range(4)])
    assert all(isinstance(result, Receipt) for result in found)
    assert taken(server) == [0, 1, 2, 3]


def test_a_server_that_forgets_bdat_in_the_middle_leaves_true_results(smtp_server: Servers) -> None:
    """As behind a load balancer: what it refuses goes by DATA, and what was behind that is told as it is."""
    server = smtp_server({"BDAT": [*[b"250 ok\r\n"] * 3, b"502 what?\r\n"]}, extensions=CHUNKING)
    found = deliver(server, numbered(20))
    assert_true(server, found)
    assert [outcome(result) for result in found][:4] == [Outcome.ACCEPTED] * 4


@each_kind
def test_a_connection_that_is_closed_between_two_messages_is_replaced(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One that served a single message counts as used before, so the second message goes over a new one."""
    monkeypatch.setattr(transaction, "_HOT", 0.0)
    moment = "BDAT" if kind == "CHUNKING" else "."
    server = smtp_server({moment: [(b"250 ok\r\n", Close())]}, extensions=KINDS[kind])
    found = deliver(server, numbered(3))
    assert [outcome(result) for result in found] == [Outcome.ACCEPTED] * 3
    assert taken(server) == [0, 1, 2]
    assert server.connections == 2


@each_kind
def test_a_farewell_between_two_messages_is_heard(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A 421 that nothing asked for ends the connection before the next message, which loses nothing by it."""
    monkeypatch.setattr(transaction, "_HOT", 0.0)
    moment = "BDAT" if kind == "CHUNKING" else "."
    server = smtp_server({moment: [(b"250 ok\r\n421 4.4.2 bye\r\n", Close())]}, extensions=KINDS[kind])
    found = deliver(server, numbered(3))
    assert [outcome(result) for result in found] == [Outcome.ACCEPTED] * 3
    assert taken(server) == [0, 1, 2]


@pytest.mark.parametrize("kind", ["plain", "PIPELINING"])
def test_a_refusal_in_the_middle_of_a_body_does_not_keep_the_next_message_waiting(
    smtp_server: Servers, kind: str
) -> None:
    """The server takes the next envelope for text, so that is offered over a new connection at once."""
    large = message(text="number 0;\n" + "x\n" * 2_000_000)
    script = {"body": [(b"552 5.3.4 too big\r\n", Silence())]}
    server = smtp_server(script, extensions=KINDS[kind], receive_buffer=4096)
    started = time.monotonic()
    found = deliver(server, [large, *numbered(2)[1:]], timeout=20)
    assert time.monotonic() - started < 15  # it would wait for replies that never come
    assert [outcome(result) for result in found] == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert getattr(found[0], "code", None) == 552
    assert server.connections == 2


def test_a_server_that_refuses_connections_is_asked_once_for_each_message() -> None:
    """Every message is not sent, and each is an attempt of its own: who stops at the first has tried once."""
    script = {"greeting": (b"554 5.7.1 go away\r\n", Close())}
    with SmtpServer(script) as server:
        found = deliver(server, numbered(35))
        assert [outcome(result) for result in found] == [Outcome.NOT_SENT] * 35
        assert len({id(result) for result in found}) == 35
        assert server.connections == 35


@pytest.mark.parametrize(("kind", "most"), [("plain", 2), ("PIPELINING", 3), ("CHUNKING", 11)])
def test_no_more_messages_are_taken_than_may_be_on_their_way(
    smtp_server: Callable[..., SmtpServer], kind: str, most: int
) -> None:
    """When the second result is there, the iterable was asked for the messages that go together, and no more."""
    taken = []

    def source() -> Iterator[MailMessage]:
        for each in numbered(30):
            taken.append(each)
            yield each

    server = smtp_server(extensions=KINDS[kind])
    with sender(server.settings()) as made:
        results = made.deliver_many(source())
        next(results)
        next(results)
        assert len(taken) == most
        results.close()


def test_nobody_listening_ends_the_run() -> None:
    """No endless loop, one error for each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with sender({"server": "127.0.0.1", "port": port}) as made:
        found = list(made.deliver_many(numbered(25)))
    assert [type(result) for result in found] == [MailConnectionError] * 25
    assert {outcome(result) for result in found} == {Outcome.NOT_SENT}


# The pool and the consumer


@each_kind
def test_the_limit_of_messages_changes_the_connection(smtp_server: Servers, kind: str) -> None:
    """No connection has more messages than `pool_max_messages`, and each says good-bye."""
    server = smtp_server(extensions=KINDS[kind])
    found = deliver(server, numbered(25), pool_max_messages=4)
    assert [outcome(result) for result in found] == [Outcome.ACCEPTED] * 25
    assert taken(server) == [*range(25)]
    assert server.connections == 7
    assert server.verbs.count("QUIT") == 7


def test_a_consumer_that_stops_with_messages_on_their_way_closes_the_connection(smtp_server: Servers) -> None:
    """Their replies would be taken for those of the next message, which gets a new connection."""
    script = {"BDAT": [b"250 first\r\n", b"250 second\r\n", (Pause(0.2), b"250 third\r\n")]}
    server = smtp_server(script, extensions=CHUNKING)
    with sender(server.settings()) as made:
        stream = made.deliver_many(numbered(5))
        assert [outcome(next(stream)) for _ in range(2)] == [Outcome.ACCEPTED] * 2
        stream.close()
        assert made.deliver(message(text="number 99;")).outcome is Outcome.ACCEPTED
    assert taken(server).count(99) == 1
    assert server.connections == 2


@each_kind
def test_a_consumer_that_stops_with_nothing_on_its_way_gives_the_connection_back(
    smtp_server: Servers, kind: str
) -> None:
    """The next message goes over the same connection."""
    server = smtp_server(extensions=KINDS[kind])
    with sender(server.settings()) as made:
        stream = made.deliver_many(numbered(1))
        assert outcome(next(stream)) is Outcome.ACCEPTED
        stream.close()
        assert made.deliver(message(text="number 99;")).outcome is Outcome.ACCEPTED
    assert taken(server) == [0, 99]
    assert server.connections == 1


@each_kind
def test_the_loop_may_send_by_the_same_sender(smtp_server: Servers, kind: str) -> None:
    """The other message gets another connection, and neither takes the replies of the other."""
    server = smtp_server(extensions=KINDS[kind])
    with sender(server.settings(pool_size=2, timeout=5)) as made:
        for number, result in enumerate(made.deliver_many(numbered(12))):
            assert outcome(result) is Outcome.ACCEPTED
            assert made.deliver(message(text=f"number {100 + number};")).outcome is Outcome.ACCEPTED
    assert sorted(taken(server)) == [*range(12), *range(100, 112)]
    assert server.connections == 2


@each_kind
def test_messages_may_come_from_a_generator_that_sends_by_the_same_sender(smtp_server: Servers, kind: str) -> None:
    """Taking the next message happens while a connection is in use."""
    server = smtp_server(extensions=KINDS[kind])
    with sender(server.settings(pool_size=2, timeout=5)) as made:

        def source() -> Iterator[MailMessage]:
            for mail in numbered(12):
                made.send(message(text="number 99;"))
                yield mail

        assert [outcome(result) for result in made.deliver_many(source())] == [Outcome.ACCEPTED] * 12
    assert len(taken(server)) == 24
    assert server.connections <= 2


# Everything at once

VERDICTS = st.lists(st.sampled_from(["fine", "sender", "recipient", "body", "some"]), min_size=1, max_size=25)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from([*KINDS]),
    verdicts=VERDICTS,
    lost=st.lists(st.integers(0, 60), max_size=4),
    most=st.sampled_from([1, 3, 100]),
    limit=st.sampled_from([0, 500, 131_072]),
)
def test_whatever_the_server_says_and_wherever_it_breaks_the_results_are_true(
    kind: str, verdicts: list[str], lost: list[int], most: int, limit: int
) -> None:
    """Against a model: a verdict that was to come is the result, or the connection was lost; nothing arrives twice."""
    mails = [
        message(
            text=f"number {number};",
            from_="refused@example.com" if verdict == "sender" else "grace@example.com",
            to="refused@example.com" if verdict == "recipient" else "ada@example.com",
            cc="refused@example.com" if verdict == "some" else None,
            subject="refused" if verdict == "body" else "fine",
        )
        for number, verdict in enumerate(verdicts)
    ]

    def refused(given: str) -> Action | None:
        return b"550 5.7.1 no\r\n" if "<refused@" in given or "Subject: refused" in given else None

    script = {"MAIL": refused, "RCPT": refused, ".": refused, "BDAT": refused}
    expected = {
        "fine": Outcome.ACCEPTED,
        "some": Outcome.PARTIAL,
        "sender": Outcome.NOT_SENT,
        "recipient": Outcome.NOT_SENT,
        "body": Outcome.NOT_SENT,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "_ONE_WRITE", limit)
        with SmtpServer(script, extensions=KINDS[kind], lost_after=lost) as server:
            found = deliver(server, mails, pool_max_messages=most)
            assert_true(server, found)
    outcomes = [outcome(result) for result in found]
    for verdict, result, what in zip(verdicts, found, outcomes, strict=True):
        if not lost or isinstance(result, Receipt) or getattr(result, "code", None):
            assert what is expected[verdict]
    wrong = sum(what is not expected[verdict] for verdict, what in zip(verdicts, outcomes, strict=True))
    assert wrong <= DEPTH * len(lost)
    for result in found:
        assert not isinstance(result, Receipt) or result.attempts <= 2
