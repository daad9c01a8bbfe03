"""Commands in groups (RFC 2920): what goes in which write, and how replies find their commands."""

import re
from collections.abc import Callable

import pytest

from postroom import (
    MailConnectionError,
    MailMessage,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
    Receipt,
)
from postroom_testing import Certificates
from postroom_testing.smtp import Action, Close, Drip, Pause, Reset, SmtpServer
from smtp_checks import PASSWORD, QUICK, USER, error_of, large_message, message, sender

Servers = Callable[..., SmtpServer]
PIPELINING = SmtpServer.PIPELINING
ENVELOPE = ["MAIL", "RCPT", "DATA"]


def pipelining(servers: Servers, script: dict[str, object] | None = None, **more: object) -> SmtpServer:
    """Start a server that offers PIPELINING and sends its replies when the client waits for them."""
    return servers(script, **{"extensions": PIPELINING, "hold": 0, **more})


def verbs(group: bytes) -> list[str]:
    """Return the first word of each line."""
    return [line.partition(b" ")[0].decode() for line in group.splitlines()]


def outcomes(server: SmtpServer, *mails: MailMessage) -> list[Outcome]:
    """Deliver the messages one after the other by one sender, and return what became of each."""
    found: list[Outcome] = []
    with sender(server.settings(timeout=5)) as made:
        for mail in mails:
            try:
                found.append(made.deliver(mail).outcome)
            except MailSendError as error:
                found.append(error.outcome)
    server.wait()
    return found


# What goes in which write


def test_trap_3_the_envelope_and_data_are_one_write_and_the_body_another(smtp_server: Servers) -> None:
    """MAIL, RCPT and DATA leave without waiting; the body waits for 354, and goes with its final dot."""
    server = pipelining(smtp_server)
    with sender(server.settings()) as made:
        made.deliver(message(cc="bob@example.com"))
    _, envelope, body = server.wait().groups[-3:]
    assert verbs(envelope) == ["MAIL", "RCPT", "RCPT", "DATA"]
    assert body.endswith(b"\r\n\r\nHello, Ada.\r\n.\r\n")
    assert server.bodies == [body.removesuffix(b".\r\n")]


def test_a_large_body_follows_the_same_envelope(smtp_server: Servers) -> None:
    """Megabytes go in blocks, whole, and behind 354 too."""
    server = pipelining(smtp_server)
    with sender(server.settings()) as made:
        assert made.deliver(large_message()).outcome is Outcome.ACCEPTED
    assert verbs(server.wait().groups[-2]) == ENVELOPE
    assert server.groups[-1] == server.bodies[0] + b".\r\n"


@pytest.mark.parametrize(
    ("extensions", "script"),
    [(SmtpServer.EXTENSIONS, {}), (("CHUNKING", "8BITMIME"), {}), (PIPELINING, {"EHLO": b"502 what?\r\n"})],
    ids=["not offered", "only CHUNKING", "HELO"],
)
def test_trap_1_nothing_is_pipelined_that_ehlo_does_not_offer(
    smtp_server: Servers, extensions: tuple[str, ...], script: dict[str, Action]
) -> None:
    """Every command waits for the reply to the one before."""
    server = pipelining(smtp_server, script, extensions=extensions)
    assert outcomes(server, message(cc="bob@example.com"), message()) == [Outcome.ACCEPTED] * 2
    commands = [group for group in server.groups[1:] if b"\r\nSubject:" not in group]
    assert [group.count(b"\r\n") for group in commands] == [1] * len(commands)
    assert "BDAT" not in server.verbs


@pytest.mark.parametrize("offered", [True, False])
def test_trap_1_only_the_ehlo_after_starttls_counts(smtp_server: Servers, ca: Certificates, offered: bool) -> None:
    """What was offered in plain text, where anybody may have written it, is forgotten."""
    before, after = PIPELINING, SmtpServer.EXTENSIONS
    if offered:
        before, after = after, before
    server = pipelining(smtp_server, tls=ca.good, extensions=before, extensions_in_tls=after)
    with sender(server.settings(tls_mode="starttls", ca_file=str(ca.ca_file), server="localhost")) as made:
        made.deliver(message())
    assert (verbs(server.wait().groups[-2]) == ENVELOPE) is offered
    assert (["MAIL"] in [verbs(group) for group in server.groups]) is not offered


