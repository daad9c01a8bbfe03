"""What answers on a port that does not speak SMTP as the settings say, and what to do about it."""

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from postroom import MailConnectionError, MailSendError, MailTimeoutError
from postroom_smtp.peek import peek
from postroom_testing import Certificates
from postroom_testing.http import HttpServer
from postroom_testing.listener import LOOPBACK, Listener, join
from postroom_testing.smtp import Close, Pause, Read, Reset, Silence, SmtpServer, Stall
from smtp_checks import PASSWORD, QUICK, USER, assert_sound, sender

Start = Callable[..., SmtpServer]

SHORT = 2.0  # seconds, for a server that falls silent behind what must go well
BOUND = 30.0  # seconds; three connections and four waits of two seconds are far below
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"  # fatal, protocol_version
TLS = "it begins with TLS"
SMTP = "it speaks SMTP in plain text"
HTTP = "it speaks HTTP, not SMTP"
SOMETHING = "it speaks something else, not SMTP"
NOTHING = "it says nothing to anybody"
HANGS_UP = "it hangs up on everybody"


class Once:
    """A server that lets one client in, says `first` to it, and from then on does not listen any more."""

    def __init__(self, first: bytes) -> None:
        self._first = first
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="Once", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        join(self._thread)

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings that lead here."""
        return {"server": LOOPBACK, "port": self.port, **more}

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            sock, _ = self._socket.accept()
            self._socket.close()
            with sock:
                sock.sendall(self._first)


class WebHandler(http.server.BaseHTTPRequestHandler):
    """Answers as the standard library's web server does."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


