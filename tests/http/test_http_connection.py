"""Connections end with the deadline, whatever drips, and each request gets the answer to itself."""

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from postroom import MailConnectionError, MailSendError, MailTimeoutError, Outcome, Secret, setting
from postroom_http.client import HttpClient
from postroom_http.failures import Lost
from postroom_http.settings import HttpSettings
from postroom_testing import Certificates
from postroom_testing.http import Drip, Early, HttpServer, Interim, Reply, Surplus
from unanswered import unanswered

Serve = Callable[..., HttpServer]
LOST = Lost("Look before you send it again")
HOST = "localhost"  # plain HTTP is for this host
SERVICE = "api.example.test"
DEADLINE = 1.0
MOST = 10.0  # seconds: far from the deadline, so that a slow machine fails nothing


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_key: Secret = attrs.field(default=Secret("key_s3cr3t"), metadata=setting("key", secret=True))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@contextlib.contextmanager
def client(url: str, **more: Any) -> Iterator[HttpClient]:
    """Open a client, and close it."""
    with contextlib.closing(HttpClient(Settings(api_url=url, **more))) as made:
        yield made


def post(http: HttpClient, payload: object = None) -> Any:
    """Send something."""
    return http.post("/mail", payload or {"to": "a"}, if_lost=LOST)


def failure(http: HttpClient, call: Callable[[HttpClient], object] = post) -> MailSendError:
    """Return the error, which comes in time."""
    begun = time.monotonic()
    with pytest.raises(MailSendError) as caught:
        call(http)
    assert time.monotonic() - begun < MOST
    return caught.value


def resolve(monkeypatch: pytest.MonkeyPatch, found: list[Any], slow: float = 0.0) -> None:
    """Let the name of the API have these addresses."""
    system = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **more: Any) -> Any:
        if host != HOST:
            return system(host, *args, **more)
        time.sleep(slow)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def address(server: HttpServer) -> Any:
    """Return where a server is, as `socket.getaddrinfo` gives it."""
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (server.host, server.port))


@contextlib.contextmanager
def dripping(greeting: bytes, asked: bytes = b"") -> Iterator[int]:
    """Send each connection `greeting`, then one octet after the other, once it has said `asked`; yield the port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not over.is_set():
                    sock, _ = listener.accept()
                    with sock, contextlib.suppress(OSError):
                        said = b""
                        while asked not in said and (piece := sock.recv(65_536)):
                            said += piece
                        sock.sendall(greeting)
                        while not over.wait(0.02):
                            sock.sendall(b"x")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(MOST)


# --- The deadline ---


@pytest.mark.parametrize("call", [post, lambda http: http.get("/"), lambda http: [*http.probe()]])
def test_silent_addresses_leave_time_for_the_one_that_answers(
    http_server: Serve, monkeypatch: pytest.MonkeyPatch, call: Callable[[HttpClient], object]
) -> None:
    """Twenty addresses of a name are silent, and a request, a check and a probe get through by the next one."""
    server = http_server(Reply(200))
    with unanswered(20) as silent, client(f"http://{HOST}", deadline=4.0) as http:
        resolve(monkeypatch, [*silent, address(server)])
        begun = time.monotonic()
        call(http)
        assert time.monotonic() - begun < MOST


@pytest.mark.parametrize("call", [post, lambda http: http.get("/"), lambda http: [*http.probe()]])
def test_silent_addresses_end_with_the_deadline(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[HttpClient], object]
) -> None:
    """However many there are."""
    with unanswered(20) as silent, client(f"http://{HOST}", deadline=DEADLINE) as http:
        resolve(monkeypatch, silent)
        error = failure(http, call)
    assert (type(error), error.stage, error.outcome) == (MailTimeoutError, "connect", Outcome.NOT_SENT)


def test_a_slow_look_up_leaves_no_time_to_send(http_server: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up cannot be interrupted, but nothing is sent once the deadline is over."""
    server = http_server(Reply(200))
    resolve(monkeypatch, [address(server)], slow=0.2)
    with client(f"http://{HOST}", deadline=0.1) as http:
        error = failure(http)
    assert (type(error), error.outcome, server.connections) == (MailTimeoutError, Outcome.NOT_SENT, 0)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status", "headers"])
def test_a_head_that_drips_ends_with_the_deadline(greeting: bytes) -> None:
    """The request has left, so what became of it is unknown."""
    with dripping(greeting, b"}") as port, client(f"http://127.0.0.1:{port}", deadline=DEADLINE) as http:
        error = failure(http)
    assert (type(error), error.outcome) == (MailTimeoutError, Outcome.UNKNOWN)
    assert "did not answer in time" in error.reason


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status", "headers"])
def test_a_proxy_whose_answer_drips_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch, greeting: bytes) -> None:
    """The tunnel is not open, so nothing is sent, and the proxy is named."""
    with dripping(greeting, b"\r\n\r\n") as port, client(f"https://{SERVICE}", deadline=DEADLINE) as http:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = failure(http)
    assert (type(error), error.outcome) == (MailTimeoutError, Outcome.NOT_SENT)
    assert error.reason == f"cannot reach {SERVICE} by the proxy in HTTPS_PROXY (127.0.0.1:{port}): not in time"