def test_trap_2_nothing_follows_starttls_or_auth_in_a_write(smtp_server: Servers, ca: Certificates) -> None:
    """Both end a group, though the server pipelines: each is alone in its write, and so is every line of the login."""
    server = pipelining(smtp_server, tls=ca.good, extensions=("AUTH LOGIN", "PIPELINING"))
    settings = {"tls_mode": "starttls", "ca_file": str(ca.ca_file), "username": USER, "password": PASSWORD}
    with sender(server.settings(**{**settings, "server": "localhost"})) as made:
        made.deliver(message())
    groups = [group for group in server.wait().groups if b"\r\nSubject:" not in group]
    begun = [verbs(group) for group in groups if group.startswith((b"EHLO", b"STARTTLS", b"AUTH"))]
    assert begun == [["EHLO"], ["STARTTLS"], ["EHLO"], ["AUTH"]]
    assert verbs(groups[-1]) == ENVELOPE
    assert all(group.count(b"\r\n") == 1 for group in groups[:-1] if group)


def test_trap_2_text_behind_the_reply_to_starttls_ends_the_connection(smtp_server: Servers, ca: Certificates) -> None:
    """Somebody may have injected it before TLS; nothing of it becomes a reply."""
    injected = b"220 go\r\n250-x\r\n250 PIPELINING\r\n"
    server = smtp_server({"STARTTLS": injected}, tls=ca.good, extensions=PIPELINING)
    error = error_of(server.settings(tls_mode="starttls", ca_file=str(ca.ca_file), server="localhost"))
    assert (error.stage, error.outcome) == ("starttls", Outcome.NOT_SENT)
    assert "MAIL" not in server.wait().verbs


@pytest.mark.parametrize(
    ("extensions", "turns"), [(SmtpServer.EXTENSIONS, 4), (PIPELINING, 2), (SmtpServer.CHUNKING, 1)]
)
def test_a_warm_message_costs_four_two_or_one_round_trips(
    smtp_server: Servers, extensions: tuple[str, ...], turns: int
) -> None:
    """How often the server has to answer before the client goes on, for each further message over a connection."""
    server = pipelining(smtp_server, extensions=extensions)
    with sender(server.settings()) as made:
        made.send(message())
        before = len(server.groups)
        for _ in range(10):
            made.send(message())
        assert len(server.groups) - before == turns * 10
    assert server.wait().connections == 1


# How replies find their commands


def test_trap_6_replies_are_counted_however_they_are_cut(smtp_server: Servers) -> None:
    """One reply in many segments, of many lines, and many in one segment: each belongs to one command."""
    script: dict[str, object] = {
        "MAIL": Drip(b"250-ok\r\n250 sender\r\n", 0.001),
        "RCPT": [b"250-one\r\n250 ok\r\n", b"550-5.1.1 no\r\n550 5.1.1 body\r\n", b"250 ok\r\n"],
        "DATA": (b"35", Pause(0.01), b"4 go\r\n"),
    }
    server = smtp_server(script, extensions=PIPELINING)
    with sender(server.settings()) as made:
        receipt = made.deliver(message(to=["a@example.com", "b@example.com", "c@example.com"]))
        assert receipt.accepted == ("a@example.com", "c@example.com")
        assert [(who, why.code) for who, why in receipt.refused.items()] == [("b@example.com", 550)]
        assert made.deliver(message()).outcome is Outcome.ACCEPTED
    assert server.wait().connections == 1


