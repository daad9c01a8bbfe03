"""Every fault at every stage becomes the right error with the right outcome."""

import errno
import socket
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailError,
    MailRateLimitError,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_smtp.failures import Stage, from_exception, from_reply
from postroom_smtp.replies import Reply
from postroom_smtp_basic.plugin import postroom_provider
from postroom_testing import Certificates
from postroom_testing.smtp import Action, Close, Drip, Endless, Read, Reset, Silence, SmtpServer, Stall
from smtp_checks import PASSWORD, QUICK, USER, assert_sound, error_of, large_message, message, sender

MOMENTS = ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."]
LOST: dict[str, tuple[Action, type[MailSendError], bool]] = {
    "silence": (Silence(), MailTimeoutError, True),
    "drip": (Drip(b"250-" + b"x" * 5000), MailTimeoutError, True),
    "drip of lines": ((b"250-x\r\n", Drip(b"250-x\r\n" * 1000)), MailTimeoutError, True),
    "reset": (Reset(), MailConnectionError, True),
    "close": (Close(), MailConnectionError, True),
    "close in the middle of a line": ((b"250 o", Close()), MailConnectionError, True),
    "close in the middle of a reply": ((b"250-ok\r\n", Close()), MailConnectionError, True),
    "malformed": (b"so be it\r\n", MailConnectionError, False),
    "an empty line": (b"\r\n", MailConnectionError, False),
    "a code that does not exist": (b"650 what\r\n", MailConnectionError, False),
    "a code without end": (b"2500 what\r\n", MailConnectionError, False),
    "binary": (bytes(range(256)) + b"\n", MailConnectionError, False),
    "endless reply": (Endless(b"250-more\r\n" * 100), MailConnectionError, False),
    "endless line": (Endless(b"x" * 1000), MailConnectionError, True),
    "codes that disagree": (b"250-ok\r\n550 no\r\n", MailConnectionError, False),
}
STAGE = {"greeting": "greeting", "EHLO": "ehlo", "AUTH": "auth", "MAIL": "mail", "RCPT": "rcpt", "DATA": "data"}


def with_login(server: SmtpServer, **more: object) -> dict[str, object]:
    """Return settings that log in; the time-out is one that a test never reaches."""
    return server.settings(**{"username": USER, "password": PASSWORD, "timeout": 10, **more})


def patience(kind: type[MailSendError]) -> float:
    """Return a short time-out where one is expected."""
    return QUICK if kind is MailTimeoutError else 10


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("moment", MOMENTS)
def test_without_an_understandable_reply_only_the_final_stage_is_in_doubt(
    smtp_server: Callable[..., SmtpServer], moment: str, fault: str
) -> None:
    """A reply that never comes or makes no sense means not sent, but after the final dot nobody knows."""
    action, kind, transient = LOST[fault]
    server = smtp_server({moment: action})
    started = time.monotonic()
    error = error_of(with_login(server, timeout=patience(kind)))
    assert time.monotonic() - started < 20  # the time-out is for the whole reply: a drip would go on for minutes
    assert type(error) is kind
    assert error.code is None
    if moment == ".":
        assert (error.stage, error.outcome, error.transient) == ("final", Outcome.UNKNOWN, False)
    elif error.stage == "connect":  # so fast a reset that the system still calls it a failed connection
        assert (moment, fault, error.outcome, error.transient) == ("greeting", "reset", Outcome.NOT_SENT, True)
    else:
        assert (error.stage, error.outcome, error.transient) == (STAGE[moment], Outcome.NOT_SENT, transient)
        assert server.bodies == []
    assert server.connections == 1


@pytest.mark.parametrize("fault", ["silence", "reset", "close", "malformed", "codes that disagree"])
def test_the_error_in_doubt_names_the_message_id(smtp_server: Callable[..., SmtpServer], fault: str) -> None:
    """Whoever must find out whether the message was accepted is told what to look for."""
    action, kind, _ = LOST[fault]
    mail = message()
    error = error_of(with_login(smtp_server({".": action}), timeout=patience(kind)), mail)
    assert error.outcome is Outcome.UNKNOWN
    assert mail.message_id in str(error)
    assert "before you send it again" in str(error)


