"""The proxy of the environment: whatever is wrong with it is told as the proxy's, with the variable that names it."""

import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator

import attrs
import pytest

from postroom import (
    MailConnectionError,
    MailSenderFactory,
    MailSendError,
    MailTimeoutError,
    Outcome,
    Provider,
    ProviderRegistry,
    Secret,
    setting,
)
from postroom_http import proxies
from postroom_http.client import HttpClient
from postroom_http.failures import Lost
from postroom_http.rules import rules
from postroom_http.settings import HttpSettings
from postroom_testing import Certificates
from postroom_testing.http import HttpServer, Reply
from proxies import HttpProxy, SilentProxy, SocksProxy

SERVICE = "https://api.example.com"
PASSWORD = "proxypass"
LOST = Lost("Look before you send it again")
NAMES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_url: str = attrs.field(default=SERVICE, metadata=setting("address of the API"))
    api_key: Secret = attrs.field(default=Secret("key"), metadata=setting("key", secret=True))


class Sender:
    """The least that sends by a client."""

    def __init__(self, settings: Settings) -> None:
        self.client = HttpClient(settings)

    def deliver(self, message: object) -> None:
        """Send nothing."""

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Ask."""
        self.client.get("/")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


PROVIDER = Provider("test", Settings, Sender, rules=rules())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def no_socks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make PySocks a package that is not there."""
    monkeypatch.setitem(sys.modules, "socks", None)


@contextlib.contextmanager
def client(**more: object) -> Iterator[HttpClient]:
    """Open a client, and close it."""
    with contextlib.closing(HttpClient(Settings(**{"timeout": 5.0, **more}))) as made:  # type: ignore[arg-type]
        yield made


def by_get(http: HttpClient) -> object:
    """Ask for something."""
    return http.get("/")


def by_post(http: HttpClient) -> object:
    """Send something."""
    return http.post("/", {}, if_lost=LOST)


def by_probe(http: HttpClient) -> object:
    """Go the way."""
    return [*http.probe()]


EACH = pytest.mark.parametrize("act", [by_get, by_post, by_probe])


def failure(act: Callable[[HttpClient], object], **more: object) -> MailSendError:
    """Return the error, which was before anything was sent, and holds no password."""
    with client(**more) as http, pytest.raises(MailSendError) as caught:
        act(http)
    error = caught.value
    shown = f"{error} {error!r} {vars(error)} {error.__cause__!r} {error.__context__!r}"
    assert PASSWORD not in shown
    assert str(error).isprintable()
    assert error.outcome is Outcome.NOT_SENT
    return error


@EACH
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "SOCKS5"])
@pytest.mark.parametrize("name", NAMES)
def test_a_socks_proxy_without_pysocks_is_told(
    monkeypatch: pytest.MonkeyPatch, no_socks: None, act: Callable[[HttpClient], object], name: str, scheme: str
) -> None:
    """Variable and package are named, and trying again will not help."""
    monkeypatch.setenv(name, f"{scheme}://user:{PASSWORD}@127.0.0.1:1080")
    error = failure(act)
    assert str(error) == (
        f"cannot reach api.example.com by the proxy in {name}: it speaks SOCKS, and PySocks is not installed. "
        f'Run pip install "requests[socks]", or set {name} to a proxy that speaks HTTP'
    )
    assert (type(error), error.stage, error.transient) == (MailConnectionError, "proxy", False)


MALFORMED = {
    "blank": "  ",
    "no host": "http://",
    "no host, a port": "http://:3128",
    "a user alone": f"http://user:{PASSWORD}@",
    "a port in words": "http://127.0.0.1:squid",
    "a large port": "http://127.0.0.1:70000",
    "port 0": "http://127.0.0.1:0",
    "a strange scheme": "ftp://127.0.0.1:3128",
    "no colon": "http//127.0.0.1:3128",
    "one slash": "http:/127.0.0.1:3128",
    "slashes alone": "//127.0.0.1:3128",
    "in quotes": '"http://127.0.0.1:3128"',
    "in single quotes": "'127.0.0.1:3128'",
    "a blank in it": "http://127.0.0.1 :3128",
    "a blank before": " http://127.0.0.1:3128",
    "a line end": "http://127.0.0.1:3128\n",
    "words": "no proxy at all",
    "half an address": "http://[::1:3128",
    "a slash in the password": f"http://user:{PASSWORD}/1@127.0.0.1:3128",
    "a number sign in the password": f"http://user:{PASSWORD}#1@127.0.0.1:3128",
}