def test_trap_6_all_replies_of_a_refused_group_are_read(smtp_server: Servers) -> None:
    """MAIL refused: RCPT and DATA answer too, and the next message gets its own replies over the same connection."""
    script = {"MAIL": [b"552 5.3.4 too big\r\n"]}
    server = pipelining(smtp_server, script)
    with sender(server.settings()) as made:
        with pytest.raises(MailRejectedError) as caught:
            made.deliver(message(cc="bob@example.com"))
        assert (caught.value.stage, caught.value.code, caught.value.outcome) == ("mail", 552, Outcome.NOT_SENT)
        assert made.deliver(message()).outcome is Outcome.ACCEPTED
    assert server.wait().connections == 1
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
    assert len(server.taken) == 1


def test_mail_refused_and_data_taken_is_ended_with_a_lone_dot(smtp_server: Servers) -> None:
    """A server that says 354 to DATA after it refused the sender gets no word of the message."""
    server = pipelining(smtp_server, {"MAIL": [b"550 no\r\n"], "DATA": [b"354 go\r\n"]})
    assert outcomes(server, message(), message()) == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert server.bodies[0] == b""
    assert server.connections == 1


@pytest.mark.parametrize("data", [b"503 no\r\n", b"554 5.5.1 no valid recipients\r\n"])
def test_trap_4_all_refused_and_data_refused_leaves_the_connection_usable(smtp_server: Servers, data: bytes) -> None:
    """The error names every recipient; the next message begins with RSET, in the same write."""
    server = pipelining(smtp_server, {"RCPT": [b"550 5.1.1 a\r\n", b"450 4.2.2 b\r\n"], "DATA": [data]})
    with sender(server.settings()) as made:
        with pytest.raises(MailRecipientsError) as caught:
            made.deliver(message(cc="bob@example.com"))
        assert {who: why.code for who, why in caught.value.refused.items()} == {
            "ada@example.com": 550,
            "bob@example.com": 450,
        }
        assert made.deliver(message()).outcome is Outcome.ACCEPTED
    assert server.wait().connections == 1
    assert verbs(server.groups[-2]) == ["RSET", *ENVELOPE]
    assert len(server.bodies) == 1


@pytest.mark.parametrize("end", [b"554 5.5.1 no valid recipients\r\n", b"250 2.0.0 sent to nobody\r\n"])
def test_trap_4_all_refused_and_354_is_ended_with_a_lone_dot(smtp_server: Servers, end: bytes) -> None:
    """RSET would be taken as text there. The reply to the dot is read, and changes nothing, whatever it is."""
    server = pipelining(smtp_server, {"RCPT": [b"550 no\r\n"], "DATA": [b"354 go\r\n"], ".": [end]})
    with sender(server.settings()) as made:
        with pytest.raises(MailRecipientsError) as caught:
            made.deliver(message())
        assert caught.value.outcome is Outcome.NOT_SENT
        assert b".\r\n" in server.groups
        assert made.deliver(message()).outcome is Outcome.ACCEPTED
    assert server.wait().bodies[0] == b""
    assert server.connections == 1


def test_trap_4_the_reply_to_the_lone_dot_is_waited_for(smtp_server: Servers) -> None:
    """If it does not come, the connection is not used again; the message was refused all the same."""
    server = pipelining(smtp_server, {"RCPT": [b"550 no\r\n"], "DATA": [b"354 go\r\n"], ".": [Close()]})
    assert outcomes(server, message(), message()) == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert server.connections == 2


def test_trap_5_some_refused_are_named_and_the_others_get_it_once(smtp_server: Servers) -> None:
    """The receipt names both; no RSET is needed, and the accepted ones are not offered again."""
    server = pipelining(smtp_server, {"RCPT": [b"250 ok\r\n", b"550 5.1.1 no\r\n"]})
    with sender(server.settings()) as made:
        receipt = made.deliver(message(cc="bob@example.com"))
        assert (receipt.outcome, receipt.accepted) == (Outcome.PARTIAL, ("ada@example.com",))
        made.deliver(message())
    assert server.wait().verbs == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", *ENVELOPE, "QUIT"]
    assert len(server.taken) == 2


