"""The dialogue up to the first message: greeting, EHLO, HELO, and what the log shows of it."""

import logging
import re
import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from postroom import MailMessageError, MailRejectedError, MailSettingsError
from postroom_smtp.connection import Connection, Deadline
from postroom_smtp.failures import Stage
from postroom_smtp.names import own_name
from postroom_smtp.session import Session, Timeouts
from postroom_testing.smtp import SmtpServer
from smtp_checks import PASSWORD, USER, error_of, message, sender


def test_the_dialogue_has_each_command_once_and_in_order(smtp_server: Callable[..., SmtpServer]) -> None:
    """One command at a time, one QUIT at the end, one connection for one message."""
    server = smtp_server()
    with sender(server.settings(local_hostname="app.example.com")) as made:
        made.deliver(message(cc="bob@example.com"))
    assert [re.sub(r"SIZE=\d+", "SIZE=n", command) for command in server.wait().commands] == [
        "EHLO app.example.com",
        "MAIL FROM:<grace@example.com> SIZE=n",
        "RCPT TO:<ada@example.com>",
        "RCPT TO:<bob@example.com>",
        "DATA",
        "QUIT",
    ]
    assert server.connections == 1


def test_a_sender_can_be_used_again_after_it_was_closed(smtp_server: Callable[..., SmtpServer]) -> None:
    """Closing twice does no harm, and a message after it goes over a new connection."""
    server = smtp_server()
    made = sender(server.settings())
    made.deliver(message())
    made.close()
    made.close()
    made.deliver(message())
    made.close()
    assert server.wait().connections == 2
    assert len(server.bodies) == 2


def test_check_connection_offers_no_message(smtp_server: Callable[..., SmtpServer]) -> None:
    """The probe introduces itself and logs in, on a new connection each time, and sends nothing."""
    server = smtp_server()
    with sender(server.settings(username=USER, password=PASSWORD)) as made:
        made.check_connection()
        assert made.test_connection()
        assert made.is_configured()
    assert server.wait().connections == 2
    assert sorted(server.verbs) == ["AUTH", "AUTH", "EHLO", "EHLO", "QUIT", "QUIT"]


def test_every_line_ends_with_crlf(smtp_server: Callable[..., SmtpServer]) -> None:
    """Commands and body have no bare CR and no bare LF: what lets one through can be made to smuggle messages."""
    server = smtp_server()
    with sender(server.settings(username=USER, password=PASSWORD)) as made:
        made.deliver(message(text="unix\nmac\rwindows\r\nend", html="<p>\n.\r</p>"))
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", server.wait().received)


def test_the_name_of_the_settings_introduces_us(smtp_server: Callable[..., SmtpServer]) -> None:
    """SMTP_LOCAL_HOSTNAME is said to EHLO, and to HELO."""
    server = smtp_server({"EHLO": b"502 what?\r\n"})
    with sender(server.settings(local_hostname="[192.0.2.1]")) as made:
        made.deliver(message())
    assert server.wait().commands[:2] == ["EHLO [192.0.2.1]", "HELO [192.0.2.1]"]


def test_without_a_name_this_host_introduces_itself(smtp_server: Callable[..., SmtpServer]) -> None:
    """A full host name, or our own address as a literal, as RFC 5321 section 4.1.1.1 wants it; never a bare label."""
    server = smtp_server()
    with sender(server.settings()) as made:
        made.check_connection()
    name = server.wait().commands[0].removeprefix("EHLO ")
    assert name == "[127.0.0.1]" or re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\.?", name)