REFUSED: dict[bytes, tuple[type[MailSendError], bool, str | None]] = {
    b"451 4.3.0 try later": (MailUnavailableError, True, "4.3.0"),
    b"452 no room": (MailUnavailableError, True, None),
    b"450 4.7.1 slow down": (MailRateLimitError, True, "4.7.1"),
    b"432 wait": (MailRateLimitError, True, None),
    b"432 4.7.12 wait": (MailRateLimitError, True, "4.7.12"),
    b"554 5.7.1 never": (MailRejectedError, False, "5.7.1"),
    b"550 no": (MailRejectedError, False, None),
    b"571 5.7.1 delivery not authorised": (MailRejectedError, False, "5.7.1"),
    b"550 4.2.2 the enhanced code says later": (MailUnavailableError, True, "4.2.2"),
    b"450 5.1.1 the enhanced code says never": (MailRejectedError, False, "5.1.1"),
    b"530 5.7.0 authentication required": (MailAuthError, False, "5.7.0"),
    b"535 5.7.3 not logged in": (MailAuthError, False, "5.7.3"),
    b"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three": (MailRejectedError, False, "5.7.1"),
}


@pytest.mark.parametrize("reply", REFUSED)
@pytest.mark.parametrize("moment", ["greeting", "EHLO", "MAIL", "DATA", "."])
def test_a_refusal_is_a_verdict_at_every_stage(
    smtp_server: Callable[..., SmtpServer], moment: str, reply: bytes
) -> None:
    """A reply of 4yz or 5yz means not sent, after the final dot too; its codes decide the class."""
    kind, transient, enhanced_code = REFUSED[reply]
    error = error_of(with_login(smtp_server({moment: reply + b"\r\n"})))
    assert type(error) is kind
    assert (error.stage, error.outcome) == (STAGE.get(moment, "final"), Outcome.NOT_SENT)
    assert (error.code, error.enhanced_code, error.transient) == (int(reply[:3]), enhanced_code, transient)


@pytest.mark.parametrize("reply", REFUSED)
def test_a_refusal_of_the_login_is_an_auth_error(smtp_server: Callable[..., SmtpServer], reply: bytes) -> None:
    """Whatever a server says to AUTH, it concerns the login; nothing is offered after it."""
    server = smtp_server({"AUTH": reply + b"\r\n"})
    error = error_of(with_login(server))
    assert type(error) is MailAuthError
    assert (error.stage, error.code, error.transient) == ("auth", int(reply[:3]), REFUSED[reply][1])
    permanent = reply[:3] != b"530" and not error.transient
    assert ("SMTP_PASSWORD" in str(error)) is permanent
    assert "MAIL" not in server.wait().verbs


@pytest.mark.parametrize("reply", REFUSED)
def test_a_refusal_of_the_only_recipient_names_it(smtp_server: Callable[..., SmtpServer], reply: bytes) -> None:
    """With nobody left to send to, the error holds each recipient's refusal, and DATA is never said."""
    server = smtp_server({"RCPT": reply + b"\r\n"})
    error = error_of(with_login(server))
    _, transient, enhanced_code = REFUSED[reply]
    assert type(error) is MailRecipientsError
    assert (error.stage, error.outcome, error.transient) == ("rcpt", Outcome.NOT_SENT, transient)
    refusal = error.refused["ada@example.com"]
    assert (refusal.code, refusal.enhanced_code, refusal.transient) == (int(reply[:3]), enhanced_code, transient)
    assert "DATA" not in server.wait().verbs


@pytest.mark.parametrize("moment", MOMENTS)
def test_421_is_the_end_of_the_connection_at_every_stage(smtp_server: Callable[..., SmtpServer], moment: str) -> None:
    """A server that is shutting down has not taken the message, which may go through later."""
    server = smtp_server({moment: (b"421 4.3.2 shutting down\r\n", Close())})
    error = error_of(with_login(server))
    assert type(error) is MailUnavailableError
    assert (error.stage, error.code, error.enhanced_code) == (STAGE.get(moment, "final"), 421, "4.3.2")
    assert (error.transient, error.outcome) == (True, Outcome.NOT_SENT)


@pytest.mark.parametrize(
    ("moment", "reply", "kind", "outcome"),
    [
        ("greeting", b"354 go\r\n", MailRejectedError, Outcome.NOT_SENT),
        ("EHLO", b"334 \r\n", MailRejectedError, Outcome.NOT_SENT),
        ("AUTH", b"250 ok\r\n", MailAuthError, Outcome.NOT_SENT),
        ("MAIL", b"354 go\r\n", MailRejectedError, Outcome.NOT_SENT),
        ("RCPT", b"354 go\r\n", MailRecipientsError, Outcome.NOT_SENT),
        ("DATA", b"250 ok\r\n", MailConnectionError, Outcome.NOT_SENT),
        ("DATA", b"220 ok\r\n", MailConnectionError, Outcome.NOT_SENT),
        (".", b"354 go\r\n", MailConnectionError, Outcome.UNKNOWN),
    ],
)
def test_a_positive_code_in_the_wrong_place_is_no_success(
    smtp_server: Callable[..., SmtpServer],
    moment: str,
    reply: bytes,
    kind: type[MailSendError],
    outcome: Outcome,
) -> None:
    """A code that does not belong to the command is never taken for a yes."""
    server = smtp_server({moment: reply})
    error = error_of(with_login(server))
    assert (type(error), error.outcome, error.transient) == (kind, outcome, False)
    assert len(server.wait().bodies) == (moment == ".")