def test_data_refused_for_now_is_transient_and_needs_rset(smtp_server: Servers) -> None:
    """The transaction is still open in the server, so the next message resets it; nothing of the first was sent."""
    server = pipelining(smtp_server, {"DATA": [b"451 4.3.0 later\r\n"]})
    with sender(server.settings()) as made:
        with pytest.raises(MailUnavailableError) as caught:
            made.deliver(message())
        assert (caught.value.stage, caught.value.transient, caught.value.outcome) == ("data", True, Outcome.NOT_SENT)
        made.deliver(message())
    assert verbs(server.wait().groups[-2]) == ["RSET", *ENVELOPE]
    assert (server.connections, len(server.bodies)) == (1, 1)


@pytest.mark.parametrize("extensions", [SmtpServer.EXTENSIONS, PIPELINING])
@pytest.mark.parametrize("end", [b"554 5.6.0 spam\r\n", b"452 4.3.1 no room\r\n"])
def test_trap_10_a_refused_body_is_a_verdict_and_needs_no_rset(
    smtp_server: Servers, extensions: tuple[str, ...], end: bytes
) -> None:
    """The final dot ends the transaction whatever its reply is; only 421 would end the connection."""
    server = pipelining(smtp_server, {".": [end]}, extensions=extensions)
    assert outcomes(server, message(), message()) == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert server.connections == 1
    assert "RSET" not in server.verbs


def test_without_pipelining_rset_comes_after_a_given_up_envelope_only(smtp_server: Servers) -> None:
    """Where nobody was accepted DATA is never said, and RSET has its own reply."""
    server = pipelining(smtp_server, {"RCPT": [b"550 no\r\n"]}, extensions=SmtpServer.EXTENSIONS)
    assert outcomes(server, message(), message(), message()) == [Outcome.NOT_SENT, *[Outcome.ACCEPTED] * 2]
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "RSET", *ENVELOPE, *ENVELOPE, "QUIT"]


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("extensions", [SmtpServer.EXTENSIONS, PIPELINING])
def test_trap_10_421_is_a_verdict_that_ends_the_connection(
    smtp_server: Servers, extensions: tuple[str, ...], moment: str
) -> None:
    """On a fresh connection the message is not offered again; the next one gets a new connection."""
    action = (b"421 4.3.2 going down\r\n", Close())
    server = pipelining(smtp_server, {moment: [action]}, extensions=extensions)
    assert outcomes(server, message(), message()) == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert server.connections == 2
    assert len(server.taken) == (2 if moment == "." else 1)  # the server's own log: it had the whole of it, and said no


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("extensions", [SmtpServer.EXTENSIONS, PIPELINING])
def test_421_on_a_kept_connection_offers_the_message_once_more(
    smtp_server: Servers, extensions: tuple[str, ...], moment: str
) -> None:
    """The server was tired of the connection, not of the message. The receipt counts both attempts."""
    ok = b"354 go\r\n" if moment == "DATA" else b"250 ok\r\n"
    action = (b"421 4.3.2 too many messages\r\n", Close())
    server = pipelining(smtp_server, {moment: [ok, action]}, extensions=extensions)
    with sender(server.settings()) as made:
        assert [made.deliver(message()).attempts for _ in range(2)] == [1, 2]
    assert server.wait().connections == 2
    assert len(server.bodies) == 2


@pytest.mark.parametrize("fault", [Close(), Reset()], ids=["close", "reset"])
@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA"])
def test_trap_9_a_kept_connection_that_fails_before_the_final_dot_is_replaced_once(
    smtp_server: Servers, moment: str, fault: Action
) -> None:
    """Without the final dot nothing can have been taken, so the message goes over a new connection; Message-ID kept."""
    ok = b"354 go\r\n" if moment == "DATA" else b"250 ok\r\n"
    server = pipelining(smtp_server, {moment: [ok, fault]})
    mail = message()
    with sender(server.settings()) as made:
        made.deliver(message())
        receipt = made.deliver(mail)
    assert (receipt.attempts, receipt.message_id) == (2, mail.message_id)
    assert server.wait().connections == 2
    assert [mail.message_id.encode() in body for body in server.taken] == [False, True]


