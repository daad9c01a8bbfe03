"""Messages by BDAT (RFC 3030): in one write or in two, and what a server that does not do it well can spoil."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from postroom import (
    Attachment,
    MailConnectionError,
    MailError,
    MailMessage,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    Outcome,
    Receipt,
)
from postroom_smtp import transaction
from postroom_testing.smtp import Action, Close, Pause, Reset, Silence, SmtpServer, Stall
from smtp_checks import QUICK, error_of, large_message, message, sender

Servers = Callable[..., SmtpServer]
CHUNKING = SmtpServer.CHUNKING
LOST = {"close": Close(), "reset": Reset()}


def chunking(servers: Servers, script: dict[str, object] | None = None, **more: object) -> SmtpServer:
    """Start a server that offers PIPELINING and CHUNKING and sends its replies when the client waits for them."""
    return servers(script, **{"extensions": CHUNKING, "hold": 0, **more})


def results(server: SmtpServer, *mails: MailMessage, **more: object) -> list[Receipt | MailError]:
    """Deliver the messages one after the other by one sender, and return what became of each."""
    found: list[Receipt | MailError] = []
    with sender(server.settings(**{"timeout": 5, **more})) as made:
        for mail in mails:
            try:
                found.append(made.deliver(mail))
            except MailError as error:
                found.append(error)
    server.wait()
    return found


def outcomes(server: SmtpServer, *mails: MailMessage, **more: object) -> list[Outcome]:
    """Return the outcome of each."""
    found: list[Outcome] = []
    for result in results(server, *mails, **more):
        assert isinstance(result, Receipt | MailSendError)
        found.append(result.outcome)
    return found


# One write, or two


def test_a_small_message_is_one_write(smtp_server: Servers) -> None:
    """Envelope, BDAT and the whole message leave at once; nothing of DATA is in it."""
    server = chunking(smtp_server)
    with sender(server.settings()) as made:
        made.deliver(message(cc="bob@example.com"))
        made.deliver(message())
    for group, body, recipients in zip(server.wait().groups[-2:], server.bodies, [2, 1], strict=True):
        commands, found, content = group.partition(b" LAST\r\n")
        assert found
        assert [line.split()[0] for line in commands.splitlines()] == [b"MAIL", *[b"RCPT"] * recipients, b"BDAT"]
        assert content == body
    assert server.verbs[-1] == "QUIT"


def test_trap_9_after_an_idle_time_the_envelope_goes_alone(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that may be stale shows that on MAIL and RCPT, when nothing can have been taken."""
    monkeypatch.setattr(transaction, "_HOT", 0.05)
    server = chunking(smtp_server)
    with sender(server.settings()) as made:
        made.deliver(message())
        time.sleep(0.1)
        made.deliver(message())
    first, envelope, chunk = server.wait().groups[-3:]
    assert first.startswith(b"MAIL")
    assert [line.split()[0] for line in envelope.splitlines()] == [b"MAIL", b"RCPT"]
    assert chunk == b"BDAT %d LAST\r\n" % len(server.bodies[1]) + server.bodies[1]