class Web:
    """The standard library's web server, which waits for whoever has connected, with TLS or without."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._tls = tls
        self._listener = Listener(LOOPBACK, self._serve)
        self.port = self._listener.port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            join(thread)

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings that lead here."""
        return {"server": LOOPBACK, "port": self.port, **more}

    def _serve(self, sock: socket.socket) -> None:
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._open.append(sock)
        self._threads.append(threading.Thread(target=self._talk, args=(sock,), daemon=True))
        self._threads[-1].start()

    def _talk(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            WebHandler(sock, sock.getpeername(), None)  # type: ignore[arg-type]  # it does not ask its server


@pytest.fixture
def web() -> Iterator[Callable[..., Web]]:
    """Start web servers that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda tls=None: stack.enter_context(Web(tls))


def peeked(port: int, host: str = LOOPBACK) -> str:
    """Peek, within its bound."""
    begun = time.monotonic()
    found = peek(host, port)
    assert time.monotonic() - begun < BOUND
    return found


def failure(settings: dict[str, object]) -> Any:
    """Probe, which must fail, and return the error after the checks that every error must pass."""
    config = {"username": USER, "password": PASSWORD, "default_from": USER, "timeout": QUICK, **settings}
    with sender(config) as made, pytest.raises(MailSendError) as caught:
        list(made.probe("ada@example.com"))
    assert_sound(caught.value, PASSWORD)
    return caught.value


def nothing_told(server: SmtpServer) -> None:
    """Assert that neither a login nor an address went out."""
    received = server.wait().received
    for secret in (USER, PASSWORD, "AUTH", "MAIL", "RCPT", "ada"):
        assert secret.encode() not in received


BANNERS = {
    "SMTP": (b"220 mail.example.com ESMTP\r\n", SMTP),
    "SMTP over several lines": (b"220-mail.example.com ESMTP\r\n220 hello\r\n", SMTP),
    "SMTP without words": (b"220\r\n", SMTP),
    "SMTP that is busy": (b"421 too many connections\r\n", SMTP),
    "TLS alert": (ALERT, TLS),
    "HTTP": (b"HTTP/1.1 408 Request Timeout\r\n\r\n", HTTP),
    "IMAP": (b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", "it speaks IMAP, not SMTP"),
    "POP3": (b"+OK Dovecot ready.\r\n", "it speaks POP3, not SMTP"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "it speaks SSH, not SMTP"),
    "garbage": (bytes(range(128, 256)), SOMETHING),
    "a number": (b"2200 of them\r\n", SOMETHING),
    "MySQL": (b"\x4a\x00\x00\x00\x0a8.0.36\x00", SOMETHING),
}


@pytest.mark.parametrize("banner", BANNERS)
def test_whoever_speaks_first_is_known_at_once(smtp_server: Start, banner: str) -> None:
    """One connection is enough, and nothing is said over it."""
    said, words = BANNERS[banner]
    server = smtp_server({"greeting": (said, Silence())})
    assert peeked(server.port) == words
    assert (server.wait().received, server.connections) == (b"", 1)


@pytest.mark.parametrize("banner", ["IMAP", "POP3", "SSH", "HTTP", "garbage"])
@pytest.mark.parametrize("mode", ["none", "starttls", "implicit"])
def test_another_service_on_the_port_is_named(smtp_server: Start, banner: str, mode: str) -> None:
    """Whatever the settings say about TLS, the port is what is wrong."""
    said, words = BANNERS[banner]
    server = smtp_server({"greeting": (said, Silence())}, tls=None, implicit=False)
    error = failure(server.settings(tls_mode=mode))
    assert error.reason.endswith(f"; {words}")
    assert "Set SMTP_PORT to a port of the mail server" in error.remedy
    assert error.stage == ("tls" if mode == "implicit" else "greeting")
    nothing_told(server)


def test_plain_smtp_on_an_implicit_setting(smtp_server: Start) -> None:
    """The remedy is the mode that it takes, by both ways to set it."""
    server = smtp_server()
    error = failure(server.settings(tls_mode="implicit", timeout=10))
    assert (type(error), error.stage) == (MailConnectionError, "tls")
    assert error.reason.endswith(f"; {SMTP}")
    for words in ("SMTP_USE_TLS=true", "SMTP_OPPORTUNISTIC_TLS=true", "SMTP_TLS_MODE=starttls"):
        assert words in error.remedy
    nothing_told(server)
    assert server.connections == 2


@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_a_silent_server_with_implicit_tls_on_a_plain_setting(smtp_server: Start, ca: Certificates, mode: str) -> None:
    """It waits for a handshake, and we wait for a greeting: the look tries one."""
    server = smtp_server(tls=ca.good, implicit=True)
    assert peeked(server.port) == TLS
    error = failure(server.settings(tls_mode=mode))
    assert (type(error), error.stage) == (MailTimeoutError, "greeting")
    assert error.reason.endswith(f"; {TLS}")
    for words in ("SMTP_USE_TLS=true", "SMTP_OPPORTUNISTIC_TLS=false", "SMTP_TLS_MODE=implicit"):
        assert words in error.remedy
    nothing_told(server)


@pytest.mark.parametrize("certificate", ["expired", "wrong_host", "self_signed"])
def test_whose_certificate_it_is_does_not_matter(smtp_server: Start, ca: Certificates, certificate: str) -> None:
    """Nothing is said over it that needs one."""
    server = smtp_server(tls=getattr(ca, certificate), implicit=True)
    assert peeked(server.port) == TLS


@pytest.mark.parametrize("action", [(ALERT, Close()), (ALERT, Silence()), (ALERT, b"\r\n", Silence())])
@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_a_server_that_answers_with_a_tls_alert_on_a_plain_setting(smtp_server: Start, action: Any, mode: str) -> None:
    """As one does that has waited for a handshake in vain."""
    server = smtp_server({"greeting": action})
    error = failure(server.settings(tls_mode=mode))
    assert (error.stage, error.reason.endswith(f"; {TLS}")) == ("greeting", True)
    assert "SMTP_TLS_MODE=implicit" in error.remedy
    nothing_told(server)


@pytest.mark.parametrize("action", [Silence(), Stall(), Close(), Reset(), (Read(), Close())])
def test_who_says_nothing_to_anybody_is_asked_three_times(smtp_server: Start, action: Any) -> None:
    """In plain text, in TLS, and as a web server; then it is enough."""
    server = smtp_server({"greeting": action})
    assert peeked(server.port) == (HANGS_UP if isinstance(action, Close | Reset) else NOTHING)
    assert server.connections == 3


@pytest.mark.parametrize("mode", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("action", [Silence(), Close()], ids=["silent", "closes"])
def test_a_server_that_says_nothing_to_anybody(smtp_server: Start, mode: str, action: Any) -> None:
    """There is no other mode to try, so the remedy is not one."""
    server = smtp_server({"greeting": action, "TLS": action}, implicit=mode == "implicit")
    error = failure(server.settings(tls_mode=mode))
    assert error.reason.endswith(f"; {HANGS_UP if isinstance(action, Close) else NOTHING}")
    assert "Check SMTP_SERVER and SMTP_PORT" in error.remedy
    assert "SMTP_TLS_MODE" not in error.remedy
    assert server.connections == 4
    nothing_told(server)


@pytest.mark.parametrize("mode", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
def test_a_web_server_on_the_port(web: Callable[..., Web], ca: Certificates, mode: str, https: bool) -> None:
    """It waits for a request; both with TLS and without, the remedy is another port."""
    server = web(ca.good if https else None)
    assert peeked(server.port) == HTTP
    error = failure(server.settings(tls_mode=mode, ca_file=ca.ca_file))
    assert error.stage in ("tls", "greeting")
    assert error.reason.endswith(f"; {HTTP}")
    assert "Set SMTP_PORT to a port of the mail server, 587 or 465, and check SMTP_SERVER" in error.remedy


@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
def test_the_question_is_a_whole_request_without_an_address(
    http_server: Callable[..., HttpServer], ca: Certificates, https: bool
) -> None:
    """A web server of any kind understands it, and learns nothing."""
    server = http_server(tls=ca.good if https else None)
    assert peeked(server.port) == HTTP
    (request,) = server.requests
    assert (request.method, request.path, request.headers, request.body) == ("GET", "/", {}, b"")


@pytest.mark.parametrize("mode", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("first", [b"", b"hm\r\n"])
def test_a_port_that_nobody_listens_on_any_more(mode: str, first: bytes) -> None:
    """The look itself never fails."""
    with Once(first) as server:
        error = failure(server.settings(tls_mode=mode, timeout=10))
    assert (type(error), error.reason.endswith(f"; {HANGS_UP}")) == (MailConnectionError, True)
    assert error.remedy


@pytest.mark.parametrize("host", ["nobody.invalid", "127.0.0.1", "::1", "localhost"])
def test_a_look_at_nobody_never_raises(host: str) -> None:
    """Neither where there is no such name, nor where nobody listens."""
    with socket.create_server((LOOPBACK, 0)) as free:
        port: int = free.getsockname()[1]
    assert peeked(port, host) == HANGS_UP


@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_a_plain_server_that_breaks_on_a_plain_setting_is_not_blamed_on_the_mode(smtp_server: Start, mode: str) -> None:
    """It speaks as the settings say; what fails is something else."""
    for script in ({"greeting": [Close()]}, {"greeting": [Silence()]}, {"EHLO": Close()}, {"EHLO": Silence()}):
        server = smtp_server(script)
        error = failure(server.settings(tls_mode=mode))
        assert SMTP not in error.reason
        assert "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true" not in error.remedy


@pytest.mark.parametrize("moment", ["greeting", "EHLO"])
def test_a_server_with_implicit_tls_that_breaks_is_not_blamed_on_the_mode(
    smtp_server: Start, ca: Certificates, moment: str
) -> None:
    """TLS is there as the settings say; what is silent is behind it."""
    server = smtp_server({moment: Silence()}, tls=ca.good, implicit=True)
    error = failure(server.settings(tls_mode="implicit", ca_file=ca.ca_file, timeout=SHORT))
    assert (type(error), error.stage) == (MailTimeoutError, moment.lower())
    assert TLS not in error.reason
    assert "SMTP_TLS_MODE" not in error.remedy


def test_a_handshake_that_fails_behind_starttls_is_not_blamed_on_the_mode(smtp_server: Start) -> None:
    """A server that offers STARTTLS speaks SMTP in plain text, and that is right."""
    server = smtp_server({"STARTTLS": (b"220 go\r\n", Pause(0.2), ALERT, Close())}, extensions=["STARTTLS"])
    error = failure(server.settings(tls_mode="starttls", timeout=10))
    assert error.stage in ("tls", "starttls")
    assert SMTP not in error.reason
    assert "SMTP_OPPORTUNISTIC_TLS=true" not in error.remedy


def test_a_time_out_behind_the_greeting_is_not_looked_into(smtp_server: Start) -> None:
    """From the login on it is SMTP without doubt."""
    server = smtp_server({"AUTH": Silence()})
    assert failure(server.settings(timeout=SHORT)).stage == "auth"
    server.wait()
    assert server.connections == 1
