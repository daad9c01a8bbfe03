"""The way to an API, step by step: what is found, and the same errors as a request has, with the step that failed."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from postroom import MailConnectionError, MailSendError, MailTimeoutError, Outcome, Secret, Step, setting
from postroom_http import way
from postroom_http.client import HttpClient
from postroom_http.settings import HttpSettings
from postroom_testing import Certificates
from postroom_testing.http import HttpServer, Reply

KEY = "key_s3cr3t"
Serve = Callable[..., HttpServer]


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_key: Secret = attrs.field(default=Secret(KEY), metadata=setting("key", secret=True))


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies and CAs out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def steps(url: str, **more: Any) -> list[Step]:
    """Go the whole way."""
    with contextlib.closing(HttpClient(Settings(api_url=url, **more))) as client:
        return [*client.probe()]


def failure(url: str, **more: Any) -> tuple[list[str], MailSendError]:
    """Go the way until a step fails; return the names of those before, and the error."""
    made: list[str] = []
    with (
        contextlib.closing(HttpClient(Settings(api_url=url, **more))) as client,
        pytest.raises(MailSendError) as caught,
    ):
        made.extend(step.name for step in client.probe())
    return made, caught.value


def of_a_request(url: str, **more: Any) -> MailSendError:
    """Return the error of a request to the same place."""
    with (
        contextlib.closing(HttpClient(Settings(api_url=url, **more))) as client,
        pytest.raises(MailSendError) as caught,
    ):
        client.get("/")
    return caught.value


def facts(error: MailSendError) -> tuple[object, ...]:
    """Return what a caller reads and decides by."""
    return (type(error), error.reason, error.stage, error.transient, error.outcome, error.code)


@contextlib.contextmanager
def silent_server(first: Callable[[socket.socket], object] | None = None) -> Iterator[str]:
    """Accept one connection and say nothing, or do `first` and close; yield host:port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    over.wait(10) if first is None else first(sock)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join(10)


def test_name_connection_and_tls_are_told(http_server: Serve, ca: Certificates) -> None:
    """Three steps, each with plain data; one connection, and no request in it."""
    server = http_server(Reply(200), tls=ca.good)
    dns, connect, tls = steps(server.url, ca_file=ca.ca_file)
    assert dns == Step(
        "dns", "127.0.0.1 is 127.0.0.1", {"host": "127.0.0.1", "addresses": ["127.0.0.1"], "proxy": False}
    )
    assert connect == Step(
        "connect", f"connected to 127.0.0.1, port {server.port}", {"address": "127.0.0.1", "port": server.port}
    )
    assert tls.name == "tls"
    assert (tls.facts["verified"], tls.facts["names"]) == (True, ["localhost", "127.0.0.1"])
    json.dumps([dict(step.facts) for step in (dns, connect, tls)])
    assert (server.connections, server.requests) == (1, [])


def test_plain_http_has_no_tls(http_server: Serve) -> None:
    """A server on this host may speak plain HTTP."""
    assert [step.name for step in steps(http_server(Reply(200)).url)] == ["dns", "connect"]


def test_the_next_address_is_tried(http_server: Serve) -> None:
    """A name with several addresses is reached by the one that answers."""
    server = http_server(Reply(200))
    *_, connect = steps(f"http://localhost:{server.port}")
    assert connect.facts["address"] == "127.0.0.1"


def test_the_cas_of_the_environment_count(
    http_server: Serve, ca: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe trusts whom a request trusts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca.ca_file)
    server = http_server(Reply(200), tls=ca.good)
    assert steps(server.url)[-1].facts["verified"] is True


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b.example", f"{'x' * 64}.example"])
def test_a_name_that_there_is_not_fails_at_dns(host: str) -> None:
    """The first step fails as a request does."""
    made, error = failure(f"https://{host}")
    assert (made, error.stage) == ([], "dns")
    assert isinstance(error, MailConnectionError)
    assert facts(error) == facts(of_a_request(f"https://{host}"))


def test_a_refused_connection_fails_at_connect() -> None:
    """The second step fails as a request does."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{reserved.getsockname()[1]}"
        made, error = failure(url)
        assert (made, error.stage) == (["dns"], "connect")
        assert facts(error) == facts(of_a_request(url))


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "wrong_host", "unknown_ca", "self_signed"])
def test_a_certificate_that_is_not_valid_fails_at_tls(http_server: Serve, ca: Certificates, kind: str) -> None:
    """The third step fails as a request does, with OpenSSL's words."""
    context: ssl.SSLContext = getattr(ca, kind)
    server = http_server(Reply(200), tls=context)
    made, error = failure(server.url, ca_file=ca.ca_file)
    assert (made, error.stage) == (["dns", "connect"], "tls")
    assert "its certificate is not valid: " in error.reason
    assert facts(error) == facts(of_a_request(server.url, ca_file=ca.ca_file))
    assert server.requests == []