def test_a_large_message_waits_for_its_recipients(smtp_server: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than the limit goes in two steps, and one that is as large as the limit in one."""
    server = chunking(smtp_server)
    mail = message()
    with sender(server.settings()) as made:
        made.deliver(mail)
        for limit in (len(server.bodies[0]), len(server.bodies[0]) - 1):
            monkeypatch.setattr(transaction, "_ONE_WRITE", limit)
            made.deliver(mail)
    *_, whole, envelope, chunk = server.wait().groups
    assert (whole.count(b"BDAT"), envelope.count(b"BDAT"), chunk.count(b"BDAT")) == (1, 0, 1)


def test_a_message_of_megabytes_is_one_chunk(smtp_server: Servers) -> None:
    """It is written in blocks, all of them under one BDAT, and not before its recipients are accepted."""
    server = chunking(smtp_server)
    assert outcomes(server, large_message()) == [Outcome.ACCEPTED]
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "BDAT", "QUIT"]
    assert len(server.bodies[0]) > 8_000_000


def test_large_and_refused_is_not_sent_in_vain(smtp_server: Servers) -> None:
    """Without a recipient there is no BDAT, and RSET begins the next message."""
    server = chunking(smtp_server, {"RCPT": [b"550 no\r\n"]})
    assert outcomes(server, large_message(), message()) == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "BDAT", "QUIT"]


# The size of the chunk


@pytest.mark.parametrize("hot", [3.0, 0.0], ids=["one write", "two writes"])
def test_trap_7_the_size_is_in_octets_and_no_dot_is_doubled(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch, hot: float
) -> None:
    """Dots that begin a line, non-ASCII text and headers: what BDAT says is what comes, up to the last octet."""
    monkeypatch.setattr(transaction, "_HOT", hot)
    server = chunking(smtp_server)
    mails = [
        message(text=".\n..\n.x\n\n.\nend"),
        message(subject="Grüße", text="schöne Grüße\n.\n", html="<p>ü\n.</p>"),
        message(to="jürgen@example.com", text="ü"),
        message(attachments=[Attachment("a.bin", bytes(range(256)) * 200)]),
    ]
    assert outcomes(server, *mails) == [Outcome.ACCEPTED] * 4
    sizes = [int(command.split()[1]) for command in server.commands if command.startswith("BDAT")]
    announced = re.findall(r"SIZE=(\d+)", " ".join(server.commands))
    assert sizes == [len(body) for body in server.bodies] == [int(size) for size in announced]
    assert server.bodies[0].endswith(b"\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\nend\r\n")
    assert all(body.endswith(b"\r\n") for body in server.bodies)
    assert "To: jürgen@example.com\r\n".encode() in server.bodies[2]
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", server.received)


def test_trap_7_data_and_bdat_are_never_mixed(smtp_server: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes BDAT gets no DATA, whatever the messages meet."""
    monkeypatch.setattr(transaction, "_ONE_WRITE", 5000)
    server = chunking(smtp_server, {"MAIL": [b"250 ok\r\n", b"550 no\r\n"], "BDAT": [b"552 no\r\n"]})
    outcomes(server, *[message(text="x\n" * size) for size in (1, 1, 5000, 1)])
    assert "DATA" not in server.verbs
    assert server.verbs.count("BDAT") == 4


def test_chunking_without_pipelining_is_not_used(smtp_server: Servers) -> None:
    """It would save nothing then; DATA goes as anywhere."""
    server = chunking(smtp_server, extensions=["CHUNKING"])
    assert outcomes(server, message(), message()) == [Outcome.ACCEPTED] * 2
    assert "BDAT" not in server.verbs


# Refused


@pytest.mark.parametrize("hot", [3.0, 0.0], ids=["one write", "two writes"])
@pytest.mark.parametrize("moment", ["MAIL", "RCPT"])
def test_trap_6_a_refused_envelope_leaves_the_connection_usable(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch, moment: str, hot: float
) -> None:
    """The replies to all commands of the group are read, and the next message begins with RSET."""
    monkeypatch.setattr(transaction, "_HOT", hot)
    server = chunking(smtp_server, {moment: [b"550 5.1.1 no\r\n"]})
    first, second = results(server, message(), message())
    assert type(first) is (MailRejectedError if moment == "MAIL" else MailRecipientsError)
    assert isinstance(first, MailSendError)
    assert (first.outcome, first.code, first.enhanced_code) == (Outcome.NOT_SENT, 550, "5.1.1")
    assert isinstance(second, Receipt)
    assert server.connections == 1
    assert server.verbs.count("RSET") == 1
    assert len(server.taken) == 1


def test_trap_5_some_refused_are_named_and_the_chunk_goes_to_the_others(smtp_server: Servers) -> None:
    """The message is taken once; nobody is offered it twice, and no RSET is needed."""
    server = chunking(smtp_server, {"RCPT": [b"550 5.1.1 no\r\n", b"250 ok\r\n"]})
    first, second = results(server, message(cc="bob@example.com"), message())
    assert isinstance(first, Receipt)
    assert (first.accepted, [*first.refused]) == (("bob@example.com",), ["ada@example.com"])
    assert isinstance(second, Receipt)
    assert (len(server.taken), server.connections) == (2, 1)
    assert "RSET" not in server.verbs


@pytest.mark.parametrize("end", [b"552 5.3.4 too big\r\n", b"451 4.3.0 later\r\n"])
def test_trap_10_a_refused_chunk_is_a_verdict(smtp_server: Servers, end: bytes) -> None:
    """The message is not sent, and the connection goes on."""
    server = chunking(smtp_server, {"BDAT": [end]})
    first, second = results(server, message(), message())
    assert isinstance(first, MailSendError)
    assert (first.stage, first.code, first.outcome) == ("final", int(end[:3]), Outcome.NOT_SENT)
    assert isinstance(second, Receipt)
    assert (server.connections, len(server.taken)) == (1, 1)


@pytest.mark.parametrize("swallows", [True, False])
@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_server_that_does_not_know_bdat_gets_the_message_by_data(
    smtp_server: Servers, code: int, swallows: bool
) -> None:
    """It has accepted nothing. A new connection, since it may take the message for commands; and BDAT never again."""
    server = chunking(smtp_server, {"BDAT": f"{code} what?\r\n".encode()}, swallows=swallows)
    first, second = results(server, message(text="first"), message(text="second"))
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.attempts, second.attempts) == (2, 1)
    assert [b"first" in body for body in server.taken] == [True, False]
    assert (server.connections, server.verbs.count("BDAT"), server.verbs.count("DATA")) == (2, 1, 2)


