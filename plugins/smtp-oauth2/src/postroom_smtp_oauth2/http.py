"""The HTTP that token requests go by, and the one place where their failures become errors of ours.

MSAL takes any client with `get` and `post`. This one raises on every answer that is not a success, before MSAL sees it:
MSAL loses the status and Retry-After of some, repeats others from its own memory for a minute, logs an answer that is
not JSON whole, and takes throttling for a wrong tenant.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
import requests

from postroom import Concealer, MailAuthError, MailRateLimitError, MailSendError, MailUnavailableError
from postroom_http import failures, proxies
from postroom_http.connection import PunctualAdapter
from postroom_http.failures import Peer
from postroom_http.wire import end_at
from postroom_smtp_oauth2 import aadsts

STAGE = "token"
_LARGEST = 65_536  # octets of an answer; a token has a few thousand
_PROOFS = ("client_secret", "client_assertion", "assertion", "password", "authorization", "x-identity-header", "secret")
_GIVEN = ("access_token", "refresh_token", "id_token")


@attrs.frozen
class Answer:
    """A successful response, as MSAL wants it."""

    status_code: int
    text: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)

    def raise_for_status(self) -> None:
        """Do nothing: what failed has been raised."""


class TokenHttp:
    """A client for one identity service. It follows no redirect, keeps no cookie, and reads no `.netrc`.

    Args:
        ca_file: CAs to trust instead of the usual ones. The environment's bundle counts only where this is None.
        connect: Seconds to connect.
        total: Seconds for each answer, from the look-up on.
        remedy: What to do about a refusal that no rule knows.
    """

    def __init__(self, ca_file: str | None, connect: float, total: float, *, remedy: str) -> None:
        self._ca_file = ca_file
        self._connect = connect
        self._total = total
        self._remedy = remedy

    def get(self, url: str, **options: Any) -> Answer:
        """Send a GET."""
        return self._request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        """Send a POST."""
        return self._request("POST", url, **options)

    def close(self) -> None:
        """Do nothing: no connection outlives its request. They are an hour apart."""

    def _request(self, method: str, url: str, **options: Any) -> Answer:
        said = self._exchange(method, url, {name: options.pop(name, None) for name in ("params", "data", "headers")})
        # Raised here: what requests raises has the request in its arguments, and with it the secret.
        if isinstance(said, MailSendError):
            raise said
        return said

    def _exchange(self, method: str, url: str, sent: dict[str, Any]) -> Answer | MailSendError:
        host = urlsplit(url).netloc
        with requests.Session() as session:
            session.mount("https://", PunctualAdapter())
            session.mount("http://", PunctualAdapter())
            # Proxies and the CA bundle are the environment's, but neither goes before what was set here, and no
            # .netrc replaces what is sent.
            found = session.merge_environment_settings(url, {}, None, self._ca_file or None, None)
            session.trust_env = False
            session.verify = self._ca_file or found["verify"]
            # A managed identity's endpoint is the host's own, by plain HTTP: no proxy can reach it.
            session.proxies = proxies.complete(found["proxies"]) if url.startswith("https:") else {}
            proxy = proxies.between(url, session.proxies)
            peer = Peer(host, Concealer(*_secrets(sent), *proxies.passwords(session.proxies)))
            try:
                if proxy is not None:
                    proxy.check(host, STAGE)
                response, body = self._fetch(session, method, url, **sent)
            except MailSendError as refused:
                return refused
            except failures.RAISED as error:
                failure = failures.from_exception(error, peer, None, left=None, proxy=proxy)
                failure.stage = STAGE  # whatever has failed in it
                return failure
        text = body.decode("utf-8", "replace")
        fields = _object(text)
        if fields is None or not 200 <= response.status_code < 300:
            return self._refusal(peer, response, fields)
        return Answer(response.status_code, text, dict(response.headers))

    def _fetch(
        self, session: requests.Session, method: str, url: str, **options: Any
    ) -> tuple[requests.Response, bytes]:
        until = time.monotonic() + self._total
        end_at(until)
        timeout = (self._connect, self._total)
        with session.request(method, url, timeout=timeout, allow_redirects=False, stream=True, **options) as response:
            return response, _read(response, until)

    def _refusal(self, peer: Peer, response: requests.Response, fields: dict[str, Any] | None) -> MailSendError:
        status, said = response.status_code, _words(peer, fields or {})
        reason = f"{peer.host} gave no token: {status}{f' {said}' if said else ''}"
        known = aadsts.explain(fields or {})
        if status == 429 or status >= 500 or (known is not None and known.transient):
            return (MailRateLimitError if status == 429 else MailUnavailableError)(
                reason,
                stage=STAGE,
                code=status,
                transient=True,
                retry_after=failures.seconds(response.headers.get("Retry-After")),
            )
        if fields is None and 200 <= status < 300:
            return MailUnavailableError(
                f"{peer.host} answered with something that is not a token",
                stage=STAGE,
                code=status,
                transient=True,
            )
        explained = known is not None or 300 <= status < 400
        return MailAuthError(reason, remedy=None if explained else self._remedy, stage=STAGE, code=status)


def _secrets(sent: Mapping[str, Any]) -> Iterator[str]:
    """Yield whatever in a request proves who asks: client secret, assertion, the header of a managed identity."""
    for part in sent.values():
        if isinstance(part, Mapping):
            yield from (str(value) for name, value in part.items() if str(name).lower() in _PROOFS)


def _words(peer: Peer, fields: Mapping[str, Any]) -> str:
    text = str(fields.get("error_description") or fields.get("error") or "")
    # Behind the first line come trace and correlation ids.
    first = text.partition("\n")[0].partition(" Trace ID:")[0]
    shown = Concealer(*(str(fields[name]) for name in _GIVEN if name in fields)).conceal(first)
    return peer.conceal(shown)


def _read(response: requests.Response, until: float) -> bytes:
    # Octet by octet, since a larger piece waits until it is full: a server that drips would never exceed a time-out.
    body = bytearray()
    for octet in response.iter_content(1):
        body += octet
        if time.monotonic() > until:
            raise requests.ReadTimeout
        if len(body) > _LARGEST:
            break
    return bytes(body)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