def test_a_bundle_that_is_not_there_fails_at_tls(
    http_server: Serve, ca: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without CAs nobody can be trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "not-there.pem"))
    server = http_server(Reply(200), tls=ca.good)
    made, error = failure(server.url)
    assert (made, error.stage) == (["dns", "connect"], "tls")
    assert facts(error) == facts(of_a_request(server.url))


def test_a_bundle_without_certificates_fails_at_tls(http_server: Serve, ca: Certificates, tmp_path: Path) -> None:
    """A file that holds nothing is said, as a request says it."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    server = http_server(Reply(200), tls=ca.good)
    _, error = failure(server.url, ca_file=str(empty))
    assert facts(error) == facts(of_a_request(server.url, ca_file=str(empty)))


def test_a_server_without_tls_fails_at_tls(ca: Certificates) -> None:
    """A plain server behind an https address is told by what OpenSSL makes of its answer."""

    def answer_plainly(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)

    with silent_server(answer_plainly) as host:
        made, error = failure(f"https://{host}", ca_file=ca.ca_file)
    assert (made, error.stage, error.transient) == (["dns", "connect"], "tls", False)
    assert error.reason.startswith(f"cannot reach {host}: TLS failed (")


def test_a_server_that_hangs_up_fails_at_tls() -> None:
    """Who closes during the handshake may be restarting."""
    with silent_server(lambda sock: sock.recv(65_536)) as host:
        made, error = failure(f"https://{host}")
    assert (made, error.stage, error.transient) == (["dns", "connect"], "tls", True)
    assert error.reason.startswith(f"cannot reach {host}: ")


@pytest.mark.parametrize("which", ["timeout", "deadline", "longest"])
def test_silence_ends_in_time(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes as long as the settings allow, and never longer than eight seconds."""
    assert way.LONGEST == 8
    if which == "longest":
        monkeypatch.setattr(way, "LONGEST", 0.3)
    more = {} if which == "longest" else {which: 0.3}
    started = time.monotonic()
    with silent_server() as host:
        made, error = failure(f"https://{host}", **more)
    assert time.monotonic() - started < 6
    assert (made, type(error), error.stage) == (["dns", "connect"], MailTimeoutError, "tls")
    assert error.reason == f"cannot reach {host}: not in time"
    assert (error.transient, error.outcome) == (True, Outcome.NOT_SENT)


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_of_the_environment_is_told(http_server: Serve, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """Where a proxy is in between, it is the proxy that is looked up and reached; its password is not shown."""
    proxy = http_server(Reply(200))
    monkeypatch.setenv("https_proxy", f"{scheme}user:proxypass@{proxy.host}:{proxy.port}")
    dns, connect = steps("https://api.example.com")
    assert dns.said == "127.0.0.1 is 127.0.0.1, the proxy on the way to api.example.com"
    assert dns.facts["proxy"] is True
    assert connect.said == f"connected to the proxy at 127.0.0.1, port {proxy.port}"
    assert "proxypass" not in f"{dns} {connect}"


def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that it is the proxy, as that of a request does."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{reserved.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        made, error = failure("https://api.example.com")
        assert made == ["dns"]
        assert error.reason == f"cannot reach api.example.com by the proxy in HTTPS_PROXY ({place}): connection refused"
        assert facts(error) == facts(of_a_request("https://api.example.com"))


def test_a_host_that_no_proxy_names_is_reached_directly(http_server: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY counts as in a request."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    dns, _ = steps(http_server(Reply(200)).url)
    assert dns.facts["proxy"] is False


def test_who_stops_early_leaves_no_connection(http_server: Serve, ca: Certificates) -> None:
    """A probe that is not gone to its end closes what it has opened."""
    server = http_server(Reply(200), tls=ca.good)
    with contextlib.closing(HttpClient(Settings(api_url=server.url, ca_file=ca.ca_file))) as client:
        probe = client.probe()
        assert [next(probe).name, next(probe).name] == ["dns", "connect"]
        probe.close()
    assert server.requests == []
