"""The proxy between this host and a service: which variable names it, and whether a connection by it can be tried.

`requests` finds it (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in capitals or small letters), and blames whatever is wrong
with it on something else. No HTTP client is loaded here unless something is wrong.
"""

import contextlib
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from postroom import MailConnectionError, MailTimeoutError, Secret, Symptom, find_rule
from postroom_http.proxy_rules import NO_ADDRESS, NO_SOCKS, PROXY, USUAL_VARIABLE

_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.%]+")
_UNSET = "the settings of this system"  # macOS and Windows have some beside the environment


@attrs.frozen
class Proxy:
    """A proxy. Its address may hold a password, and is in no repr, error or log."""

    url: str = attrs.field(repr=False)
    variable: str
    """The environment variable that names it."""

    @property
    def host(self) -> str:
        """Host name or address; empty if there is none."""
        try:
            return self._parts.hostname or ""
        except ValueError:
            return ""

    @property
    def port(self) -> int:
        """Port, which is the scheme's if the address has none; 0 if it is none."""
        try:
            port = self._parts.port
        except ValueError:
            return 0
        return _PORTS.get(self._parts.scheme, 0) if port is None else port

    @property
    def wrong(self) -> str | None:
        """What is wrong with it, without its address; None if a connection can be tried."""
        if not self.port or not _HOST.fullmatch(self.host) or re.search(r"[\s\x00-\x1f\x7f]", self.url):
            return NO_ADDRESS
        if self._parts.scheme not in _PORTS:
            return NO_ADDRESS
        if self._parts.scheme.startswith("socks") and importlib.util.find_spec("socks") is None:
            return NO_SOCKS
        return None

    @property
    def way(self) -> str:
        """How to say that something goes by this proxy."""
        if self.wrong is not None:
            return f"the proxy in {self.variable}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"the proxy in {self.variable} ({host}:{self.port})"

    def check(self, host: str, stage: str = "proxy") -> None:
        """Refuse a proxy by which nothing can be sent.

        Args:
            host: Host of the service.
            stage: The step that fails.

        Raises:
            MailConnectionError: Its address is none, or PySocks is missing. Says which variable, and what to do.
        """
        if self.wrong is not None:
            raise self.failure(f"cannot reach {host}", self.wrong, stage=stage)

    def failure(
        self, what: str, why: str, *, stage: str, transient: bool = False, late: bool = False
    ) -> MailConnectionError | MailTimeoutError:
        """Return the error for what did not get through the proxy. What to do names its variable.

        Args:
            what: What failed, such as `cannot reach api.example.com`.
            why: The reason, without a secret.
            stage: The step that failed.
            transient: True if it may work later.
            late: True if nothing came in time.
        """
        reason = f"{what} by {self.way}: {why}"
        rule = find_rule(PROXY, Symptom(text=reason))
        return (MailTimeoutError if late else MailConnectionError)(
            reason,
            remedy=rule.remedy.replace(USUAL_VARIABLE, self.variable) if rule else None,
            stage=stage,
            transient=transient,
        )

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)


def complete(found: Mapping[str, str]) -> dict[str, str]:
    """Return proxies with a scheme each: `requests` takes `localhost:3128` for a scheme and its path."""
    return {kind: _complete(url) for kind, url in found.items()}


def passwords(found: Mapping[str, str]) -> Iterator[Secret]:
    """Yield the passwords in the addresses of proxies, as they are written there and as they are sent."""
    for url in found.values():
        with contextlib.suppress(ValueError):  # it is no URL, and nothing is sent by it
            password = urlsplit(url).password
            if password:
                yield Secret(password)
                yield Secret(unquote(password))


def between(service: str, found: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a service; None if there is none.

    Args:
        service: Address of the service.
        found: The proxies of the environment, as `requests` has found them and `complete` has written them.
    """
    if not found:
        return None
    from requests.utils import select_proxy  # noqa: PLC0415  whoever has asked for them has it

    url = select_proxy(service, dict(found))
    if url is None:
        return None
    named = _named(service)
    return named if named is not None and named.url == url else Proxy(url, _UNSET)


def doubt(service: str) -> tuple[str, str] | None:
    """Return the variable of a proxy by which no request to a service can be sent, and why; None if all is well."""
    proxy = _named(service)
    if proxy is None or (wrong := proxy.wrong) is None:
        return None
    from requests.utils import should_bypass_proxies  # noqa: PLC0415  only a mistake pays for it

    if should_bypass_proxies(service, None):
        return None
    rule = find_rule(PROXY, Symptom(text=wrong))
    advice = rule.remedy.replace(USUAL_VARIABLE, proxy.variable) if rule else ""
    return proxy.variable, f"{wrong}, so nothing can be sent by this proxy: {advice[:1].lower()}{advice[1:]}"


def _named(service: str) -> Proxy | None:
    """Return the proxy that the environment names, as `urllib.request.getproxies` does; NO_PROXY is not looked at."""
    for kind in (urlsplit(service).scheme, "all"):
        small = f"{kind}_proxy"
        names = sorted((name for name in os.environ if name.lower() == small), key=lambda name: name != small)
        if names and os.environ[names[0]]:  # small letters count first, even if they are there to unset it
            return Proxy(_complete(os.environ[names[0]]), names[0])
    return None


def _complete(url: str) -> str:
    return url if "://" in url or "/" in url.rstrip("/") else f"http://{url}"