@pytest.mark.parametrize("swallows", [True, False])
@pytest.mark.parametrize("moment", ["BDAT", "chunk"])
def test_a_large_message_to_a_server_that_does_not_know_bdat_goes_by_data(
    smtp_server: Servers, moment: str, swallows: bool
) -> None:
    """It goes in two writes; whether the refusal comes behind the chunk or in its middle, the message arrives once."""
    large = message(attachments=[Attachment("a.bin", bytes(range(256)) * 800)])
    script = {"BDAT": b"502 5.5.1 unrecognized\r\n"}
    if moment == "chunk":
        script["chunk"] = (b"502 5.5.1 unrecognized\r\n", Close())
    server = chunking(smtp_server, script, swallows=swallows)
    assert outcomes(server, large, message(text="second")) == [Outcome.ACCEPTED] * 2
    assert [len(body) > 200_000 for body in server.taken] == [True, False]


@pytest.mark.parametrize("swallows", [True, False])
def test_ten_at_a_time_to_a_server_that_does_not_know_bdat_arrive_once_each(
    smtp_server: Servers, swallows: bool
) -> None:
    """None is put behind another by BDAT before the server has shown that it can do it."""
    server = chunking(smtp_server, {"BDAT": b"500 what?\r\n"}, swallows=swallows)
    with sender(server.settings(timeout=5)) as made:
        found = list(made.deliver_many([message(text=f"number {number};") for number in range(25)]))
    assert [type(each) for each in found] == [Receipt] * 25
    assert [int(re.findall(rb"number (\d+);", body)[0]) for body in server.wait().taken] == [*range(25)]
    assert (server.verbs.count("BDAT"), server.connections) == (1, 2)


def test_threads_that_find_out_together_that_there_is_no_bdat_lose_nothing(smtp_server: Servers) -> None:
    """Each connection that was open already finds out for itself; every message arrives once."""
    server = smtp_server({"BDAT": b"500 what?\r\n"}, extensions=CHUNKING)
    mails = [message(text=f"number {number};") for number in range(24)]
    with sender(server.settings(timeout=10)) as made, ThreadPoolExecutor(8) as threads:
        assert [each.outcome for each in threads.map(made.deliver, mails)] == [Outcome.ACCEPTED] * 24
    numbers = [int(re.findall(rb"number (\d+);", body)[0]) for body in server.wait().taken]
    assert sorted(numbers) == [*range(24)]


def test_a_refusal_of_bdat_without_recipients_says_nothing_about_bdat(smtp_server: Servers) -> None:
    """503 is what a server must say then (RFC 3030 section 2); the next message goes by BDAT as before."""
    server = chunking(smtp_server, {"RCPT": [b"550 5.1.1 no\r\n"]})
    first, second = results(server, message(), message())
    assert isinstance(first, MailRecipientsError)
    assert isinstance(second, Receipt)
    assert server.verbs.count("BDAT") == 2


@pytest.mark.parametrize(("mode", "verbs"), [("full", ["BDAT"]), ("commands", ["DATA"]), ("off", ["DATA"])])
def test_the_setting_decides_what_goes_at_once(smtp_server: Servers, mode: str, verbs: list[str]) -> None:
    """SMTP_PIPELINING: all that is offered, no BDAT, or one command at a time."""
    server = chunking(smtp_server)
    assert outcomes(server, message(), message(), pipelining=mode) == [Outcome.ACCEPTED] * 2
    assert [verb for verb in server.verbs if verb in {"BDAT", "DATA"}] == verbs * 2
    together = [group for group in server.groups if b"MAIL" in group and b"RCPT" in group]
    assert len(together) == (0 if mode == "off" else 2)


