"""The HTTP that token requests go by, and the one place where their failures become errors of ours.

MSAL takes any client with `get` and `post`. This one raises on every answer that is not a success, before MSAL sees it:
MSAL loses the status and Retry-After of some, repeats others from its own memory for a minute, logs an answer that is
not JSON whole, and takes throttling for a wrong tenant.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote_plus, urlsplit

import attrs
import requests

from postroom import (
    MailAuthError,
    MailRateLimitError,
    MailUnavailableError,
)
from postroom_http import failures, proxies
from postroom_http.failures import Peer
from postroom_smtp.replies import clean
from postroom_smtp_oauth2 import aadsts

STAGE = "token"
_LARGEST = 65_536  # octets of an answer; a token has a few thousand
_TEXT_LIMIT = 200  # characters of a server's own words


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
        total: Seconds for each answer; a body that drips counts as a whole, headers that drip do not.
        remedy: What to do about a refusal that no rule knows.
        hidden: Secrets that a server must not get into an error by quoting them.
    """

    def __init__(
        self, ca_file: str | None, connect: float, total: float, *, remedy: str, hidden: Iterable[str] = ()
    ) -> None:
        self._ca_file = ca_file
        self._connect = connect
        self._total = total
        self._remedy = remedy
        self._hidden = [form for secret in hidden for form in (secret, quote_plus(secret)) if form]

    def get(self, url: str, **options: Any) -> Answer:
        """Send a GET."""
        return self._request("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answer:
        """Send a POST."""
        return self._request("POST", url, **options)

    def close(self) -> None:
        """Do nothing: no connection outlives its request. They are an hour apart."""

    def _request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Answer:
        host = urlsplit(url).netloc
        with requests.Session() as session:
            # Proxies and the CA bundle are the environment's, but neither goes before what was set here, and no
            # .netrc replaces what is sent.
            found = session.merge_environment_settings(url, {}, None, self._ca_file or None, None)
            session.trust_env = False
            session.verify = self._ca_file or found["verify"]
            # A managed identity's endpoint is the host's own, by plain HTTP: no proxy can reach it.
            session.proxies = proxies.complete(found["proxies"]) if url.startswith("https:") else {}
            proxy = proxies.between(url, session.proxies)
            if proxy is not None:
                proxy.check(host, STAGE)
            try:
                response, body = self._fetch(session, method, url, params=params, data=data, headers=headers)
            except failures.RAISED as error:
                failure = failures.from_exception(error, Peer(host), None, left=None, proxy=proxy)
                failure.stage = STAGE  # whatever has failed in it
                # No cause is chained: the exceptions of requests hold the whole request, and so the secret.
                raise failure from None
        text = body.decode("utf-8", "replace")
        fields = _object(text)
        if fields is None or not 200 <= response.status_code < 300:
            self._refuse(host, response, fields)
        return Answer(response.status_code, text, dict(response.headers))

    def _fetch(
        self, session: requests.Session, method: str, url: str, **options: Any
    ) -> tuple[requests.Response, bytes]:
        until = time.monotonic() + self._total
        timeout = (self._connect, self._total)
        with session.request(method, url, timeout=timeout, allow_redirects=False, stream=True, **options) as response:
            return response, _read(response, until)

    def _refuse(self, host: str, response: requests.Response, fields: dict[str, Any] | None) -> NoReturn:
        status, said = response.status_code, self._words(fields or {})
        reason = f"{host} gave no token: {status}{f' {said}' if said else ''}"
        known = aadsts.explain(fields or {})
        if status == 429 or status >= 500 or (known is not None and known.transient):
            raise (MailRateLimitError if status == 429 else MailUnavailableError)(
                reason,
                stage=STAGE,
                code=status,
                transient=True,
                retry_after=failures.seconds(response.headers.get("Retry-After")),
            )
        if fields is None and 200 <= status < 300:
            raise MailUnavailableError(
                f"{host} answered with something that is not a token",
                stage=STAGE,
                code=status,
                transient=True,
            )
        explained = known is not None or 300 <= status < 400
        raise MailAuthError(reason, remedy=None if explained else self._remedy, stage=STAGE, code=status)

    def _words(self, fields: dict[str, Any]) -> str:
        text = str(fields.get("error_description") or fields.get("error") or "")
        for secret in self._hidden:
            text = text.replace(secret, "***")
        # Behind the first line come trace and correlation ids.
        return clean(text.partition("\n")[0].partition(" Trace ID:")[0].encode("utf-8", "replace"))[:_TEXT_LIMIT]


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