NEXT = {"greeting": "ehlo", "EHLO": "auth", "AUTH": "mail", "MAIL": "rcpt", "RCPT": "data", "DATA": "body"}
USUAL = {
    "greeting": b"220 hello\r\n",
    "EHLO": b"250-hello\r\n250 AUTH PLAIN\r\n",
    "AUTH": b"235 welcome\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go\r\n",
}


@pytest.mark.parametrize("surplus", [b"250 ok\r\n", b"354 go\r\n", b"220 hello\r\n", b"235 welcome\r\n", b"2"])
@pytest.mark.parametrize("moment", USUAL)
def test_a_second_reply_to_one_command_ends_the_dialogue(
    smtp_server: Callable[..., SmtpServer], moment: str, surplus: bytes
) -> None:
    """A surplus reply is not taken for the answer to the next command: from then on nothing would fit."""
    server = smtp_server({moment: USUAL[moment] + surplus})
    kind = MailTimeoutError if surplus == b"2" else MailConnectionError
    error = error_of(with_login(server, timeout=patience(kind)))
    assert type(error) is kind
    assert (error.stage, error.outcome) == (NEXT[moment], Outcome.NOT_SENT)
    assert server.wait().verbs == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"][: [*USUAL].index(moment)]
    assert server.bodies == []


@pytest.mark.parametrize("moment", USUAL)
def test_a_second_reply_that_says_421_is_understood(smtp_server: Callable[..., SmtpServer], moment: str) -> None:
    """The one thing that a server may say unasked is that it is closing the connection (RFC 5321 section 3.8)."""
    server = smtp_server({moment: (USUAL[moment] + b"421 4.4.2 idle for too long\r\n", Close())})
    error = error_of(with_login(server))
    assert type(error) is MailUnavailableError
    assert (error.stage, error.code, error.transient) == (NEXT[moment], 421, True)


def test_a_reply_before_the_final_dot_is_never_an_acceptance(smtp_server: Callable[..., SmtpServer]) -> None:
    """A server that says 250 before the message has ended cannot have taken it."""
    server = smtp_server({"DATA": b"354 go\r\n250 2.0.0 accepted\r\n", ".": Silence()})
    error = error_of(with_login(server))
    assert type(error) is MailConnectionError
    assert (error.stage, error.outcome) == ("body", Outcome.NOT_SENT)
    assert server.wait().bodies == []


@pytest.mark.parametrize(
    ("action", "kind", "transient"),
    [
        (Stall(), MailTimeoutError, True),
        (Reset(), MailConnectionError, True),
        (Close(), MailConnectionError, True),
        ((b"250 thank you\r\n", Stall()), MailConnectionError, False),
        ((b"what?\r\n", Stall()), MailConnectionError, False),
    ],
)
def test_a_connection_that_fails_within_the_body_has_sent_nothing(
    smtp_server: Callable[..., SmtpServer], action: Action, kind: type[MailSendError], transient: bool
) -> None:
    """Before the final dot no server may deliver, so the outcome is known."""
    server = smtp_server({"body": action}, receive_buffer=8192)
    error = error_of(with_login(server, timeout=patience(kind)), large_message())
    assert type(error) is kind
    assert (error.stage, error.outcome, error.transient) == ("body", Outcome.NOT_SENT, transient)
    assert server.bodies == []


@pytest.mark.parametrize("then", [Close(), Stall()])
def test_a_server_that_refuses_within_the_body_is_quoted(smtp_server: Callable[..., SmtpServer], then: Action) -> None:
    """A server that says why and hangs up, or stops reading, has its words in the error, not a broken pipe."""
    server = smtp_server({"body": (b"552 5.3.4 too big for us\r\n", then)}, receive_buffer=8192)
    error = error_of(with_login(server, timeout=QUICK if then == Stall() else 10), large_message())
    assert type(error) is MailRejectedError
    assert (error.stage, error.code, error.enhanced_code) == ("body", 552, "5.3.4")
    assert "too big for us" in str(error)
    assert error.outcome is Outcome.NOT_SENT