def test_a_socks_proxy_that_drips_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names an address of 255 octets (RFC 1928 section 6), one after the other."""
    with dripping(b"\5\0\5\0\0\3\xff") as port, client(f"https://{SERVICE}", deadline=DEADLINE) as http:
        monkeypatch.setenv("HTTPS_PROXY", f"socks5h://127.0.0.1:{port}")
        error = failure(http)
    assert (type(error), error.outcome) == (MailTimeoutError, Outcome.NOT_SENT)
    assert f"by the proxy in HTTPS_PROXY (127.0.0.1:{port}): not in time" in error.reason


def test_a_handshake_that_drips_ends_with_the_deadline() -> None:
    """A TLS record that says that it has 16 KiB, and comes octet by octet."""
    with dripping(b"\x16\x03\x03\x40\x00") as port, client(f"https://127.0.0.1:{port}", deadline=DEADLINE) as http:
        error = failure(http)
    assert (type(error), error.outcome) == (MailTimeoutError, Outcome.NOT_SENT)


def test_interim_answers_without_end_end() -> None:
    """Their number is bounded, and so is the time."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    with dripping(interim * 1000, b"}") as port, client(f"http://127.0.0.1:{port}", deadline=30.0) as http:
        error = failure(http)
    assert (type(error), error.outcome) == (MailConnectionError, Outcome.UNKNOWN)
    assert "it does not speak HTTP" in error.reason


# --- Whose answer it is ---


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("status", [100, 102, 103, 199])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_an_interim_answer_is_read_over(
    http_server: Serve, ca: Certificates, tls: bool, status: int, count: int
) -> None:
    """The final one is the verdict, and the next request on the same connection has its own."""
    server = http_server(Interim(Reply(422), status, count), Reply(200), tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file) as http:
        assert [post(http).status for _ in range(2)] == [422, 200]
    assert server.connections == 1


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("extra", [Reply(200), Reply(200, b"x" * 100_000)], ids=["short", "long"])
def test_a_surplus_answer_is_nobodys(http_server: Serve, ca: Certificates, extra: Reply, tls: bool) -> None:
    """A connection on which more has come than was asked for is not used again."""
    server = http_server(Surplus(Reply(200), extra), Reply(422), tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file) as http:
        assert post(http).status == 200
        server.wait_for_surplus()
        assert [post(http).status for _ in range(2)] == [422, 422]
    assert server.connections == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [0, 100, 10_000, 60_000])
def test_a_surplus_answer_in_one_piece_with_the_answer_is_nobodys(
    http_server: Serve, ca: Certificates, size: int, tls: bool
) -> None:
    """What was read together with the answer, by us or by TLS, counts as well."""

    class Both(Reply):
        def encode(self) -> bytes:
            return Reply(200).encode() + Reply(200, b"x" * size).encode()

    server = http_server(Both(200), Reply(422), tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file) as http:
        assert [post(http).status for _ in range(3)] == [200, 422, 422]
    assert server.connections == 2


LARGE = {"file": "x" * 16_000_000}  # more than the buffers of two sockets hold


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_an_acceptance_before_the_whole_request_is_of_another_one(
    http_server: Serve, ca: Certificates, tls: bool
) -> None:
    """The service cannot have taken what it has not got, whatever it says; and the next request gets its own answer."""
    server = http_server(Early(Reply(200)), Reply(422), tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file) as http:
        error = failure(http, functools.partial(post, payload=LARGE))
        assert post(http).status == 422
    assert (error.outcome, error.transient, error.stage) == (Outcome.NOT_SENT, True, "connect")
    assert error.reason.endswith(" answered 200 before it had the whole request")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_an_interim_answer_during_the_upload_does_not_end_it(ca: Certificates, tls: bool) -> None:
    """Some servers say 100 or 102 while they read: the final answer comes after the whole request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        got: list[int] = []

        def serve() -> None:
            sock, _ = listener.accept()
            with ca.good.wrap_socket(sock, server_side=True) if tls else sock as sock:
                head = sock.recv(65_536)
                sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
                head, _, rest = head.partition(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split()[0])
                left = size - len(rest)
                while left:
                    left -= len(sock.recv(65_536))
                got.append(size)
                sock.sendall(Reply(422).encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        scheme = "https" if tls else "http"
        with client(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", ca_file=ca.ca_file) as http:
            assert post(http, LARGE).status == 422
        thread.join(MOST)
    assert len(got) == 1


def test_a_head_that_drips_to_its_end_is_an_answer(http_server: Serve) -> None:
    """What is slow and comes in time counts."""
    server = http_server(Drip(Reply(422), 0.001, head=True))
    with client(server.url) as http:
        assert post(http).status == 422
