"""One client: its connections, its key, and what it takes from the environment and does not."""

import contextlib
import logging
import pickle
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from postroom import (
    MailConnectionError,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Provider,
    Secret,
    setting,
)
from postroom_http import client as client_module
from postroom_http import failures
from postroom_http.client import HttpClient
from postroom_http.failures import Lost
from postroom_http.rules import rules
from postroom_http.settings import HttpSettings
from postroom_testing import Certificates
from postroom_testing.http import Close, Drip, Early, HttpServer, Raw, Reply, Request, Truncate
from proxies import HttpProxy

KEY = "key_s3cr3t/with+signs="
LOST = Lost("Look before you send it again")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_key: Secret = attrs.field(default=Secret(KEY), metadata=setting("key", secret=True))


PROVIDER = Provider("test", Settings, HttpClient, rules=rules())


@contextlib.contextmanager
def client(url: str, **more: Any) -> Iterator[HttpClient]:
    """Open a client, and close it."""
    options = {name: more.pop(name) for name in ("header", "scheme") if name in more}
    with contextlib.closing(HttpClient(Settings(api_url=url, **{"timeout": 5.0, **more}), **options)) as made:
        yield made


def error_of(call: Callable[[], object]) -> MailSendError:
    """Return what the call raises, with what to do, as core leaves it to the rules."""
    with pytest.raises(MailSendError) as caught:
        call()
    error = caught.value
    if error.remedy is None and (rule := PROVIDER.diagnose(error)) is not None:
        error.remedy = rule.remedy
    return error


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies out."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("body", [{"id": "1"}, b"", b"<html>"], ids=["json", "nothing", "html"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_requests_share_one_connection(
    http_server: Callable[..., HttpServer], ca: Certificates, tls: bool, body: object
) -> None:
    """Requests one after the other cost one connection and one TLS handshake."""
    server = http_server(Reply(200, body), tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file) as http:
        for number in range(10):
            assert http.post("/mail", {"n": number}, if_lost=LOST).status == 200
            assert http.get("/check").status == 200
    assert [request.json()["n"] for request in server.requests if request.method == "POST"] == list(range(10))
    assert server.connections == 1


@pytest.mark.parametrize("status", [204, 304, 400, 429, 500])
def test_a_refusal_keeps_the_connection(http_server: Callable[..., HttpServer], status: int) -> None:
    """An answer that refuses, or has no body, is read to its end, and the next request needs no new connection."""
    server = http_server(Reply(status, b"" if status in (204, 304) else {"no": status}))
    with client(server.url) as http:
        assert [http.post("/mail", {}, if_lost=LOST).status for _ in range(3)] == [status] * 3
    assert server.connections == 1


def test_a_chunked_answer_keeps_the_connection(http_server: Callable[..., HttpServer]) -> None:
    """A body in chunks is put together."""
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'
    server = http_server(Raw(chunked))
    with client(server.url) as http:
        assert http.get("/").json() == {"a": 1}


def test_a_request_says_what_it_is(http_server: Callable[..., HttpServer]) -> None:
    """A POST is JSON with the key, a name for us and the caller's headers; its body has a length."""
    server = http_server(Reply(200))
    with client(server.url + "/base/") as http:
        http.post("/mail", {"subject": "Grüße"}, if_lost=LOST, headers={"Idempotency-Key": "1"})
    (request,) = server.requests
    assert (request.method, request.path, request.json()) == ("POST", "/base/mail", {"subject": "Grüße"})
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("postroom/")
    assert request.headers["idempotency-key"] == "1"
    assert "transfer-encoding" not in request.headers


def test_the_key_goes_where_an_api_wants_it(http_server: Callable[..., HttpServer]) -> None:
    """Another header and no scheme are two arguments."""
    server = http_server(Reply(200))
    with client(server.url, header="X-Api-Key", scheme="") as http:
        http.get("/")
    assert server.requests[0].headers["x-api-key"] == KEY
    assert "authorization" not in server.requests[0].headers


def test_a_closed_client_opens_a_new_connection(http_server: Callable[..., HttpServer]) -> None:
    """Closing twice does no harm, and a request after it works."""
    server = http_server(Reply(200))
    with client(server.url) as http:
        http.get("/")
        http.close()
        http.close()
        assert http.get("/").status == 200
    assert [request.connection for request in server.requests] == [0, 1]