def test_a_refusal_that_came_with_the_354_is_quoted(smtp_server: Callable[..., SmtpServer]) -> None:
    """A verdict that is there when the body has been written is read before the dot is."""
    server = smtp_server({"DATA": (b"354 go\r\n451 4.3.0 no, wait\r\n")})
    error = error_of(with_login(server))
    assert (type(error), error.stage, error.code) == (MailUnavailableError, "body", 451)
    assert server.wait().bodies == []


@pytest.mark.parametrize("action", [Silence(), Reset(), Close(), b"500 what?\r\n", b"nonsense\r\n"])
def test_what_happens_at_quit_changes_nothing(smtp_server: Callable[..., SmtpServer], action: Action) -> None:
    """The message was accepted, and stays accepted."""
    server = smtp_server({"QUIT": action})
    with sender(with_login(server)) as made:
        assert made.deliver(message()).accepted == ("ada@example.com",)
    assert server.wait().verbs[-1] == "QUIT"


def test_a_connection_that_is_gone_at_quit_changes_nothing(smtp_server: Callable[..., SmtpServer]) -> None:
    """A server that hangs up right after its acceptance has accepted."""
    server = smtp_server({".": (b"250 2.0.0 taken\r\n", Reset())})
    with sender(with_login(server)) as made:
        assert made.deliver(message()).provider_id == "taken"


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_deadline_ends_a_send_that_never_times_out(smtp_server: Callable[..., SmtpServer], moment: str) -> None:
    """A server that keeps dripping within the time-out cannot hold the sender beyond the deadline."""
    server = smtp_server({moment: Drip(b"250-x\r\n" * 10_000)})
    started = time.monotonic()
    error = error_of(server.settings(username=USER, password=PASSWORD, timeout=60, deadline=QUICK))
    assert type(error) is MailTimeoutError
    assert error.outcome is (Outcome.UNKNOWN if moment == "." else Outcome.NOT_SENT)
    assert time.monotonic() - started < 20


def test_a_stalled_body_does_not_outlive_the_deadline(smtp_server: Callable[..., SmtpServer]) -> None:
    """Writing is bounded like reading."""
    server = smtp_server({"body": Stall()}, receive_buffer=8192)
    started = time.monotonic()
    error = error_of(server.settings(timeout=60, deadline=QUICK), large_message())
    assert (type(error), error.stage, error.outcome) == (MailTimeoutError, "body", Outcome.NOT_SENT)
    assert time.monotonic() - started < 20


def test_nobody_there_is_a_connection_error() -> None:
    """A port where nobody listens: transient, and the settings to look at are named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = error_of({"server": "127.0.0.1", "port": port})
    assert type(error) is MailConnectionError
    assert (error.stage, error.transient, error.outcome) == ("connect", True, Outcome.NOT_SENT)
    assert "SMTP_SERVER and SMTP_PORT" in str(error)


def test_a_full_backlog_is_a_timeout() -> None:
    """A host that does not answer at all is given up after the time-out."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # a queue of length 0 holds one connection, and on some systems two
            error = error_of({"server": address[0], "port": address[1], "timeout": QUICK})
    assert type(error) is MailTimeoutError
    assert error.stage in ("connect", "greeting")
    assert error.transient


def test_a_name_that_does_not_exist_is_permanent() -> None:
    """The resolver says that there is no such host: trying again does not help."""
    error = error_of({"server": "fe80::1%nosuchinterface", "port": 25})
    assert type(error) is MailConnectionError
    assert (error.stage, error.transient) == ("dns", False)
    assert "Check SMTP_SERVER" in str(error)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "try again"), True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), False),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
        (TimeoutError("timed out"), True),
    ],
)
def test_a_failure_of_the_network_is_transient_unless_it_is_the_name(error: OSError, transient: bool) -> None:
    """A resolver that cannot answer now may answer later; a name that does not exist will not."""
    made = from_exception(error, Stage.CONNECT, "mail.example.com:25", "none", None)
    assert made.transient is transient
    assert "mail.example.com:25" in str(made)
    assert made.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("reply", "stage", "advice"),
    [
        (Reply(535, ("5.7.8 no",)), Stage.AUTH, "SMTP_USERNAME and SMTP_PASSWORD"),
        (Reply(530, ("5.7.0 Must issue a STARTTLS command first",)), Stage.MAIL, "SMTP_OPPORTUNISTIC_TLS=true"),
        (Reply(530, ("5.7.0 Authentication required",)), Stage.MAIL, "Set SMTP_USERNAME and how to log in"),
        (Reply(553, ("5.7.1 not owned by user",)), Stage.MAIL, "MAIL_DEFAULT_SEND_FROM"),
        (Reply(550, ("bad name",)), Stage.EHLO, "SMTP_LOCAL_HOSTNAME"),
    ],
)
def test_a_refusal_that_an_operator_can_cure_says_how(reply: Reply, stage: Stage, advice: str) -> None:
    """The remedy names the setting."""
    rule = postroom_provider().diagnose(from_reply(reply, stage, "mail.example.com:25"))
    assert rule is not None
    assert advice in rule.remedy