def test_trap_9_the_second_connection_is_the_last(smtp_server: Servers) -> None:
    """A server that hangs up on each message is not asked for ever, and the message was not sent."""
    server = pipelining(smtp_server, {"MAIL": [b"250 ok\r\n", Close(), Close(), Close()]})
    assert outcomes(server, message(), message()) == [Outcome.ACCEPTED, Outcome.NOT_SENT]
    assert server.connections == 2


@pytest.mark.parametrize("fault", [Close(), Reset()], ids=["close", "reset"])
def test_trap_9_after_the_final_dot_nothing_is_offered_again(smtp_server: Servers, fault: Action) -> None:
    """Not even on a kept connection: the server may have it, and here it has."""
    server = pipelining(smtp_server, {".": [b"250 ok\r\n", fault]})
    assert outcomes(server, message(), message()) == [Outcome.ACCEPTED, Outcome.UNKNOWN]
    assert (server.connections, len(server.taken)) == (1, 2)


# Replies that are one too many, or one too few


@pytest.mark.parametrize("moment", ["MAIL", "RCPT"])
def test_trap_6_a_surplus_reply_is_not_an_acceptance_of_the_message(smtp_server: Servers, moment: str) -> None:
    """The reply that DATA gets is then no 354, and the body is not written."""
    server = pipelining(smtp_server, {moment: b"250 ok\r\n250 and once more\r\n"})
    error = error_of(server.settings())
    assert (type(error), error.outcome) == (MailConnectionError, Outcome.NOT_SENT)
    assert server.wait().bodies in ([], [b""])  # the server waits for a body, and the connection ends
    assert server.taken == []


@pytest.mark.parametrize("extensions", [SmtpServer.EXTENSIONS, PIPELINING, SmtpServer.CHUNKING])
def test_trap_6_a_surplus_reply_to_a_message_is_not_one_to_the_next(
    smtp_server: Servers, extensions: tuple[str, ...]
) -> None:
    """What comes unasked makes the connection useless, and nothing of the next message has been written to it."""
    surplus = b"250 taken\r\n250 and once more\r\n"
    server = pipelining(smtp_server, {".": [surplus], "BDAT": [surplus]}, extensions=extensions)
    with sender(server.settings()) as made:
        if extensions == SmtpServer.CHUNKING:  # nothing was read before the message left, so either may be its verdict
            with pytest.raises(MailConnectionError) as caught:
                made.deliver(message())
            assert caught.value.outcome is Outcome.UNKNOWN
        else:
            assert made.deliver(message()).attempts == 1
        assert made.deliver(message()).attempts == 1
    assert server.wait().connections == 2
    assert len(server.taken) == 2


@pytest.mark.parametrize("moment", ["MAIL", "RCPT"])
def test_trap_6_a_missing_reply_is_not_made_up(smtp_server: Servers, moment: str) -> None:
    """The group is one reply short, so the message is not written, and the connection is not used again."""
    server = pipelining(smtp_server, {moment: [b""]})
    error = error_of(server.settings(timeout=QUICK))
    assert (type(error), error.outcome) == (MailTimeoutError, Outcome.NOT_SENT)
    assert server.wait().bodies == []


def test_trap_11_and_12_no_bare_line_end_and_no_size_or_8bit_that_is_not_offered(smtp_server: Servers) -> None:
    """In groups as one by one: CRLF only, and MAIL has the parameters that EHLO offered."""
    server = pipelining(smtp_server, extensions=("PIPELINING",))
    assert outcomes(server, message(text="unix\nmac\rwindows\r\nend", html="<p>ü\n.\n.\n</p>")) == [Outcome.ACCEPTED]
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", server.received)
    assert "MAIL FROM:<grace@example.com>" in server.commands


# A server that offers it and cannot do it

