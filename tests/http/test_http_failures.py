"""Every fault at every moment of a request becomes the right error with the right outcome."""

import contextlib
import email.utils
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom import (
    Concealer,
    MailAuthError,
    MailConnectionError,
    MailMessage,
    MailRateLimitError,
    MailRejectedError,
    MailSenderFactory,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
    Provider,
    Secret,
    setting,
)
from postroom_http.answer import Answer
from postroom_http.client import HttpClient
from postroom_http.failures import Lost, Peer, from_answer, seconds
from postroom_http.rules import AnswerRule, rules
from postroom_http.settings import HttpSettings
from postroom_testing import Certificates
from postroom_testing.http import Close, Drip, Early, HttpServer, Raw, Reply, Reset, Silence, Step

KEY = "key_s3cr3t"
LOST = Lost("Look before you send it again")
SAFE = Lost("Send it again", safe_to_retry=True)
PEER = Peer("api.example.com", Concealer(KEY))
QUICK = 0.3  # seconds until something that does not come is given up
LARGE = {"file": "x" * 16_000_000}  # more than the buffers of two sockets hold


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_key: Secret = attrs.field(default=Secret(KEY), metadata=setting("key", secret=True))


PROVIDER = Provider("test", Settings, HttpClient, rules=rules())


def told(error: MailSendError) -> MailSendError:
    """Return the error with what to do, as core leaves it to the rules."""
    if error.remedy is None and (rule := PROVIDER.diagnose(error)) is not None:
        error.remedy = rule.remedy
    return error


def failure(url: str, payload: object = None, if_lost: Lost = LOST, **more: Any) -> MailSendError:
    """Return what becomes of a POST, and see that nothing behind the error holds the key."""
    made = HttpClient(Settings(api_url=url, **{"timeout": 10.0, **more}))
    with contextlib.closing(made), pytest.raises(MailSendError) as caught:
        made.post("/mail", payload or {"to": "a"}, if_lost=if_lost)
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    assert KEY not in f"{error!r} {error} {vars(error)}"
    return told(error)


def facts(error: MailSendError) -> tuple[object, ...]:
    """Return what a caller decides by."""
    return (type(error), error.outcome, error.stage, error.transient, error.safe_to_retry)


@contextlib.contextmanager
def raw_server(act: Callable[[socket.socket, threading.Event], None]) -> Iterator[tuple[str, int]]:
    """Let `act` have the first connection, and an event that is set at the end; yield host:port and the port."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            with sock:
                act(sock, over)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        port = listener.getsockname()[1]
        yield f"127.0.0.1:{port}", port
    finally:
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()
        assert not thread.is_alive()


def say_nothing(sock: socket.socket, over: threading.Event) -> None:
    """Read nothing, and say nothing."""
    over.wait(10)


NOT_SENT = (MailConnectionError, Outcome.NOT_SENT, "connect")
NOT_IN_TIME = (MailTimeoutError, Outcome.NOT_SENT, "connect", True, True)
REACH = "Check TEST_API_URL, and that this host may reach it"
SLIP = "Check TEST_API_URL for a slip, and that this host or container has DNS"
NO_NAME_SERVER = "Check the DNS of this host or container, and TEST_API_URL"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_not_sent(scheme: str) -> None:
    """Where nobody listens, nothing is sent, and it may be tried again."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        error = failure(f"{scheme}://127.0.0.1:{port}")
    assert facts(error) == (*NOT_SENT, True, True)
    assert str(error) == f"cannot reach 127.0.0.1:{port}: connection refused. {REACH}"


def test_a_host_that_does_not_exist_is_not_sent() -> None:
    """A name that no server knows will not be known in a minute; a server of names that fails may."""
    error = failure("https://nowhere.invalid")
    assert facts(error)[:3] == (MailConnectionError, Outcome.NOT_SENT, "dns")
    said = error.reason.removeprefix("cannot reach nowhere.invalid: ")
    assert error.transient is ("temporary" in said)
    assert error.remedy == (NO_NAME_SERVER if error.transient else SLIP)
    assert said in ("name or service not known", "no address associated with hostname") or error.transient