@pytest.mark.parametrize("stage", [Stage.GREETING, Stage.EHLO, Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.FINAL])
def test_every_refusal_is_explained(stage: Stage) -> None:
    """Whatever the code, and at whatever stage, there is a meaning and a remedy (RFC 5321 section 4.2.1)."""
    for code in range(400, 600):
        rule = postroom_provider().diagnose(from_reply(Reply(code, ("the words",)), stage, "mail.example.com:25"))
        assert rule is not None, code


def test_check_connection_raises_what_test_connection_logs(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture
) -> None:
    """The probe says no without raising; its log has the reason, and no message is offered."""
    server = smtp_server({"AUTH": b"535 5.7.8 no\r\n"})
    with sender(with_login(server)) as made:
        with pytest.raises(MailAuthError) as caught:
            made.check_connection()
        assert made.test_connection() is False
    assert_sound(caught.value, PASSWORD)
    assert "535 5.7.8 no" in caplog.text
    assert "MAIL" not in server.wait().verbs


def test_a_tls_connection_that_is_cut_is_a_lost_connection(
    smtp_server: Callable[..., SmtpServer], ca: Certificates
) -> None:
    """The end of a connection is transient under TLS too, where it looks like a TLS error."""
    server = smtp_server({"body": Close()}, tls=ca.good, implicit=True, receive_buffer=8192)
    error = error_of(with_login(server, tls_mode="implicit", ca_file=ca.ca_file), large_message())
    assert type(error) is MailConnectionError
    assert (error.stage, error.transient, error.outcome) == ("body", True, Outcome.NOT_SENT)


def test_a_handshake_that_is_cut_is_a_lost_connection(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> None:
    """A server that closes in the middle of the handshake may be there again later."""
    server = smtp_server({"TLS": (Read(), Close())}, tls=ca.good, implicit=True)
    error = error_of(with_login(server, tls_mode="implicit", ca_file=ca.ca_file))
    assert type(error) is MailConnectionError
    assert (error.stage, error.transient, error.outcome) == ("tls", True, Outcome.NOT_SENT)
    assert "the server closed the connection" in str(error)


REPLY_LIKE = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.from_regex(rb"[2-5][0-9]{2}[ -]([245]\.[0-9]\.[0-9] )?[ -~]{0,40}\r?\n", fullmatch=True),
        st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"334 \r\n", b"235 ok\r\n", b"250-SIZE 9\r\n", b"220 x\r\n"]),
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(moment=st.sampled_from(MOMENTS), reply=REPLY_LIKE)
def test_no_reply_whatsoever_hangs_or_raises_anything_foreign(moment: str, reply: bytes) -> None:
    """Arbitrary octets at any stage end in a receipt or in one of our errors, whose outcome is true."""
    with SmtpServer({moment: (reply, Close())}) as server, sender(with_login(server)) as made:
        try:
            receipt = made.deliver(message())
        except MailError as error:
            assert_sound(error, PASSWORD)
            # Only what was ended with a dot can be in doubt. A server that hangs up right behind 354 may be sent it
            # before that is seen, and does not read it.
            if isinstance(error, MailSendError) and error.outcome is Outcome.UNKNOWN:
                assert server.wait().bodies or (moment == "DATA" and b"354" in reply)
        else:
            assert receipt.accepted == ("ada@example.com",)
            assert server.wait().bodies
            assert reply.startswith(b"2")


@settings(max_examples=60, deadline=None)
@given(offer=st.from_regex(r"[ -~]{0,60}", fullmatch=True), word=st.sampled_from(["SIZE ", "AUTH ", "AUTH=", ""]))
def test_no_offer_whatsoever_raises_anything_foreign(offer: str, word: str) -> None:
    """Whatever stands behind EHLO's keywords, the send succeeds or ends in one of our errors."""
    with SmtpServer(extensions=[word + offer]) as server, sender(with_login(server)) as made:
        try:
            receipt = made.deliver(message())
        except MailError as error:
            assert_sound(error, PASSWORD)
        else:
            assert receipt.accepted == ("ada@example.com",)