def test_an_old_connection_is_not_used_again(
    http_server: Callable[..., HttpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that has come of age is replaced, with its connections."""
    server = http_server(Reply(200))
    with client(server.url) as http:
        http.get("/")
        http.get("/")
        monkeypatch.setattr(client_module, "_SESSION", 0.05)
        time.sleep(0.1)
        http.get("/")
    assert [request.connection for request in server.requests] == [0, 0, 1]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_connection_that_the_server_has_closed_is_noticed(
    http_server: Callable[..., HttpServer], ca: Certificates, tls: bool
) -> None:
    """A server that closes an idle connection without a word costs a new connection and no message."""
    server = http_server(Close(Reply(200)), tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file) as http:
        for _ in range(3):
            assert http.post("/mail", {}, if_lost=LOST).status == 200
            time.sleep(0.1)  # until the server's FIN is here
    assert server.connections == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_not_followed(http_server: Callable[..., HttpServer], method: str, status: int) -> None:
    """Neither key nor mail goes where an answer points; the redirect itself is the answer."""
    other = http_server(Reply(200))
    server = http_server(Reply(status, b"", {"Location": f"{other.url}/elsewhere"}))
    with client(server.url) as http:
        answer = http.get("/") if method == "GET" else http.post("/", {}, if_lost=LOST)
    assert answer.status == status
    assert len(server.requests) == 1
    assert other.connections == 0


def test_cookies_are_not_sent_back(http_server: Callable[..., HttpServer]) -> None:
    """A cookie would tie together what two threads send."""
    server = http_server(Reply(200, b"", {"Set-Cookie": "session=1; Path=/"}))
    with client(server.url) as http:
        http.get("/")
        http.post("/", {}, if_lost=LOST)
        http.get("/")
    assert not any("cookie" in request.headers for request in server.requests)


@pytest.mark.parametrize("named", [True, False], ids=["NETRC", "HOME"])
def test_a_netrc_does_not_replace_the_key(
    http_server: Callable[..., HttpServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """A login that `.netrc` has for the same host stays there."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password other\ndefault login mallory password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc)) if named else monkeypatch.setenv("HOME", str(tmp_path))
    server = http_server(Reply(200))
    with client(server.url) as http, client(server.url, header="X-Key", scheme="") as other:
        http.get("/")
        other.get("/")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in server.requests[1].headers


def test_what_a_service_sends_without_end_is_cut(http_server: Callable[..., HttpServer]) -> None:
    """Of an answer, about one MiB is read."""
    server = http_server(Reply(200, b"x" * 5_000_000))
    with client(server.url) as http:
        answer = http.get("/")
    assert answer.status == 200
    assert 1_048_576 <= len(answer.body) < 1_048_576 + 65_536


def test_an_answer_that_breaks_off_is_an_answer(http_server: Callable[..., HttpServer]) -> None:
    """Status and headers tell what became of the mail, so a truncated body is no error, and no JSON."""
    server = http_server(Truncate(Reply(200, {"id": "1"}, {"X-Message-Id": "2"})))
    with client(server.url) as http:
        answer = http.post("/", {}, if_lost=LOST)
    assert (answer.status, answer.headers["x-message-id"], answer.json()) == (200, "2", None)


def test_a_dripping_answer_ends_with_the_deadline(http_server: Callable[..., HttpServer]) -> None:
    """A body that comes octet by octet exceeds no time-out, but is given up at the deadline."""
    server = http_server(Drip(Reply(202, b"x" * 100_000), interval=0.02))
    started = time.monotonic()
    with client(server.url, deadline=0.4) as http:
        answer = http.post("/", {}, if_lost=LOST)
    assert time.monotonic() - started < 10
    assert answer.status == 202
    assert 0 < len(answer.body) < 1000


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff\xfe", b"[" * 500_000, b"9" * 5000])
def test_what_is_no_json_is_none(http_server: Callable[..., HttpServer], body: bytes) -> None:
    """Whatever a service answers instead of JSON, it raises nothing."""
    server = http_server(Reply(200, body))
    with client(server.url) as http:
        assert http.get("/").json() is None


def test_an_early_refusal_is_read(http_server: Callable[..., HttpServer]) -> None:
    """A server may refuse a body that is too large before it has come; its answer counts, not the broken upload."""
    server = http_server(Early(Reply(413, {"message": "too large"})))
    with client(server.url) as http:
        answer = http.post("/", {"file": "x" * 4_000_000}, if_lost=LOST)
    assert (answer.status, answer.json()) == (413, {"message": "too large"})


def echo(request: Request) -> Reply:
    """Answer with what was asked, and with the key."""
    asked = request.json() if request.body else {}
    return Reply(200, {**asked, "key": request.headers["authorization"]})


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_threads_get_the_answers_to_their_own_requests(
    http_server: Callable[..., HttpServer], ca: Certificates, tls: bool
) -> None:
    """16 threads on one client lose nothing, mix nothing, and need no more connections than there are threads."""
    server = http_server(answer=echo, tls=ca.good if tls else None)
    with client(server.url, ca_file=ca.ca_file, timeout=20.0) as http, ThreadPoolExecutor(16) as pool:
        asked = [f"{number}:{'x' * (number * 37 % 5000)}" for number in range(320)]
        got = pool.map(lambda each: http.post("/", {"id": each}, if_lost=LOST).json()["id"], asked)
        assert list(got) == asked
    assert sorted(request.json()["id"] for request in server.requests) == sorted(asked)
    # A few more: threads that all find no session at once each make one.
    assert server.connections <= 32


def test_two_clients_never_mix_their_keys(http_server: Callable[..., HttpServer]) -> None:
    """Clients of two accounts at one service, in the same threads, each use their own key."""
    server = http_server(answer=echo)
    keys = ["first", "second"]
    with (
        client(server.url, api_key=Secret(keys[0])) as first,
        client(server.url, api_key=Secret(keys[1])) as second,
        ThreadPoolExecutor(16) as pool,
    ):
        clients = [first, second]

        def ask(number: int) -> str:
            answer: dict[str, str] = clients[number % 2].post("/", {"id": number}, if_lost=LOST).json()
            return answer["key"]

        assert list(pool.map(ask, range(320))) == [f"Bearer {key}" for _ in range(160) for key in keys]
    by_connection: dict[int, set[str]] = {}
    for request in server.requests:
        by_connection.setdefault(request.connection, set()).add(request.headers["authorization"])
    assert all(len(used) == 1 for used in by_connection.values())


FORK = """
import os, sys
from postroom import MailMessage, MailSenderFactory

url, ca_file = sys.argv[1:]
config = {"api_key": "re_1", "api_url": url, "default_from": "a@example.com", "ca_file": ca_file, "timeout": 5}
with MailSenderFactory.create_sender("resend", config) as sender:
    def send(subject):
        sender.deliver(MailMessage("b@example.com", subject, text="-"))
    send("parent 1")
    child = os.fork()
    if not child:
        try:
            send("child 1")
            send("child 2")
            sender.close()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    send("parent 2")
"""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_forked_child_has_connections_of_its_own(
    http_server: Callable[..., HttpServer], ca: Certificates, tls: bool
) -> None:
    """A worker that was forked uses and closes its own connections; the parent's go on."""
    server = http_server(Reply(200, {"id": "1"}), tls=ca.good if tls else None)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORK), server.url, ca.ca_file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    sent = [(request.json()["subject"], request.connection) for request in server.requests]
    assert sent == [("parent 1", 0), ("child 1", 1), ("child 2", 1), ("parent 2", 0)]


def test_the_key_is_in_no_log_repr_or_error(
    http_server: Callable[..., HttpServer], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever happens, the logs of all libraries at DEBUG, every repr and every error hold no key."""
    caplog.set_level(logging.DEBUG)
    steps = [Reply(200), Reply(401, {"message": f"{KEY} is wrong"}), Close(), Raw(b"nonsense\r\n\r\n"), Early()]
    server = http_server(*steps)
    seen: list[object] = []
    with client(server.url) as http:
        for size in (1, 1, 1, 1, 3_000_000):
            try:
                answer = http.post("/", {"x": "x" * size}, if_lost=LOST)
                seen += [answer, failures.from_answer(answer, http.peer, LOST, said=f"{KEY} is wrong")]
            except MailSendError as error:
                seen += [error, vars(error)]
        seen += [http, http.peer, vars(http), http.peer.concealer]
    assert len(seen) == 14
    printed = capsys.readouterr()
    everything = "\n".join([*(f"{each!r} {each}" for each in seen), caplog.text, printed.out, printed.err])
    assert "urllib3.connectionpool" in caplog.text
    assert KEY not in everything
    assert "*** is wrong" in everything


def test_a_client_cannot_be_pickled(http_server: Callable[..., HttpServer]) -> None:
    """What holds the key stays in its process; errors, which hold none, travel."""
    server = http_server(Reply(200), Close())
    with client(server.url) as http:
        http.get("/")
        for each in (http, http.peer, Settings(api_url=server.url)):
            with pytest.raises(TypeError, match="Secret is not pickled"):
                pickle.dumps(each)
        error = error_of(lambda: http.post("/", {}, if_lost=LOST))
    assert KEY.encode() not in pickle.dumps(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_sender_shows_no_key(http_server: Callable[..., HttpServer]) -> None:
    """Neither a sender's repr nor its refusal to be pickled shows the key."""
    server = http_server(Reply(200, {"id": "1"}))
    config = {"api_key": KEY, "api_url": server.url, "default_from": "a@example.com"}
    with MailSenderFactory.create_sender("resend", config) as sender:
        sender.deliver(MailMessage("b@example.com", "Hi", text="-"))
        with pytest.raises(Exception) as caught:
            pickle.dumps(sender)
    assert KEY not in f"{sender!r} {caught.value!r}"


def test_a_proxy_of_the_environment_is_used(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY gets a tunnel, in which it sees no key."""
    server = http_server(Reply(200), tls=ca.good)
    with HttpProxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        with client(server.url, ca_file=ca.ca_file) as http:
            assert http.get("/one").status == 200
            assert http.post("/two", {}, if_lost=LOST).status == 200
        assert len(between.heads) == 1
        assert between.heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.")
        assert KEY not in between.heads[0]
    assert [request.path for request in server.requests] == ["/one", "/two"]


def test_a_proxy_for_plain_http_gets_the_whole_address(
    http_server: Callable[..., HttpServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY is used for a server on this host that speaks plain HTTP."""
    between = http_server(Reply(200))
    monkeypatch.setenv("http_proxy", between.url)  # curl and others take the name in small letters only
    with client("http://localhost:1") as http:
        assert http.get("/one").status == 200
    assert between.requests[0].path == "http://localhost:1/one"


def test_no_proxy_is_respected(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that NO_PROXY names is reached directly."""
    server = http_server(Reply(200), tls=ca.good)
    with HttpProxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
        with client(server.url, ca_file=ca.ca_file) as http:
            assert http.get("/").status == 200
        assert between.heads == []


@pytest.mark.parametrize(
    ("refusal", "transient", "remedy"),
    [
        (
            *(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", False),
            "Set HTTPS_PROXY to http://user:password@host:port",
        ),
        (
            *(b"HTTP/1.1 403 Forbidden\r\n\r\n", False),
            "Have the service allowed at the proxy, or name its host in NO_PROXY",
        ),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", True, "Check HTTPS_PROXY"),
    ],
    ids=["407", "403", "503"],
)
def test_a_proxy_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, refusal: bytes, transient: bool, remedy: str
) -> None:
    """What a proxy does not let through was not sent, and its own answer is quoted."""
    with HttpProxy(refusal) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url.replace("//", "//user:proxypass@"))
        with client("https://127.0.0.1:1") as http:
            error = error_of(lambda: http.post("/", {}, if_lost=LOST))
    words = refusal.decode().split("\r\n")[0].removeprefix("HTTP/1.1 ")
    by = f"by the proxy in HTTPS_PROXY ({between.place})"
    assert str(error) == f"cannot reach 127.0.0.1:1 {by}: Tunnel connection failed: {words}. {remedy}"
    assert (type(error), error.outcome, error.transient) == (MailConnectionError, Outcome.NOT_SENT, transient)
    assert "proxypass" not in str(error)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be reached is told from a service that cannot."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{reserved.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        with client("https://127.0.0.1:1") as http:
            error = error_of(lambda: http.post("/", {}, if_lost=LOST))
    said = f"cannot reach 127.0.0.1:1 by the proxy in HTTPS_PROXY ({place}): connection refused. Check HTTPS_PROXY"
    assert str(error) == said
    assert (type(error), error.outcome, error.transient) == (MailConnectionError, Outcome.NOT_SENT, True)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_cas_of_the_environment_are_trusted(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Where the settings name no CAs, those count that the environment names for all programs."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, ca.ca_file)
    server = http_server(Reply(200), tls=ca.good)
    with client(server.url) as http:
        assert http.get("/").status == 200


def test_the_cas_of_the_settings_come_first(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`ca_file` wins over the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "not-there.pem"))
    server = http_server(Reply(200), tls=ca.good)
    with client(server.url, ca_file=ca.ca_file) as http:
        assert http.get("/").status == 200


def test_a_bundle_that_is_not_there_is_said(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A bundle of the environment that does not exist is an error that says where to look, without retries."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "not-there.pem"))
    server = http_server(Reply(200), tls=ca.good)
    with client(server.url) as http:
        error = error_of(lambda: http.post("/", {}, if_lost=LOST))
    assert str(error) == (
        f"cannot reach 127.0.0.1:{server.port}: the CAs to trust cannot be read. "
        "Check TEST_CA_FILE and REQUESTS_CA_BUNDLE"
    )
    assert (type(error), error.outcome, error.transient) == (MailConnectionError, Outcome.NOT_SENT, False)


def test_a_bundle_without_certificates_is_said(
    http_server: Callable[..., HttpServer], ca: Certificates, tmp_path: Path
) -> None:
    """A file that holds no certificate is an error that points to it, without retries."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    server = http_server(Reply(200), tls=ca.good)
    with client(server.url, ca_file=str(empty)) as http:
        error = error_of(lambda: http.post("/", {}, if_lost=LOST))
    assert (type(error), error.outcome, error.transient) == (MailConnectionError, Outcome.NOT_SENT, False)
    assert "TEST_CA_FILE" in str(error)