@pytest.mark.parametrize(
    ("moment", "extensions", "advice"),
    [
        ("BDAT", CHUNKING, "set SMTP_PIPELINING=commands"),
        ("chunk", CHUNKING, "set SMTP_PIPELINING=commands"),
        ("RCPT", CHUNKING, "set SMTP_PIPELINING=off"),
        ("DATA", SmtpServer.PIPELINING, "set SMTP_PIPELINING=off"),
        (".", SmtpServer.PIPELINING, None),
        ("RCPT", SmtpServer.EXTENSIONS, None),
    ],
)
def test_the_remedy_of_a_stall_names_the_setting(
    smtp_server: Servers, moment: str, extensions: tuple[str, ...], advice: str | None
) -> None:
    """Something on the way that does not understand a group says nothing at all, and nobody but a person can tell."""
    server = smtp_server({moment: Stall()}, extensions=extensions)
    mail = large_message() if moment == "chunk" else message()
    with sender(server.settings(timeout=QUICK)) as made, pytest.raises(MailTimeoutError) as caught:
        made.deliver(mail)
    said = re.findall(r"set SMTP_PIPELINING=\w+", caught.value.remedy or "")
    assert said == ([advice] if advice else [])


def test_a_stall_on_a_connection_that_has_shown_bdat_is_not_blamed_on_it(smtp_server: Servers) -> None:
    """It works there; the remedy is to look for the message."""
    server = chunking(smtp_server, {"BDAT": [b"250 ok\r\n", Silence()]})
    _, second = results(server, message(), message(), timeout=QUICK)
    assert isinstance(second, MailTimeoutError)
    assert second.outcome is Outcome.UNKNOWN
    assert "SMTP_PIPELINING" not in str(second)


@pytest.mark.parametrize("envelope", [True, False], ids=["accepted envelope", "refused envelope"])
def test_trap_7_message_text_that_is_run_as_commands_is_nobodys_acceptance(
    smtp_server: Servers, envelope: bool
) -> None:
    """What a server answers to text that it did not swallow, even 250 and late, is no reply to the next message."""
    script: dict[str, object] = {
        "BDAT": b"554 5.5.0 no\r\n",
        "NOOP": (Pause(0.02), b"250 2.0.0 taken\r\n"),
        "RCPT": None if envelope else b"550 no\r\n",
    }
    text = "NOOP\n" * 10
    server = smtp_server({k: v for k, v in script.items() if v}, extensions=CHUNKING, swallows=False)
    found = results(server, message(text=text), message(text=text))
    assert not any(isinstance(result, Receipt) for result in found)
    assert server.bodies == []


def test_trap_7_late_replies_to_unswallowed_text_do_not_refuse_the_next_message(smtp_server: Servers) -> None:
    """The next message has left, behind the text, and the server takes it: nobody may say that it was not sent."""
    script: dict[str, object] = {"BDAT": [(b"554 5.5.0 no\r\n", Pause(0.2))]}
    with Picky(script, extensions=CHUNKING, swallows=False) as server:
        first, second = results(server, message(text="first"), message(text="second"))
    assert isinstance(first, MailRejectedError)
    assert isinstance(second, Receipt | MailSendError)
    assert len(server.taken) <= 1  # it may be interrupted by our hanging up
    assert second.outcome is not Outcome.NOT_SENT


def test_trap_8_unswallowed_text_does_not_refuse_the_messages_behind_it() -> None:
    """With several on their way, the reply to RSET shows that the count is wrong; then they are in doubt."""
    with Picky({"BDAT": [b"250 ok\r\n", b"554 5.5.0 no\r\n"]}, extensions=CHUNKING) as server:
        server.unswallowed = 1
        with sender(server.settings(timeout=5)) as made:
            accepted, first, *others = made.deliver_many([message(text=f"number {number}") for number in range(5)])
        server.wait()
    assert isinstance(accepted, Receipt)
    assert isinstance(first, MailRejectedError)
    for other in others:
        assert isinstance(other, MailSendError)
        assert other.outcome is Outcome.UNKNOWN


class Picky(SmtpServer):
    """Does not swallow one chunk, the one after so many, but the others."""

    chunks, unswallowed = 0, 0

    def action(self, moment: str, given: str = "") -> Action | None:
        """Note that a chunk is over."""
        found = super().action(moment, given)
        if moment == "BDAT":
            self.chunks += 1
            self.swallows = self.chunks != self.unswallowed
        return found