@EACH
@pytest.mark.parametrize("case", MALFORMED)
def test_a_proxy_whose_address_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[HttpClient], object], case: str
) -> None:
    """The variable is named and its form is said; the address is not quoted, since it may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", MALFORMED[case])
    error = failure(act)
    assert error.reason == (
        "cannot reach api.example.com by the proxy in HTTPS_PROXY: it has no address of the form http://host:port"
    )
    assert (error.remedy or "").startswith("Set HTTPS_PROXY to http://host:port")
    assert (type(error), error.stage, error.transient) == (MailConnectionError, "proxy", False)


@pytest.mark.parametrize(
    "form", ["http://{}", "{}", "{}/", "http://{}/", "HTTP://{}", "http://user:pass%2Fword@{}", "user:pw@{}"]
)
def test_each_way_to_write_an_address_is_taken(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """With a scheme and without, with a login and without."""
    server = http_server(Reply(200), tls=ca.good)
    with HttpProxy() as between:
        monkeypatch.setenv("https_proxy", form.format(between.place.replace("127.0.0.1", "localhost")))
        with client(api_url=server.url, ca_file=ca.ca_file) as http:
            assert http.get("/").status == 200
            assert [step.name for step in http.probe()] == ["dns", "connect"]
    assert between.heads[0].startswith("CONNECT ")
    assert ("Proxy-Authorization: Basic " in between.heads[0]) is ("@" in form)


@EACH
@pytest.mark.parametrize("name", NAMES)
def test_a_proxy_that_is_down_is_named(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[HttpClient], object], name: str
) -> None:
    """It may come back; the variable is the one that is set, and the address comes without its password."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{reserved.getsockname()[1]}"
        for scheme in ("http", "https", "socks5"):
            monkeypatch.setenv(name, f"{scheme}://user:{PASSWORD}@{place}")
            error = failure(act)
            said = f"cannot reach api.example.com by the proxy in {name} ({place}): connection refused. Check {name}"
            assert str(error) == said, scheme
            assert (type(error), error.stage, error.transient) == (MailConnectionError, "connect", True)


@EACH
def test_a_proxy_with_a_name_that_nobody_knows_is_named(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[HttpClient], object]
) -> None:
    """It is the proxy's name that is looked up, not the service's."""
    monkeypatch.setenv("HTTPS_PROXY", "http://nowhere.invalid:3128")
    error = failure(act)
    assert error.reason.startswith("cannot reach api.example.com by the proxy in HTTPS_PROXY (nowhere.invalid:3128): ")
    assert (error.stage, error.remedy) == ("dns", "Check HTTPS_PROXY")


LOGIN = "Set ALL_PROXY to http://user:password@host:port"
ALLOW = "Have the service allowed at the proxy, or name its host in NO_PROXY"
CHECK = "Check ALL_PROXY"
REFUSALS = {
    "407": (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", LOGIN, False),
    "403": (b"HTTP/1.1 403 Forbidden\r\n\r\n", ALLOW, False),
    "400": (b"HTTP/1.1 400 Bad Request\r\n\r\n", CHECK, False),
    "503": (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", CHECK, True),
    "no HTTP": (b"220 mail.example.com ESMTP\r\n", CHECK, True),
    "nothing": (None, CHECK, True),
}


@pytest.mark.parametrize("act", [by_get, by_post])
@pytest.mark.parametrize("case", REFUSALS)
def test_a_proxy_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[HttpClient], object], case: str
) -> None:
    """Nothing was sent, and the remedy has the variable that is set."""
    refusal, remedy, transient = REFUSALS[case]
    with HttpProxy(refusal) as between:
        monkeypatch.setenv("ALL_PROXY", between.url.replace("//", f"//user:{PASSWORD}@"))
        error = failure(act)
        assert error.reason.startswith(f"cannot reach api.example.com by the proxy in ALL_PROXY ({between.place}): ")
    assert (error.remedy, error.transient) == (remedy, transient)


