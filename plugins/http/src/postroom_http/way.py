"""The way to an API, step by step, for whoever looks for what is wrong with it: its name, TCP, TLS."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from postroom import MailSendError, Step, dial
from postroom_http.failures import Peer, unreachable
from postroom_http.proxies import Proxy

LONGEST = 8.0
"""Seconds that a step may take at most. How long a name is looked up is up to the system."""


def steps(url: str, peer: Peer, *, proxy: Proxy | None, bundle: str, timeout: float) -> Iterator[Step]:
    """Yield `dns`, `connect` and `tls`. TLS is left out for plain HTTP, and behind a proxy, whose tunnel is not opened.

    Args:
        url: Address of the API.
        peer: Whom errors name.
        proxy: The proxy in between; None if there is none.
        bundle: File or folder with the CAs to trust.
        timeout: Seconds for each step.

    Raises:
        MailSendError: The next step failed; `stage` is its name.
    """

    def failed(stage: str, error: Exception) -> MailSendError:
        return unreachable(error, peer, stage=stage, proxy=proxy)

    if proxy is not None:
        proxy.check(peer.host)
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host, port = (parts.hostname or "", port) if proxy is None else (proxy.host, proxy.port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise failed("dns", error) from error
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    by = f", the proxy on the way to {peer.host}" if proxy is not None else ""
    facts: dict[str, object] = {"host": host, "addresses": addresses, "proxy": proxy is not None}
    yield Step("dns", f"{host} is {', '.join(addresses)}{by}", facts)

    try:
        sock = dial(found, time.monotonic() + timeout)
    except OSError as error:
        raise failed("connect", error) from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(sock)
        address = str(sock.getpeername()[0])
        what = "the proxy at " if proxy is not None else ""
        yield Step("connect", f"connected to {what}{address}, port {port}", {"address": address, "port": port})
        if proxy is not None or not url.startswith("https:"):
            return
        sock.settimeout(timeout)
        try:
            secure = stack.enter_context(_secured(sock, host, bundle))
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise failed("tls", error) from error
        yield Step.of_tls(secure)


def _secured(sock: socket.socket, host: str, bundle: str) -> ssl.SSLSocket:
    """Do the handshake as `requests` does it."""
    if not Path(bundle).exists():
        raise OSError("no such bundle")
    folder = Path(bundle).is_dir()
    context = urllib3.util.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(None if folder else bundle, bundle if folder else None)
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(sock, server_hostname=host)