# Lost


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("kept", [True, False])
def test_trap_9_eof_without_replies_after_one_write_is_unknown_and_never_repeated(
    smtp_server: Servers, fault: str, kept: bool
) -> None:
    """The server may have queued the message and died with its replies, as it does here."""
    fine: list[Action] = [b"250 ok\r\n"] if kept else []
    script = {"BDAT": [*fine, LOST[fault]]}
    server = chunking(smtp_server, script, hold=0.05)
    found = results(server, *[message()] * (2 if kept else 1))
    error = found[-1]
    assert isinstance(error, MailConnectionError)
    assert (error.stage, error.outcome, error.transient) == ("final", Outcome.UNKNOWN, False)
    assert "look for <" in str(error)
    assert server.connections == 1
    assert len(server.taken) == len(found)


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("moment", ["MAIL", "RCPT"])
def test_trap_9_a_loss_at_the_envelope_of_one_write_is_unknown_too(
    smtp_server: Servers, moment: str, fault: str
) -> None:
    """The message had left with its envelope, and the reply to MAIL is not the last word on it."""
    server = chunking(smtp_server, {moment: [b"250 ok\r\n", LOST[fault]]})
    assert outcomes(server, message(), message()) == [Outcome.ACCEPTED, Outcome.UNKNOWN]
    assert server.connections == 1


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("moment", ["MAIL", "RCPT"])
def test_trap_9_a_stale_connection_costs_a_second_one_and_no_doubt(
    smtp_server: Servers, monkeypatch: pytest.MonkeyPatch, moment: str, fault: str
) -> None:
    """In the two-step form the message has not left when the loss shows, so it goes over a new connection."""
    monkeypatch.setattr(transaction, "_HOT", 0.0)
    server = chunking(smtp_server, {moment: [b"250 ok\r\n", LOST[fault]]})
    mail = message()
    _, receipt = results(server, message(), mail)
    assert isinstance(receipt, Receipt)
    assert (receipt.attempts, receipt.message_id) == (2, mail.message_id)
    assert (server.connections, len(server.taken)) == (2, 2)


@pytest.mark.parametrize("fault", [*LOST, "stall"])
@pytest.mark.parametrize("kept", [True, False])
def test_trap_9_a_write_that_fails_before_the_last_octet_is_not_sent(
    smtp_server: Servers, fault: str, kept: bool
) -> None:
    """It is offered again, once, over a new connection: to a server that may not know BDAT by DATA."""
    action = {**LOST, "stall": Stall()}[fault]
    server = chunking(smtp_server, {"chunk": [b"", action] if kept else [action]}, receive_buffer=4096)
    mails = [message(), large_message()] if kept else [large_message()]
    again = kept or fault != "stall"
    with sender(server.settings(timeout=QUICK if fault == "stall" else 5)) as made:
        if kept:
            made.deliver(mails[0])
        if again:
            assert made.deliver(mails[-1]).attempts == 2
        else:
            with pytest.raises(MailSendError) as caught:
                made.deliver(mails[0])
            assert (caught.value.stage, caught.value.outcome) == ("body", Outcome.NOT_SENT)
    assert server.connections == (2 if again else 1)
    assert len(server.bodies) == len(mails) * again
    assert ("DATA" in server.verbs) == (again and not kept)


@pytest.mark.parametrize("code", [421, 451, 552])
def test_trap_10_words_in_the_middle_of_a_chunk_are_the_verdict(smtp_server: Servers, code: int) -> None:
    """A server that refuses and hangs up while it is written to says why, and that is reported."""
    action = (f"{code} 4.3.1 full\r\n".encode(), Close())
    server = chunking(smtp_server, {"chunk": [action]}, receive_buffer=4096)
    error = error_of(server.settings(timeout=5), large_message())
    # A reset may overtake the words.
    assert (error.outcome, error.code) in [(Outcome.NOT_SENT, code), (Outcome.NOT_SENT, None)]


def test_trap_10_words_before_a_stall_in_the_middle_of_a_chunk_are_the_verdict(smtp_server: Servers) -> None:
    """The write times out, but the reason has come."""
    action = (b"552 5.3.4 too big\r\n", Stall())
    server = chunking(smtp_server, {"chunk": [action]}, receive_buffer=4096)
    error = error_of(server.settings(timeout=QUICK), large_message())
    assert (type(error), error.outcome, error.code) == (MailRejectedError, Outcome.NOT_SENT, 552)


def test_trap_10_silence_after_the_chunk_is_unknown(smtp_server: Servers) -> None:
    """The reply may be under way."""
    server = chunking(smtp_server, {"BDAT": [Silence()]})
    assert error_of(server.settings(timeout=QUICK)).outcome is Outcome.UNKNOWN
    assert len(server.wait().taken) == 1