def test_a_proxy_that_speaks_no_tls_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An https address of a proxy that speaks HTTP fails in the handshake with the proxy."""
    with HttpProxy(b"HTTP/1.1 400 Bad Request\r\n\r\n") as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url.replace("http:", "https:"))
        error = failure(by_get, timeout=1.0)
    assert f"by the proxy in HTTPS_PROXY ({between.place})" in error.reason
    assert error.remedy == "Check HTTPS_PROXY"


@pytest.mark.parametrize("act", [by_get, by_post])
def test_a_proxy_that_says_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[HttpClient], object]
) -> None:
    """It ends with the time-out, and the proxy is in the error."""
    with SilentProxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        error = failure(act, timeout=0.3)
        said = f"cannot reach api.example.com by the proxy in HTTPS_PROXY ({between.place}): not in time"
    assert str(error) == f"{said}. Check HTTPS_PROXY"
    assert (type(error), error.transient) == (MailTimeoutError, True)


def test_a_certificate_behind_a_proxy_is_the_services(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy has done its part."""
    server = http_server(Reply(200), tls=ca.expired)
    with HttpProxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        error = failure(by_get, api_url=server.url, ca_file=ca.ca_file)
    assert error.reason == (
        f"cannot reach 127.0.0.1:{server.port}: its certificate is not valid: certificate has expired"
    )


def test_a_socks_proxy_is_used(
    http_server: Callable[..., HttpServer], ca: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With PySocks, requests go by it."""
    server = http_server(Reply(200), tls=ca.good)
    with SocksProxy() as between:
        monkeypatch.setenv("ALL_PROXY", between.url)
        with client(api_url=server.url, ca_file=ca.ca_file) as http:
            assert http.get("/").status == 200
            assert [step.name for step in http.probe()] == ["dns", "connect"]
    assert between.heads == [f"127.0.0.1:{server.port}"]


@pytest.mark.parametrize(
    ("options", "said", "transient"),
    [
        ({"code": 2}, "0x02: connection not allowed by ruleset", False),
        ({"code": 5}, "0x05: connection refused", True),
        ({"method": 255}, "all offered socks5 authentication methods were rejected", False),
    ],
)
def test_a_socks_proxy_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, int], said: str, transient: bool
) -> None:
    """Its own words are in the error."""
    with SocksProxy(**options) as between:
        monkeypatch.setenv("ALL_PROXY", between.url.replace("//", f"//user:{PASSWORD}@"))
        error = failure(by_post)
    assert f"by the proxy in ALL_PROXY ({between.place}): " in error.reason
    assert said in error.reason.lower()
    assert (error.transient, error.remedy) == (transient, "Check ALL_PROXY")


def test_small_letters_count_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in curl and in Python: the proxy is the one that is used, and so is its name."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:2")
    assert "by the proxy in https_proxy (127.0.0.1:2): " in failure(by_get).reason
    monkeypatch.setenv("https_proxy", "")
    with pytest.raises(MailSendError) as caught, client() as http:
        http.get("/")
    assert "proxy" not in caught.value.reason


def made(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Make a sender, and return the warnings."""
    registry = ProviderRegistry()
    registry.add(PROVIDER)
    caplog.clear()
    MailSenderFactory.create_sender("test", {}, registry=registry)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_what_is_wrong_is_said_at_boot(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, no_socks: None
) -> None:
    """A WARNING has the variable, what is wrong, and what to do; a proxy that is used for nothing is none."""
    monkeypatch.setenv("ALL_PROXY", f"socks5://user:{PASSWORD}@127.0.0.1:1080")
    (said,) = made(caplog)
    assert said == (
        "mail: test: ALL_PROXY: it speaks SOCKS, and PySocks is not installed, so nothing can be sent by this proxy: "
        'run pip install "requests[socks]", or set ALL_PROXY to a proxy that speaks HTTP'
    )
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert made(caplog) == []
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    assert made(caplog) == []
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@")
    (said,) = made(caplog)
    assert said.startswith(
        "mail: test: HTTPS_PROXY: it has no address of the form http://host:port, so nothing can be sent"
    )
    assert PASSWORD not in said


def test_a_proxy_of_the_system_has_no_variable() -> None:
    """Where `requests` finds one that the environment does not name, it is the system's."""
    found = proxies.between(SERVICE, {"https": "http://10.0.0.1:3128"})
    assert found is not None
    assert found.way == "the proxy in the settings of this system (10.0.0.1:3128)"
    assert "10.0.0.1" not in repr(found)


def test_an_ipv6_address_has_its_brackets() -> None:
    """So that its port can be told from it."""
    found = proxies.between(SERVICE, proxies.complete({"https": "[2001:db8::1]:3128"}))
    assert found is not None
    assert found.way.endswith("([2001:db8::1]:3128)")