OUT_OF_STEP = {
    "nothing but the first command is read": {"RCPT": [b"503 5.5.1 Need MAIL before RCPT\r\n"]},
    "a command is cut in two": {"RCPT": [b"250 ok\r\n", b"502 5.5.2 Error: command not recognized\r\n"]},
    "a proxy passes on what the server does not do": {
        "MAIL": [b"500 5.5.1 Invalid command: Pipelining not supported\r\n"]
    },
    "DATA": {"DATA": [b"503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining\r\n"]},
    "with 421": {"RCPT": [b"421 4.7.0 improper use of SMTP command pipelining\r\n"]},
    "in the words of Exim": {"RCPT": [b"554 SMTP synchronization error\r\n"]},
}


@pytest.mark.parametrize("many", [False, True], ids=["deliver", "deliver_many"])
@pytest.mark.parametrize("script", OUT_OF_STEP.values(), ids=OUT_OF_STEP)
def test_a_server_that_cannot_do_groups_gets_the_message_one_command_at_a_time(
    smtp_server: Servers, script: dict[str, object], many: bool
) -> None:
    """It has accepted nothing, so the message is offered anew, and no group is sent to it again."""
    server = smtp_server(script, extensions=SmtpServer.PIPELINING, hold=0)
    mails = [message(cc="bob@example.com", text=f"number {number};") for number in range(3)]
    with sender(server.settings(timeout=5)) as made:
        found = list(made.deliver_many(mails)) if many else [made.deliver(mail) for mail in mails]
    assert [each.outcome for each in found if isinstance(each, Receipt)] == [Outcome.ACCEPTED] * 3
    assert len(server.wait().taken) == 3
    assert server.connections == 2
    grouped = [group for group in server.groups if b"MAIL" in group and b"RCPT" in group]
    assert len(grouped) == 1


def test_a_refused_sender_makes_nobody_doubt_the_group(smtp_server: Servers) -> None:
    """RCPT and DATA must be answered with 503 then."""
    server = smtp_server(
        {"MAIL": [b"550 5.1.8 no\r\n"], "RCPT": [b"503 no sender\r\n"]}, extensions=SmtpServer.PIPELINING, hold=0
    )
    with sender(server.settings(timeout=5)) as made:
        with pytest.raises(MailRejectedError):
            made.deliver(message())
        made.deliver(message())
    assert server.wait().connections == 1


@pytest.mark.parametrize("extensions", [SmtpServer.EXTENSIONS, PIPELINING, SmtpServer.CHUNKING])
@pytest.mark.parametrize("moment", ["MAIL", "RCPT"])
@pytest.mark.parametrize("many", [False, True], ids=["deliver", "deliver_many"])
def test_a_server_that_refuses_and_hangs_up_has_refused(
    smtp_server: Servers, extensions: tuple[str, ...], moment: str, many: bool
) -> None:
    """Postfix does so behind 521: what was refused counts, and the replies that never come change nothing."""
    refusal = (b"550 5.7.1 <grace@example.com>: Sender address rejected: blocked\r\n", Close())
    server = smtp_server({moment: refusal}, extensions=extensions)
    with sender(server.settings(timeout=5)) as made:
        if many:
            found = list(made.deliver_many([message(), message()]))
        else:
            with pytest.raises(MailSendError) as caught:
                made.deliver(message())
            found = [caught.value]
    for error in found:
        assert isinstance(error, MailRejectedError)
        assert (error.outcome, error.stage, error.code, error.transient) == (Outcome.NOT_SENT, "mail", 550, False)


def test_a_server_that_cannot_do_groups_and_hangs_up_gets_one_command_at_a_time(smtp_server: Servers) -> None:
    """As OpenSMTPD says it and Exim does it."""
    server = pipelining(smtp_server, {"MAIL": [(b"554 5.5.1 SMTP synchronization error\r\n", Close())]})
    with sender(server.settings(timeout=5)) as made:
        assert made.deliver(message()).attempts == 2
    assert len(server.wait().taken) == 1