def test_refused_recipients_are_the_verdict_though_the_reply_to_the_chunk_is_lost(smtp_server: Servers) -> None:
    """Nobody was to get it, so there is no doubt about it; the connection is given up."""
    server = chunking(smtp_server, {"RCPT": [b"550 no\r\n"], "BDAT": [Close()]})
    first, second = results(server, message(), message())
    assert isinstance(first, MailRecipientsError)
    assert first.outcome is Outcome.NOT_SENT
    assert isinstance(second, Receipt)
    assert server.connections == 2


def test_421_to_the_envelope_of_one_write_is_not_sent_and_not_repeated(smtp_server: Servers) -> None:
    """The server says that it took nothing, so it is no doubt; that it is offered again is the caller's to decide."""
    server = chunking(smtp_server, {"MAIL": [b"250 ok\r\n", (b"421 4.3.2 down\r\n", Close())]})
    assert outcomes(server, message(), message()) == [Outcome.ACCEPTED, Outcome.NOT_SENT]
    assert server.connections == 1


# A surplus reply, which nothing shows before the message has left


class Surplus(SmtpServer):
    """Says something more, once, in front of its reply to a command."""

    before, said = "MAIL", b""

    def action(self, moment: str, given: str = "") -> Action | None:
        """Put the surplus reply before the first reply to this command."""
        found = super().action(moment, given)
        if moment == self.before and self.said and isinstance(found, bytes):
            found, self.said = self.said + found, b""
        return found


@pytest.mark.parametrize("enhanced", [True, False])
@pytest.mark.parametrize("before", ["MAIL", "RCPT"])
@pytest.mark.parametrize("surplus", [b"250 2.0.0 late\r\n", b"550 5.7.1 late\r\n"])
@pytest.mark.parametrize("verdict", [b"250 2.0.0 taken\r\n", b"554 5.7.1 no\r\n"])
def test_a_surplus_reply_makes_no_false_verdict(surplus: bytes, before: str, verdict: bytes, enhanced: bool) -> None:
    """The replies behind it are those to the commands before; the message is in doubt, not accepted, not refused."""
    codes = (b"2.1.0 ", b"2.1.5 ") if enhanced else (b"", b"")
    script: dict[str, Action] = {
        "BDAT": verdict,
        "MAIL": b"250 %sok\r\n" % codes[0],
        "RCPT": b"250 %sok\r\n" % codes[1],
    }
    with Surplus(script, extensions=CHUNKING, hold=0) as server:
        server.before, server.said = before, surplus
        first, second = results(server, message(text="first"), message(text="second"))
    assert isinstance(first, MailSendError)
    assert first.outcome is Outcome.UNKNOWN
    assert isinstance(second, Receipt if verdict.startswith(b"250") else MailRejectedError)
    assert sum(b"second" in body for body in server.taken) == verdict.startswith(b"250")


def test_a_farewell_behind_the_verdict_is_no_surplus_reply(smtp_server: Servers) -> None:
    """A server may hang up after any message."""
    server = chunking(smtp_server, {"BDAT": [(b"250 ok\r\n421 4.4.2 bye\r\n", Close())]})
    assert outcomes(server, message(), message()) == [Outcome.ACCEPTED] * 2


@pytest.mark.parametrize("line", ["MAIL FROM:<ceo@example.com>", "rcpt to:<victim@example.com>", "DATA", "Data 0 LAST"])
def test_text_that_reads_like_commands_is_no_chunk_to_a_server_that_may_not_know_bdat(
    smtp_server: Servers, line: str
) -> None:
    """Such a server would run it, over our login: another message from whom and to whom the text says."""
    text = f"Hello\nRSET\nMAIL FROM:<a@example.com>\n{line}\nSubject: pay\n\nnow\n.\n"
    server = smtp_server({"BDAT": b"502 what?\r\n"}, extensions=CHUNKING, swallows=False)
    mails = [message(text=text), message(text="harmless"), message(text=text)]
    with sender(server.settings(timeout=5)) as made:
        assert [made.deliver(mail).attempts for mail in mails] == [1, 2, 1]
    assert len(server.wait().taken) == 3
    assert not any(command.startswith("MAIL") and "grace@" not in command for command in server.commands)
    knows = smtp_server(extensions=CHUNKING)
    with sender(knows.settings(timeout=5)) as made:
        for mail in (mails[1], mails[0]):
            made.deliver(mail)
    assert knows.wait().verbs.count("BDAT") == 2