@pytest.mark.parametrize("host", ["a..b.example", f"{'x' * 64}.example"])
def test_a_host_that_cannot_exist_is_not_sent(host: str) -> None:
    """What is no name of a host is an error of ours, not of a library."""
    error = failure(f"https://{host}")
    assert facts(error) == (MailConnectionError, Outcome.NOT_SENT, "dns", False, True)
    assert str(error) == f"cannot reach {host}: this is no name of a host. {SLIP}"


CERTIFICATES = {
    "expired": ("certificate has expired", "The service needs a new certificate"),
    "not_yet_valid": ("certificate is not yet valid", "Compare the clocks of this host and of the service"),
    "wrong_host": (
        "IP address mismatch, certificate is not valid for '127.0.0.1'",
        "Check TEST_API_URL: its name is not in the certificate",
    ),
    "unknown_ca": (
        "unable to get local issuer certificate",
        "If you trust this service, set TEST_CA_FILE to the PEM file of its CA",
    ),
    "self_signed": (
        "self-signed certificate",
        "If you trust this service, set TEST_CA_FILE to the PEM file of its CA",
    ),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_is_not_valid_is_not_sent(
    http_server: Callable[..., HttpServer], ca: Certificates, kind: str
) -> None:
    """The key is not shown to whoever cannot say who they are; the error says why and what to do."""
    context: ssl.SSLContext = getattr(ca, kind)
    server = http_server(Reply(200), tls=context)
    error = failure(server.url, ca_file=ca.ca_file)
    why, remedy = CERTIFICATES[kind]
    assert facts(error) == (MailConnectionError, Outcome.NOT_SENT, "tls", False, True)
    assert str(error) == f"cannot reach 127.0.0.1:{server.port}: its certificate is not valid: {why}. {remedy}"
    assert server.requests == []


def test_a_wrong_name_is_not_sent(http_server: Callable[..., HttpServer], ca: Certificates) -> None:
    """A name that is not in the certificate is told like an address that is not."""
    server = http_server(Reply(200), tls=ca.wrong_host)
    error = failure(f"https://localhost:{server.port}", ca_file=ca.ca_file)
    assert str(error).endswith("Check TEST_API_URL: its name is not in the certificate")


def test_a_server_without_tls_is_not_sent(ca: Certificates) -> None:
    """A plain server behind an https address is a wrong address."""

    def answer_plainly(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        over.wait(10)

    with raw_server(answer_plainly) as (host, _):
        error = failure(f"https://{host}", ca_file=ca.ca_file)
    assert facts(error) == (MailConnectionError, Outcome.NOT_SENT, "tls", False, True)
    assert str(error).startswith(f"cannot reach {host}: TLS failed (")
    remedies = {True: "Check the port in TEST_API_URL", False: "Check TEST_API_URL and TEST_CA_FILE"}
    assert error.remedy == remedies["WRONG_VERSION_NUMBER" in error.reason]


def test_silence_during_the_handshake_is_not_sent() -> None:
    """Until TLS is there no request has left, however long it takes."""
    with raw_server(say_nothing) as (host, _):
        error = failure(f"https://{host}", timeout=QUICK)
    assert facts(error) == NOT_IN_TIME
    assert str(error) == f"cannot reach {host}: not in time. {REACH}"


def test_the_deadline_ends_a_handshake() -> None:
    """The deadline counts where it is shorter than the time-out."""
    with raw_server(say_nothing) as (host, _):
        started = time.monotonic()
        assert facts(failure(f"https://{host}", deadline=QUICK)) == NOT_IN_TIME
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "close"])
def test_a_connection_lost_during_the_handshake_is_not_sent(reset: bool) -> None:
    """A server that hangs up during the handshake may be restarting."""

    def hang_up(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65_536 if not reset else 1)  # what is left unread makes a reset of the close

    with raw_server(hang_up) as (host, _):
        error = failure(f"https://{host}")
    assert facts(error) == (*NOT_SENT, True, True)
    assert re.search(": (the server closed the connection|connection reset by peer)$", error.reason)
    assert error.remedy == REACH


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_connection_reset_during_the_upload_is_not_sent(
    http_server: Callable[..., HttpServer], ca: Certificates, tls: bool
) -> None:
    """As long as a part of the body is still here, no server can have taken the message."""
    server = http_server(Early(), tls=ca.good if tls else None)
    error = failure(server.url, LARGE, ca_file=ca.ca_file)
    assert facts(error) == (*NOT_SENT, True, True)
    # Inside TLS, the system's reset may arrive as the end of the stream.
    said = "cannot reach|cannot send the whole request to" if tls else "cannot send the whole request to"
    reset = "the server closed the connection|connection reset by peer|broken pipe"
    assert re.fullmatch(f"({said}) 127.0.0.1:{server.port}: ({reset})", error.reason)
    assert error.remedy == REACH


