"""TLS: which mode the settings mean, and that nothing is said to a server that is not who it should be."""

import logging
import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postroom import (
    MailConfigError,
    MailConnectionError,
    MailRejectedError,
    MailSenderFactory,
    MailSendError,
    MailSettingsError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_smtp.settings import SmtpSettings
from postroom_testing import Certificates
from postroom_testing.smtp import Action, Close, Read, Reset, Silence, SmtpServer
from smtp_checks import PASSWORD, QUICK, USER, assert_sound, error_of, message, sender
from smtp_servers import RealServer

LOGIN = {"username": USER, "password": PASSWORD, "timeout": 10}


@pytest.mark.parametrize(
    ("use_tls", "opportunistic_tls", "port", "mode"),
    [
        *((False, False, port, "none") for port in (25, 465, 587, 2525)),
        (True, False, 25, "starttls"),
        (True, False, 587, "starttls"),
        (True, False, 465, "implicit"),
        (True, False, 2525, "implicit"),
        *((True, True, port, "starttls") for port in (25, 465, 587, 2525)),
    ],
)
def test_two_switches_and_the_port_give_the_mode(use_tls: bool, opportunistic_tls: bool, port: int, mode: str) -> None:
    """Dify's switches; ports 25 and 587 cannot begin with TLS, so there `use_tls` alone means STARTTLS."""
    settings = SmtpSettings(server="localhost", port=port, use_tls=use_tls, opportunistic_tls=opportunistic_tls)
    assert settings.mode == mode


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_the_dot_of_an_absolute_name_is_no_part_of_what_tls_verifies(
    smtp_server: Callable[..., SmtpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """DNS writes so a name that needs no search; certificates and SNI (RFC 6066 section 3) have it without the dot."""
    here, asked = socket.getaddrinfo, []

    def look_up(host: str, *more: Any, **named: Any) -> Any:
        asked.append(host)
        return here(host.removesuffix("."), *more, **named)  # this machine may have no resolver that takes a dot

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    names: list[str | None] = []
    ca.good.sni_callback = lambda _, name, __: names.append(name)
    try:
        server = smtp_server(tls=ca.good, implicit=mode == "implicit")
        settings = {"server": "localhost.", "port": server.port, "tls_mode": mode, "ca_file": ca.ca_file}
        with sender(settings) as made:
            made.deliver(message())
            assert [step.name for step in made.probe()][-1] == "ehlo"
    finally:
        ca.good.sni_callback = None
    assert {*names} == {"localhost"}
    assert {*asked} == {"localhost."}


@pytest.mark.parametrize("port", [25, 465, 587, 2525])
def test_opportunistic_tls_without_tls_is_a_contradiction(port: int) -> None:
    """Whoever writes this wants TLS, and would get none."""
    with pytest.raises(MailConfigError, match=r"Opportunistic TLS requires TLS to be enabled.*SMTP_USE_TLS"):
        MailSenderFactory.create_sender(
            "smtp", {"server": "localhost", "port": port, "use_tls": False, "opportunistic_tls": True}
        )


@pytest.mark.parametrize("tls_mode", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("use_tls", [False, True])
@pytest.mark.parametrize("opportunistic_tls", [False, True])
@pytest.mark.parametrize("port", [465, 587])
def test_the_mode_said_outright_overrides_the_switches(
    tls_mode: str, use_tls: bool, opportunistic_tls: bool, port: int
) -> None:
    """SMTP_TLS_MODE is the last word, over a contradiction too."""
    settings = SmtpSettings(
        server="localhost",
        port=port,
        use_tls=use_tls,
        opportunistic_tls=opportunistic_tls,
        tls_mode=tls_mode,  # type: ignore[arg-type]  # one of the literals
    )
    assert settings.mode == tls_mode


def test_implicit_tls_begins_with_a_handshake(smtp_server: Callable[..., SmtpServer]) -> None:
    """The first octets are a ClientHello, before the server has said anything."""
    server = smtp_server({"greeting": Silence()})
    error_of(server.settings(use_tls=True, timeout=QUICK))
    assert server.wait().received.startswith(b"\x16\x03\x01")


@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_the_other_modes_wait_for_the_greeting(smtp_server: Callable[..., SmtpServer], mode: str) -> None:
    """Nothing is said to a server that has not spoken."""
    server = smtp_server({"greeting": Silence()})
    error_of(server.settings(tls_mode=mode, timeout=QUICK))
    assert server.wait().received == b""


def test_starttls_begins_with_ehlo_and_goes_on_in_tls(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> None:
    """Before TLS nothing but EHLO and STARTTLS is said; behind it, EHLO again."""
    server = smtp_server(tls=ca.good)
    config = server.settings(**LOGIN, tls_mode="starttls", ca_file=ca.ca_file, local_hostname="app.example.com")
    with sender(config) as made:
        made.deliver(message())
    assert server.wait().verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
    assert server.commands[0] == server.commands[2] == "EHLO app.example.com"


def test_without_tls_starttls_is_never_said(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> None:
    """Where the settings say no TLS, none is tried though it is offered."""
    server = smtp_server(tls=ca.good)
    with sender(server.settings(**LOGIN)) as made:
        made.deliver(message())
    assert "STARTTLS" not in server.wait().verbs


@pytest.mark.parametrize(("mode", "implicit"), [("starttls", False), ("implicit", True)])
def test_a_real_server_takes_a_message_over_tls(
    real_server: Callable[..., RealServer], ca: Certificates, mode: str, implicit: bool
) -> None:
    """Both modes work against a server that verifies the login."""
    server = real_server(tls=ca.good, implicit=implicit, login=(USER, PASSWORD))
    with sender(server.settings(**LOGIN, tls_mode=mode, ca_file=ca.ca_file)) as made:
        made.send(message())
    (delivered,) = server.messages
    assert (delivered.tls, delivered.user) == (True, USER)


def test_a_server_that_offers_no_starttls_gets_nothing(smtp_server: Callable[..., SmtpServer]) -> None:
    """Somebody in between may have removed the offer: there is no going on in plain text."""
    server = smtp_server()
    error = error_of(server.settings(**LOGIN, tls_mode="starttls"))
    assert type(error) is MailConnectionError
    assert (error.stage, error.outcome, error.transient) == ("starttls", Outcome.NOT_SENT, False)
    assert "does not offer STARTTLS" in str(error)
    assert "SMTP_TLS_MODE=none" in str(error)
    assert server.wait().verbs == ["EHLO"]


@pytest.mark.parametrize(
    ("reply", "kind", "transient"),
    [
        (b"454 4.7.0 TLS not available\r\n", MailSendError, True),
        (b"454 not now\r\n", MailUnavailableError, True),
        (b"502 what?\r\n", MailRejectedError, False),
        (b"250 ok\r\n", MailRejectedError, False),
        (b"421 leaving\r\n", MailUnavailableError, True),
    ],
)
def test_a_server_that_refuses_starttls_gets_nothing(
    smtp_server: Callable[..., SmtpServer],
    ca: Certificates,
    reply: bytes,
    kind: type[MailSendError],
    transient: bool,
) -> None:
    """Whatever it says but 220, nothing follows."""
    server = smtp_server({"STARTTLS": reply}, tls=ca.good)
    error = error_of(server.settings(**LOGIN, tls_mode="starttls"))
    assert isinstance(error, kind)
    assert (error.stage, error.code, error.transient) == ("starttls", int(reply[:3]), transient)
    assert server.wait().verbs == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("injected", [b"250-AUTH PLAIN\r\n250 ok\r\n", b"2", b"\r\n", b"235 welcome\r\n"])
def test_text_behind_the_reply_to_starttls_is_refused(
    smtp_server: Callable[..., SmtpServer], ca: Certificates, injected: bytes
) -> None:
    """Plain text in the same segment would be taken for what the server says under TLS (CVE-2011-0411)."""
    server = smtp_server({"STARTTLS": b"220 go\r\n" + injected}, tls=ca.good)
    error = error_of(server.settings(**LOGIN, tls_mode="starttls", ca_file=ca.ca_file))
    assert type(error) is MailConnectionError
    assert (error.stage, error.outcome, error.transient) == ("starttls", Outcome.NOT_SENT, False)
    assert "injected" in str(error)
    assert server.wait().verbs == ["EHLO", "STARTTLS"]


def test_what_was_offered_before_tls_is_forgotten(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> None:
    """The offer before TLS may be anybody's: SIZE, SMTPUTF8 and AUTH count only as they are offered within."""
    server = smtp_server(
        tls=ca.good, extensions=["SIZE 10", "SMTPUTF8", "8BITMIME", "AUTH PLAIN"], extensions_in_tls=["AUTH LOGIN"]
    )
    with sender(server.settings(**LOGIN, tls_mode="starttls", ca_file=ca.ca_file)) as made:
        made.deliver(message())
    assert server.wait().commands[3] == "AUTH LOGIN"
    assert "MAIL FROM:<grace@example.com>" in server.commands


def test_a_login_that_is_offered_before_tls_only_is_not_used(
    smtp_server: Callable[..., SmtpServer], ca: Certificates
) -> None:
    """Without an offer within TLS there is no login, and so no message."""
    server = smtp_server(tls=ca.good, extensions=["AUTH PLAIN"], extensions_in_tls=[])
    error = error_of(server.settings(**LOGIN, tls_mode="starttls", ca_file=ca.ca_file))
    assert "offers no login" in str(error)
    assert server.wait().verbs == ["EHLO", "STARTTLS", "EHLO"]


BAD = {
    "expired": ("certificate has expired", "The server needs a new certificate"),
    "not_yet_valid": ("certificate is not yet valid", "Compare the clocks"),
    "wrong_host": ("mismatch", "Set SMTP_SERVER to a name that is in the certificate"),
    "unknown_ca": ("unable to get local issuer certificate", "set SMTP_CA_FILE"),
    "self_signed": ("self-signed certificate", "set SMTP_CA_FILE"),
}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize("certificate", BAD)
def test_a_server_with_a_bad_certificate_gets_nothing(
    smtp_server: Callable[..., SmtpServer], ca: Certificates, certificate: str, mode: str, host: str
) -> None:
    """Nobody's login and nobody's message goes to a server that cannot prove its name; the error says what to do."""
    server = smtp_server(tls=getattr(ca, certificate), implicit=mode == "implicit")
    error = error_of(server.settings(**LOGIN, tls_mode=mode, ca_file=ca.ca_file) | {"server": host})
    said, remedy = BAD[certificate]
    assert type(error) is MailConnectionError
    assert (error.stage, error.outcome, error.transient) == ("tls", Outcome.NOT_SENT, False)
    assert said in str(error).replace("self signed", "self-signed")  # OpenSSL 1.1 has no hyphen
    assert remedy in str(error)
    assert server.wait().verbs == (["EHLO", "STARTTLS"] if mode == "starttls" else [])
    assert len(server.tls_failures) == 1


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_a_good_certificate_of_an_authority_nobody_named_is_refused(
    smtp_server: Callable[..., SmtpServer], ca: Certificates, mode: str
) -> None:
    """Without SMTP_CA_FILE only the system's authorities are trusted."""
    server = smtp_server(tls=ca.good, implicit=mode == "implicit")
    error = error_of(server.settings(**LOGIN, tls_mode=mode))
    assert "If you trust this server, set SMTP_CA_FILE" in str(error)
    assert "AUTH" not in server.wait().verbs


@pytest.mark.parametrize("certificate", BAD)
def test_without_verification_anybody_is_trusted_with_one_warning(
    smtp_server: Callable[..., SmtpServer],
    ca: Certificates,
    caplog: pytest.LogCaptureFixture,
    certificate: str,
) -> None:
    """SMTP_TLS_VERIFY=false is for whoever knows why, and an operator sees it once, when the sender is made."""
    server = smtp_server(tls=getattr(ca, certificate))
    with (
        caplog.at_level(logging.WARNING, "postroom"),
        sender(server.settings(**LOGIN, tls_mode="starttls", tls_verify="false")) as made,
    ):
        made.deliver(message())
        made.deliver(message())
    (record,) = [record for record in caplog.records if record.name.startswith("postroom")]
    assert record.levelno == logging.WARNING
    assert f"SMTP_TLS_VERIFY: false trusts whoever answers for 127.0.0.1:{server.port}" in record.getMessage()


def test_without_tls_nothing_is_said_about_its_verification(caplog: pytest.LogCaptureFixture) -> None:
    """A switch without effect is no danger."""
    sender({"server": "localhost", "port": 25, "tls_verify": False}).close()
    assert caplog.records == []


def test_a_server_with_old_tls_only_is_refused(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> None:
    """TLS 1.2 is the least (RFC 8996)."""
    chain, key = ca.good_files()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(chain, key)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is deprecated is the point
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    server = smtp_server(tls=old, implicit=True)
    error = error_of(server.settings(**LOGIN, tls_mode="implicit", ca_file=ca.ca_file))
    assert type(error) is MailConnectionError
    assert (error.stage, error.outcome, error.transient) == ("tls", Outcome.NOT_SENT, False)
    assert "PROTOCOL" in str(error)
    assert server.wait().commands == []


def test_a_ca_file_that_does_not_exist_is_said_at_once(tmp_path: Path) -> None:
    """Before any network, with the variable to set."""
    with pytest.raises(MailSettingsError, match=r"ca file does not exist here: set ca_file .SMTP_CA_FILE."):
        sender({"server": "localhost", "port": 465, "use_tls": True, "ca_file": str(tmp_path / "none.pem")})


@pytest.mark.parametrize("content", [b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_file_that_holds_no_certificate_is_a_config_error(
    smtp_server: Callable[..., SmtpServer], tmp_path: Path, content: bytes
) -> None:
    """It is read at the first connection, and is an error before that is made."""
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    server = smtp_server()
    with sender(server.settings(tls_mode="implicit", ca_file=str(path))) as made:
        with pytest.raises(MailConfigError, match=r"SMTP_CA_FILE .*ca.pem. cannot be used") as caught:
            made.check_connection()
        assert_sound(caught.value)
        assert type(error_of(server.settings(tls_mode="implicit", ca_file=str(path)))) is MailConfigError
    assert server.connections == 0


@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_plain_text_to_a_port_with_tls_says_which_switch_to_turn(
    real_server: Callable[..., RealServer], ca: Certificates, mode: str
) -> None:
    """Each side waits for the other to begin; the error knows why that may be."""
    server = real_server(tls=ca.good, implicit=True)
    error = error_of(server.settings(tls_mode=mode, timeout=QUICK))
    assert type(error) is MailTimeoutError
    assert (error.stage, error.transient) == ("greeting", True)
    assert "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=false" in str(error)


def test_a_tls_alert_in_place_of_a_greeting_says_which_switch_to_turn(
    smtp_server: Callable[..., SmtpServer],
) -> None:
    """Some servers do not wait for a ClientHello for long."""
    server = smtp_server({"greeting": b"\x15\x03\x01\x00\x02\x02\x46\n"})
    error = error_of(server.settings())
    assert type(error) is MailConnectionError
    assert "speaks TLS where plain text is expected" in str(error)
    assert "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=false" in str(error)


def test_tls_to_a_port_with_plain_text_says_which_switch_to_turn(real_server: Callable[..., RealServer]) -> None:
    """A greeting in place of a handshake: the port begins in plain text."""
    error = error_of(real_server().settings(use_tls=True))
    assert type(error) is MailConnectionError
    assert (error.stage, error.transient, error.outcome) == ("tls", False, Outcome.NOT_SENT)
    assert "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true" in str(error)


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("action", "kind", "transient"),
    [
        (Silence(), MailTimeoutError, True),
        ((Read(), Close()), MailConnectionError, True),
        ((Read(), Reset()), MailConnectionError, True),
        ((Read(), b"\x15\x03\x01\x00\x02\x02\x28"), MailConnectionError, False),
        ((Read(), b"550 what is this?\r\n"), MailConnectionError, False),
    ],
)
def test_a_handshake_that_fails_has_sent_nothing(
    smtp_server: Callable[..., SmtpServer],
    ca: Certificates,
    mode: str,
    action: Action,
    kind: type[MailSendError],
    transient: bool,
) -> None:
    """Silence, a lost connection, an alert, plain text: each at the stage `tls`."""
    server = smtp_server({"TLS": action}, tls=ca.good, implicit=mode == "implicit")
    timeout = QUICK if kind is MailTimeoutError else 10
    error = error_of(server.settings(**{**LOGIN, "timeout": timeout}, tls_mode=mode, ca_file=ca.ca_file))
    assert type(error) is kind
    assert (error.stage, error.outcome, error.transient) == ("tls", Outcome.NOT_SENT, transient)
    assert "AUTH" not in server.wait().verbs


@pytest.mark.parametrize("server", ["mail.example.com", "192.0.2.1"])
def test_a_login_in_plain_text_to_another_host_is_warned_of(caplog: pytest.LogCaptureFixture, server: str) -> None:
    """Anybody on the way can read the password; the switches that would prevent it are named."""
    sender({"server": server, "port": 25, **LOGIN}).close()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"the login goes to {server}:25 in plain text" in record.getMessage()
    assert record.getMessage().startswith("mail: smtp-basic: SMTP_USE_TLS: ")
    assert PASSWORD not in record.getMessage()


@pytest.mark.parametrize(
    "settings",
    [
        {"server": "localhost", **LOGIN},
        {"server": "LocalHost", **LOGIN},
        {"server": "127.0.0.7", **LOGIN},
        {"server": "::1", **LOGIN},
        {"server": "mail.example.com"},
        {"server": "mail.example.com", **LOGIN, "use_tls": True},
        {"server": "mail.example.com", **LOGIN, "tls_mode": "implicit", "port": 465},
        {"server": "mail.example.com", **LOGIN, "use_tls": True, "port": 2465},
        {"server": "mail.example.com", **LOGIN, "use_tls": True, "opportunistic_tls": True, "port": 2525},
        {"server": "mail.example.com", **LOGIN, "use_tls": True, "port": 4650},
    ],
)
def test_nothing_is_warned_of_where_no_password_leaves_the_host_in_plain_text(
    caplog: pytest.LogCaptureFixture, settings: dict[str, object]
) -> None:
    """A relay without login, one on this host, one with TLS."""
    sender({"port": 25, **settings}).close()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("settings", "doubt"),
    [
        ({"port": 465, **LOGIN}, "SMTP_USE_TLS: port 465 begins with TLS and may never answer plain text"),
        ({"port": 587, **LOGIN, "tls_mode": "implicit"}, "SMTP_TLS_MODE: port 587 begins in plain text"),
        *(
            (
                {"port": port, "use_tls": True, "opportunistic_tls": True, **LOGIN},
                f"SMTP_OPPORTUNISTIC_TLS: port {port} begins with TLS and may never answer plain text: set it to false",
            )
            for port in (465, 994, 2465, 443, 8465)
        ),
        ({"port": 465, **LOGIN, "tls_mode": "none"}, "SMTP_TLS_MODE: port 465 begins with TLS and may never answer"),
        (
            {"port": 2465, "use_tls": True, "tls_mode": "starttls"},
            "SMTP_TLS_MODE: port 2465 begins with TLS and may never answer plain text: set it to implicit",
        ),
        *(
            (
                {"port": port, "use_tls": True, **LOGIN},
                f"SMTP_OPPORTUNISTIC_TLS: port {port} begins in plain text: set it to true",
            )
            for port in (2525, 2587, 8025, 80)
        ),
        ({"port": 25, "tls_mode": "implicit"}, "SMTP_TLS_MODE: port 25 begins in plain text: set it to starttls"),
        ({"port": 25, "username": USER}, "SMTP_PASSWORD: not set, so there is no login"),
        ({"port": 25, "password": PASSWORD}, "SMTP_USERNAME: not set, so there is no login"),
    ],
)
def test_what_is_probably_a_mistake_is_said_when_the_sender_is_made(
    caplog: pytest.LogCaptureFixture, settings: dict[str, object], doubt: str
) -> None:
    """A setting that may be meant, and is often a mistake, is a WARNING with the variable to change, and no error."""
    sender({"server": "mail.example.com", **settings}).close()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"mail: smtp-basic: {doubt}")
    assert PASSWORD not in record.getMessage()