@pytest.mark.parametrize(
    "name", ["web-1.", "a..b", "-x.y", "x-.y", ".x", "x_y.example", "10.0.0.1", "web", "", "a" * 64 + ".b"]
)
def test_a_host_name_that_is_no_domain_never_goes_out(
    smtp_server: Callable[..., SmtpServer], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Our address as a literal stands for it (RFC 5321 section 4.1.4)."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(socket, "getfqdn", lambda given="": given)
    own_name.cache_clear()
    try:
        server = smtp_server()
        with sender(server.settings()) as made:
            made.check_connection()
    finally:
        own_name.cache_clear()
    assert server.wait().commands[0] == "EHLO [127.0.0.1]"


def test_an_absolute_host_name_goes_out_without_its_dot(
    smtp_server: Callable[..., SmtpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """EHLO takes no dot at the end (RFC 5321 section 4.1.2)."""
    monkeypatch.setattr(socket, "gethostname", lambda: "web-1.example.com.")
    own_name.cache_clear()
    try:
        server = smtp_server()
        with sender(server.settings()) as made:
            made.check_connection()
    finally:
        own_name.cache_clear()
    assert server.wait().commands[0] == "EHLO web-1.example.com"


@pytest.mark.parametrize("name", ["a..b", "-x.y", ".x", "x.", "x_y", "10.0.0.1", "a b"])
def test_a_set_name_that_is_no_domain_is_refused(name: str) -> None:
    """The error names the variable."""
    with pytest.raises(MailSettingsError, match="SMTP_LOCAL_HOSTNAME"):
        sender({"server": "localhost", "port": 25, "local_hostname": name})


def test_over_ipv6_the_literal_is_tagged(smtp_server: Callable[..., SmtpServer]) -> None:
    """RFC 5321 section 4.1.3: `[IPv6:...]`. A server that is an IPv6 address can be set."""
    try:
        server = smtp_server(host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with sender(server.settings()) as made:
        made.deliver(message())
    name = server.wait().commands[0].removeprefix("EHLO ")
    assert name == "[IPv6:::1]" or re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\.?", name)


@pytest.mark.parametrize("code", [500, 501, 502, 503, 504, 530, 550, 554])
def test_a_server_that_knows_no_ehlo_is_greeted_with_helo(smtp_server: Callable[..., SmtpServer], code: int) -> None:
    """RFC 5321 sections 3.2 and 4.1.4. Such a server offers nothing, so MAIL has no parameters."""
    server = smtp_server({"EHLO": f"{code} what?\r\n".encode()})
    with sender(server.settings()) as made:
        made.deliver(message())
    assert server.wait().verbs == ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert "MAIL FROM:<grace@example.com>" in server.commands


def test_a_server_that_refuses_helo_too_is_given_up(smtp_server: Callable[..., SmtpServer]) -> None:
    """The reply to HELO decides."""
    server = smtp_server({"EHLO": b"502 what?\r\n", "HELO": b"550 go away\r\n"})
    error = error_of(server.settings())
    assert (type(error), error.stage, error.code) == (MailRejectedError, "ehlo", 550)
    assert server.wait().verbs == ["EHLO", "HELO"]


@pytest.mark.parametrize("reply", [b"521 5.3.2 no mail here\r\n", b"421 4.3.2 later\r\n", b"451 4.3.0 later\r\n"])
def test_a_server_that_takes_no_mail_now_or_ever_is_not_greeted_again(
    smtp_server: Callable[..., SmtpServer], reply: bytes
) -> None:
    """Another command changes nothing about that."""
    server = smtp_server({"EHLO": reply})
    assert error_of(server.settings()).code == int(reply[:3])
    assert server.wait().verbs == ["EHLO"]


@pytest.mark.parametrize(
    "more", [{"tls_mode": "starttls"}, {"username": USER, "password": PASSWORD}], ids=["STARTTLS", "login"]
)
def test_what_helo_cannot_offer_is_missing_because_ehlo_was_refused(
    smtp_server: Callable[..., SmtpServer], more: dict[str, object]
) -> None:
    """The reply to EHLO is the cause; that there is no TLS or login follows from it."""
    server = smtp_server({"EHLO": b"550 5.7.1 bad name\r\n"})
    error = error_of(server.settings(**more))
    assert (error.stage, error.code) == ("ehlo", 550)
    assert "bad name" in str(error)
    assert server.wait().verbs == ["EHLO", "HELO"]


@pytest.mark.parametrize(
    "offer",
    [
        ["size 1000", "Auth login"],
        ["SIZE 1000", "AUTH=LOGIN"],
        ["SIZE 1000", "AUTH LOGIN", "AUTH=LOGIN"],
        ["X-UNKNOWN what ever", "", "SIZE 1000", "AUTH GSSAPI LOGIN"],
    ],
)
def test_what_is_offered_is_understood_in_every_spelling(
    smtp_server: Callable[..., SmtpServer], offer: list[str]
) -> None:
    """Keywords in any case, the old `AUTH=`, both of it, and keywords that nobody knows."""
    server = smtp_server(extensions=offer)
    with sender(server.settings(username=USER, password=PASSWORD)) as made:
        made.deliver(message())
    assert server.wait().commands[1] == "AUTH LOGIN"
    assert any(" SIZE=" in command for command in server.commands)


@pytest.mark.parametrize("size", ["\u0663\u0663", "1_0", "+1", "\u00b2"])
def test_a_limit_that_is_no_number_is_none(smtp_server: Callable[..., SmtpServer], size: str) -> None:
    """SIZE with digits of another script, or with what only Python takes for a number, refuses no message."""
    server = smtp_server(extensions=[f"SIZE {size}"])
    with sender(server.settings()) as made:
        assert made.deliver(message()).accepted
    assert not any(" SIZE=" in command for command in server.wait().commands)


def test_a_greeting_of_several_lines_is_read_whole(smtp_server: Callable[..., SmtpServer]) -> None:
    """Some servers greet with their terms of use."""
    server = smtp_server({"greeting": b"220-one\r\n220-two\r\n220 three\r\n"})
    with sender(server.settings()) as made:
        assert made.deliver(message()).accepted == ("ada@example.com",)


def test_the_debug_log_has_the_dialogue_and_no_secret(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Commands and replies are there to read; the login is masked."""
    server = smtp_server()
    with (
        caplog.at_level(logging.DEBUG, "postroom"),
        sender(server.settings(username=USER, password=PASSWORD, local_hostname="app.example.com")) as made,
    ):
        made.deliver(message())
    said = [record.getMessage() for record in caplog.records if record.name == "postroom.smtp.session"]
    peer = f"127.0.0.1:{server.port}"
    assert said[0] == f"{peer} <- 220 scripted ESMTP"
    assert f"{peer} -> EHLO app.example.com" in said
    assert f"{peer} -> AUTH PLAIN ***" in said
    assert f"{peer} -> RCPT TO:<ada@example.com>" in said
    assert said[-1] == f"{peer} <- 250 2.0.0 taken"
    assert PASSWORD not in caplog.text
    assert server.wait().commands[1].removeprefix("AUTH PLAIN ") not in caplog.text


def test_above_debug_nothing_is_logged_of_a_send(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Addresses of recipients appear at DEBUG only."""
    with caplog.at_level(logging.INFO, "postroom"), sender(smtp_server().settings()) as made:
        caplog.clear()  # what was made has been said
        made.deliver(message())
    assert [record for record in caplog.records if record.name.startswith("postroom")] == []


@pytest.mark.parametrize("line", ["NOOP\r\nMAIL FROM:<x@example.com>", "NOOP\n", "NO\rOP", "NO\0OP"])
def test_no_command_can_hold_another(line: str) -> None:
    """Whatever the settings and the message let through, a line end in a command is refused before it is written."""
    ours, theirs = socket.socketpair()
    with closing(Session("peer", Timeouts(), Connection(ours, Deadline(5)))) as session, theirs:
        with pytest.raises(ValueError, match="a command holds a line end"):
            session.command(Stage.MAIL, line)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


def test_a_message_without_sender_touches_no_network(smtp_server: Callable[..., SmtpServer]) -> None:
    """The transport refuses what core would have completed."""
    server = smtp_server()
    with sender(server.settings()) as made, pytest.raises(MailMessageError, match="no sender"):
        made.transport.deliver(message(from_=None))  # type: ignore[attr-defined]  # not part of DeliveringSender
    assert server.connections == 0
