"""Tokens go by the proxy of the environment, and whatever is wrong with it is told as the proxy's."""

import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from oauth_servers import OAuthServer
from postroom import DeliveringSender, MailConnectionError, MailMessage, MailTimeoutError, Outcome
from proxies import HttpProxy, SilentProxy, SocksProxy

Make = Callable[..., DeliveringSender]
Failure = Callable[[DeliveringSender], Any]

MESSAGE = MailMessage("one@example.com", "Hello", text="Hello, Ada.")
PASSWORD = "proxypass"
NAMES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's proxies out."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def facts(error: Any) -> tuple[object, ...]:
    """Return what a caller decides by, after a look for the password."""
    assert PASSWORD not in f"{error} {vars(error)}"
    return type(error), error.stage, error.transient, error.outcome


@pytest.mark.parametrize("proxy", [HttpProxy, SocksProxy])
@pytest.mark.parametrize("name", NAMES)
def test_a_token_comes_by_the_proxy(
    oauth: OAuthServer, make: Make, monkeypatch: pytest.MonkeyPatch, name: str, proxy: type[HttpProxy]
) -> None:
    """Whatever it speaks, and whichever variable names it."""
    with proxy() as between:
        monkeypatch.setenv(name, between.url)
        assert make().deliver(MESSAGE).accepted
        assert all(f"localhost:{oauth.port}" in head for head in between.heads)
        asked = len(between.heads)
        assert asked > 0
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert make().deliver(MESSAGE).accepted
        assert len(between.heads) == asked


@pytest.mark.parametrize("name", NAMES)
def test_a_socks_proxy_without_pysocks_is_told(
    oauth: OAuthServer,
    make: Make,
    failure: Failure,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """Variable and package are named, trying again will not help, and boot says it already."""
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.setenv(name, f"socks5://user:{PASSWORD}@127.0.0.1:1080")
    error = failure(make())
    assert facts(error) == (MailConnectionError, "token", False, Outcome.NOT_SENT)
    assert str(error) == (
        f"smtp-oauth2: cannot reach localhost:{oauth.port} by the proxy in {name}: it speaks SOCKS, and PySocks is not "
        f'installed. Run pip install "requests[socks]", or set {name} to a proxy that speaks HTTP'
    )
    assert f"smtp-oauth2: {name}: it speaks SOCKS, and PySocks is not installed" in caplog.text
    assert PASSWORD not in caplog.text
    assert oauth.asked == []


@pytest.mark.parametrize("url", ["http://", " ", "ftp://127.0.0.1:21", f"http://user:{PASSWORD}@127.0.0.1:squid"])
def test_a_proxy_whose_address_is_none_is_told(
    make: Make, failure: Failure, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """With the form that it should have."""
    monkeypatch.setenv("https_proxy", url)
    error = failure(make())
    assert facts(error) == (MailConnectionError, "token", False, Outcome.NOT_SENT)
    assert "by the proxy in https_proxy: it has no address" in error.reason
    assert error.remedy.startswith("Set https_proxy to http://host:port")


def test_a_proxy_that_is_down_is_named(make: Make, failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come back."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{reserved.getsockname()[1]}"
        monkeypatch.setenv("ALL_PROXY", f"http://user:{PASSWORD}@{place}")
        error = failure(make())
    assert facts(error) == (MailConnectionError, "token", True, Outcome.NOT_SENT)
    assert f"by the proxy in ALL_PROXY ({place}): connection refused" in error.reason
    assert error.remedy == "Check ALL_PROXY"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (b"407 Proxy Authentication Required", "Set HTTPS_PROXY to http://user:password@host:port"),
        (b"403 Forbidden", "Have the service allowed at the proxy, or name its host in NO_PROXY"),
    ],
)
def test_a_proxy_that_refuses_is_named(
    make: Make, failure: Failure, monkeypatch: pytest.MonkeyPatch, status: bytes, remedy: str
) -> None:
    """Its own words are in the error, and the secret has not been seen by anybody."""
    with HttpProxy(b"HTTP/1.1 " + status + b"\r\n\r\n") as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url.replace("//", f"//user:{PASSWORD}@"))
        error = failure(make())
    assert facts(error) == (MailConnectionError, "token", False, Outcome.NOT_SENT)
    assert f"by the proxy in HTTPS_PROXY ({between.place}): Tunnel connection failed: {status.decode()}" in error.reason
    assert error.remedy == remedy


def test_a_proxy_that_says_nothing_is_named(make: Make, failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity service is not blamed for it."""
    with SilentProxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        error = failure(make(SMTP_TIMEOUT="0.5"))
    assert facts(error) == (MailTimeoutError, "token", True, Outcome.NOT_SENT)
    assert f"by the proxy in HTTPS_PROXY ({between.place}): not in time" in error.reason