def test_a_connection_closed_during_the_upload_is_not_sent() -> None:
    """A server that closes after some of the body has not taken it."""

    def read_some(sock: socket.socket, over: threading.Event) -> None:
        left = 1_000_000
        while left > 0:
            left -= len(sock.recv(65_536))

    with raw_server(read_some) as (host, _):
        error = failure(f"http://{host}", LARGE)
    assert facts(error) == (*NOT_SENT, True, True)
    assert error.reason.startswith(f"cannot send the whole request to {host}: ")


def test_a_server_that_reads_nothing_is_not_sent() -> None:
    """An upload that comes to a halt ends with the time-out."""
    with raw_server(say_nothing) as (host, _):
        error = failure(f"http://{host}", LARGE, timeout=QUICK)
    assert facts(error) == NOT_IN_TIME
    assert str(error) == f"cannot send the whole request to {host}: not in time. {REACH}"


def test_an_upload_ends_with_the_deadline() -> None:
    """A server that reads ever so slowly exceeds no time-out, but the deadline."""

    def read_slowly(sock: socket.socket, over: threading.Event) -> None:
        while not over.wait(0.02) and sock.recv(65_536):
            pass

    started = time.monotonic()
    with raw_server(read_slowly) as (host, _):
        error = failure(f"http://{host}", LARGE, deadline=QUICK)
    assert time.monotonic() - started < 8
    assert facts(error) == NOT_IN_TIME


FAULTS: dict[str, tuple[Step, type[MailSendError], str]] = {
    "close": (Close(), MailConnectionError, "was lost before it answered: the server closed the connection"),
    "reset": (Reset(), MailConnectionError, "was lost before it answered: connection reset by peer"),
    "silence": (Silence(), MailTimeoutError, "did not answer in time"),
    "garbage": (Raw(b"so be it\r\n\r\n"), MailConnectionError, "was lost before it answered: it does not speak HTTP"),
    "half a line": (Raw(b"HTTP/1."), MailConnectionError, "was lost before it answered: it does not speak HTTP"),
    "no status": (Raw(b"HTTP/1.1 ok\r\n\r\n"), MailConnectionError, "was lost before it answered: "),
    "smtp": (Raw(b"220 mail ESMTP\r\n"), MailConnectionError, "was lost before it answered: it does not speak HTTP"),
    "a line without end": (Raw(b"HTTP/1.1 200 " + b"x" * 70_000), MailConnectionError, "was lost before it answered: "),
    "too many headers": (
        Raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        MailConnectionError,
        "was lost before it answered: it does not speak HTTP",
    ),
}


@pytest.mark.parametrize("if_lost", [LOST, SAFE], ids=["not safe", "safe"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_answer_is_unknown(
    http_server: Callable[..., HttpServer], ca: Certificates, fault: str, tls: bool, if_lost: Lost
) -> None:
    """Once the whole request has left, nobody knows; whether to send again depends on the service."""
    step, kind, said = FAULTS[fault]
    if fault == "reset" and tls:
        said = "was lost before it answered: "  # inside TLS, it may arrive as the end of the stream
    server = http_server(step, tls=ca.good if tls else None)
    patience = QUICK if fault == "silence" else 10.0
    error = failure(server.url, if_lost=if_lost, ca_file=ca.ca_file, timeout=patience)
    safe = if_lost.safe_to_retry
    assert facts(error) == (kind, Outcome.UNKNOWN, "request", safe, safe)
    assert error.reason.startswith(f"127.0.0.1:{server.port} {said}")
    assert str(error).endswith(f". {if_lost.remedy}")
    assert error.reason == f"127.0.0.1:{server.port} {said}" or said.endswith(": ")
    assert len(server.requests) == 1


@pytest.mark.parametrize("step", [Close(), Reset()], ids=["close", "reset"])
def test_a_large_request_that_has_left_is_unknown(http_server: Callable[..., HttpServer], step: Step) -> None:
    """The last octet decides: a server that has read it all may have taken the message."""
    server = http_server(step)
    error = failure(server.url, LARGE)
    assert facts(error) == (MailConnectionError, Outcome.UNKNOWN, "request", False, False)
    assert len(server.requests[0].body) > 16_000_000


def test_the_deadline_ends_the_wait_for_an_answer(http_server: Callable[..., HttpServer]) -> None:
    """Silence is unknown at the deadline, too."""
    started = time.monotonic()
    error = failure(http_server(Silence()).url, deadline=QUICK)
    assert time.monotonic() - started < 8
    assert facts(error) == (MailTimeoutError, Outcome.UNKNOWN, "request", False, False)


def test_a_lost_check_leaves_nothing_open(http_server: Callable[..., HttpServer]) -> None:
    """A request that sends no mail is never unknown."""
    server = http_server(Close())
    with MailSenderFactory.create_sender("resend", {"api_key": KEY, "api_url": server.url}) as sender:
        with pytest.raises(MailConnectionError) as caught:
            sender.check_connection()
        assert sender.test_connection() is False
    assert caught.value.outcome is Outcome.NOT_SENT
    assert str(caught.value) == (
        f"resend: 127.0.0.1:{server.port} was lost before it answered: the server closed the connection. "
        "Try again later; if it stays so, check RESEND_API_URL and proxies"
    )


def test_a_check_that_gets_no_answer_says_so(http_server: Callable[..., HttpServer]) -> None:
    """A server that can be reached and is silent is not called unreachable."""
    server = http_server(Silence())
    config = {"api_key": KEY, "api_url": server.url, "timeout": QUICK}
    with MailSenderFactory.create_sender("resend", config) as sender, pytest.raises(MailTimeoutError) as caught:
        sender.check_connection()
    error = caught.value
    assert str(error) == (
        f"resend: 127.0.0.1:{server.port} did not answer in time. "
        "Try again later; if it stays so, check RESEND_API_URL and proxies"
    )
    assert (error.outcome, error.transient, error.stage) == (Outcome.NOT_SENT, True, "key")


def test_a_page_in_place_of_an_answer_names_the_variable(http_server: Callable[..., HttpServer]) -> None:
    """A check that is answered with a web page says where to look."""
    server = http_server(Reply(200, "<html>welcome</html>"))
    config = {"api_key": KEY, "api_url": server.url}
    with MailSenderFactory.create_sender("resend", config) as sender, pytest.raises(MailUnavailableError) as caught:
        sender.check_connection()
    assert "check RESEND_API_URL and proxies" in str(caught.value)


def test_a_sender_names_itself_in_the_error(http_server: Callable[..., HttpServer]) -> None:
    """What an operator reads begins with the provider and ends with what to do."""
    server = http_server(Reset())
    config = {"api_key": KEY, "api_url": server.url, "default_from": "a@example.com"}
    with MailSenderFactory.create_sender("resend", config) as sender, pytest.raises(MailConnectionError) as caught:
        sender.deliver(MailMessage("b@example.com", "Hi", text="-"))
    assert str(caught.value) == (
        f"resend: 127.0.0.1:{server.port} was lost before it answered: connection reset by peer. "
        "Send the same message again within 24 hours: Resend knows it by its idempotency key"
    )


WRONG_KEY, WRONG_PLACE = "Check TEST_API_KEY", "Check TEST_API_URL"
REDIRECT = "It redirects: set TEST_API_URL to where the API is"
ELSEWHERE = "Something else may have answered: check TEST_API_URL and proxies"
OPEN = LOST.remedy
NAMES = "Correct what the answer names"
LATER = "Try again later"
STATUS: dict[int, tuple[type[MailSendError], Outcome, bool, str]] = {
    **dict.fromkeys(
        (100, 200, 202, 204, 299, 500, 502, 504, 520, 599, 600, 999),
        (MailUnavailableError, Outcome.UNKNOWN, False, OPEN),
    ),
    **dict.fromkeys((301, 302, 303, 304, 307, 308), (MailRejectedError, Outcome.NOT_SENT, False, REDIRECT)),
    **dict.fromkeys((401, 403), (MailAuthError, Outcome.NOT_SENT, False, WRONG_KEY)),
    **dict.fromkeys((404, 405, 501, 505), (MailRejectedError, Outcome.NOT_SENT, False, WRONG_PLACE)),
    **dict.fromkeys((400, 402, 406, 409, 422, 451), (MailRejectedError, Outcome.NOT_SENT, False, NAMES)),
    **dict.fromkeys((408, 503), (MailUnavailableError, Outcome.NOT_SENT, True, LATER)),
    407: (MailRejectedError, Outcome.NOT_SENT, False, "Set HTTP_PROXY to http://user:password@host:port"),
    413: (MailRejectedError, Outcome.NOT_SENT, False, "Send smaller files, or links to them"),
    511: (
        *(MailUnavailableError, Outcome.NOT_SENT, True),
        "Log in to the network of this host, or have the service allowed there",
    ),
    429: (MailRateLimitError, Outcome.NOT_SENT, True, "Wait, and send less at a time"),
}


@pytest.mark.parametrize("status", STATUS)
def test_a_status_decides(status: int) -> None:
    """Where a service says nothing more exact, its status decides class, outcome and remedy."""
    kind, outcome, transient, remedy = STATUS[status]
    error = told(from_answer(Answer(status, {}, b""), PEER, LOST, said="its words"))
    assert (type(error), error.outcome, error.transient, error.remedy) == (kind, outcome, transient, remedy)
    assert (error.stage, error.code) == ("request", status)
    assert error.reason == f"api.example.com answered {status}: its words"
    assert error.safe_to_retry is (outcome is Outcome.NOT_SENT)


@pytest.mark.parametrize("status", STATUS)
def test_an_answer_of_something_else_is_said(status: int) -> None:
    """A refusal that does not look like one of the API's may be a proxy's: look there first."""
    error = told(from_answer(Answer(status, {}, b""), PEER, LOST))
    kind, outcome, transient, remedy = STATUS[status]
    anybody = remedy in (WRONG_KEY, WRONG_PLACE, NAMES)
    assert (type(error), error.outcome, error.transient) == (kind, outcome, transient)
    assert error.remedy == (ELSEWHERE if anybody else remedy)
    assert error.reason == f"api.example.com answered {status}: nothing that its API would say"


@pytest.mark.parametrize("status", [200, 500, 502])
def test_an_open_answer_may_be_safe_to_retry(status: int) -> None:
    """What leaves the message open is retried where the service recognises it, and no message is open in a check."""
    error = from_answer(Answer(status, {}, b""), PEER, SAFE)
    assert (error.outcome, error.transient, error.safe_to_retry) == (Outcome.UNKNOWN, True, True)
    assert from_answer(Answer(status, {}, b""), PEER, None).outcome is Outcome.NOT_SENT


def test_a_rule_comes_before_the_status() -> None:
    """What a service says more exactly than by its status counts, and only then."""
    exact = AnswerRule(meaning="-", remedy="-", source="-", code="403", text="not verified", kind=MailRejectedError)
    for said, kind in (("it is not verified", MailRejectedError), ("it is not", MailAuthError), ("", MailAuthError)):
        error = from_answer(Answer(403, {}, b""), PEER, LOST, said=said, rules=[exact])
        assert (type(error), error.remedy, error.stage) == (kind, None, "request")


def test_an_error_has_the_stage_of_the_answer() -> None:
    """What a request was asked for is where its answer fails."""
    assert from_answer(Answer(403, {}, b"", "key"), PEER, None).stage == "key"


def test_the_words_of_a_service_are_one_short_line_without_the_key() -> None:
    """A service that quotes the key, a page or control characters spoils no log; the key is hidden before the cut."""
    said = f"bad\r\n\x1b[31m key\u2028{KEY} " + "x" * 173 + f" {KEY}" + "y" * 500
    reason = from_answer(Answer(400, {}, b""), PEER, LOST, said=said).reason
    assert reason == f"api.example.com answered 400: {('bad [31m key *** ' + 'x' * 173 + ' ***' + 'y' * 500)[:200]}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0661\u0662", None),
        ("1_0", None),
        ("Wed, \u0662\u0661 Oct 2015 07:28:00 GMT", None),
        ("1" * 400, None),
        ("999999999", 999999999.0),
        ("9999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("\uff11\uff12", None),
        ("12\u00b2", None),
        ("+12", None),
        ("12 34", None),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Sun Nov  6 08:49:37 1994", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999999999", None),
        ("Wed, 32 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read(value: str | None, expected: float | None) -> None:
    """Retry-After is a number of seconds or a date; what is neither is as if it were not there."""
    assert seconds(value) == expected


def test_retry_after_may_be_a_date() -> None:
    """A date is turned into the seconds until then."""
    found = seconds(email.utils.formatdate(time.time() + 90, usegmt=True))
    assert found is not None
    assert 60 < found <= 90


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_a_date_is_in_gmt(monkeypatch: pytest.MonkeyPatch, form: str, zone: str) -> None:
    """Each of the three forms of RFC 9110 section 5.6.7, one of which names no zone, wherever this host is."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        found = seconds(time.strftime(form, time.gmtime(time.time() + 90)))
    time.tzset()
    assert found is not None
    assert 60 < found <= 90


@settings(max_examples=150)
@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,9} (Jan|Dec) \d{1,9} \d{1,9}:\d\d:\d\d ([+-]\d{1,30}|GMT|[A-Z]{1,4})?")
)
def test_nothing_in_retry_after_breaks_the_error(value: str) -> None:
    """Whatever a server says there, the error about its answer is made."""
    assert (seconds(value) or 0.0) >= 0


def test_retry_after_comes_with_the_error(http_server: Callable[..., HttpServer]) -> None:
    """The header is read whatever the case of its name, and what a service says elsewhere comes first."""
    server = http_server(Reply(429, {}, {"RETRY-AFTER": "7"}))
    with contextlib.closing(HttpClient(Settings(api_url=server.url))) as made:
        answer = made.get("/")
    assert from_answer(answer, made.peer, None).retry_after == 7.0
    assert from_answer(answer, made.peer, None, retry_after=3.0).retry_after == 3.0


def test_an_answer_that_drips_still_decides(http_server: Callable[..., HttpServer]) -> None:
    """The status has come, so a refusal whose body is not read to its end is a refusal."""
    server = http_server(Drip(Reply(401, {"name": "invalid_api_key", "message": "x" * 5000}), interval=0.02))
    config = {"api_key": KEY, "api_url": server.url, "default_from": "a@example.com", "deadline": QUICK}
    with MailSenderFactory.create_sender("resend", config) as sender, pytest.raises(MailAuthError) as caught:
        sender.deliver(MailMessage("b@example.com", "Hi", text="-"))
    assert caught.value.outcome is Outcome.NOT_SENT
