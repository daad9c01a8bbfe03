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
    MailConnectionError,
    MailRateLimitError,
    MailTimeoutError,
    MailUnavailableError,
    whole_number,
)
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
        # No cause is chained below: the exceptions of requests hold the whole request, and so the secret.
        try:
            response, body = self._fetch(method, url, params=params, data=data, headers=headers)
        except (requests.Timeout, TimeoutError):
            raise MailTimeoutError(f"{host} gave no token in time", stage=STAGE, transient=True) from None
        except requests.exceptions.SSLError:
            raise MailConnectionError(
                f"{host}: TLS failed, its certificate is not one that we trust",
                stage=STAGE,
            ) from None
        except requests.RequestException as error:
            raise MailConnectionError(
                f"cannot get a token from {host}: the connection failed ({type(error).__name__})",
                stage=STAGE,
                transient=True,
            ) from None
        except OSError:
            # Requests says so where a CA file is missing. MSAL would hide a MailConfigError, which is a ValueError.
            raise MailConnectionError(
                "the CAs for the identity service cannot be read",
                stage=STAGE,
            ) from None
        text = body.decode("utf-8", "replace")
        fields = _object(text)
        if fields is None or not 200 <= response.status_code < 300:
            self._refuse(host, response, fields)
        return Answer(response.status_code, text, dict(response.headers))

    def _fetch(self, method: str, url: str, **options: Any) -> tuple[requests.Response, bytes]:
        until = time.monotonic() + self._total
        with requests.Session() as session:
            # Proxies and the CA bundle are the environment's, but neither goes before what was set here, and no
            # .netrc replaces what is sent.
            settings = session.merge_environment_settings(url, {}, None, self._ca_file or None, None)
            session.trust_env = False
            with session.request(
                method,
                url,
                timeout=(self._connect, self._total),
                allow_redirects=False,
                stream=True,
                verify=self._ca_file or settings["verify"],
                # A managed identity's endpoint is the host's own, by plain HTTP: no proxy can reach it.
                proxies=settings["proxies"] if url.startswith("https:") else {},
                **options,
            ) as response:
                return response, _read(response, until)

    def _refuse(self, host: str, response: requests.Response, fields: dict[str, Any] | None) -> NoReturn:
        status, said = response.status_code, self._words(fields or {})
        reason = f"{host} gave no token: {status}{f' {said}' if said else ''}"
        known = aadsts.explain(fields or {})
        if status == 429:
            raise MailRateLimitError(
                reason, stage=STAGE, code=status, transient=True, retry_after=_retry_after(response)
            )
        if status >= 500 or (known is not None and known.transient):
            raise MailUnavailableError(
                reason, stage=STAGE, code=status, transient=True, retry_after=_retry_after(response)
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
            raise TimeoutError
        if len(body) > _LARGEST:
            raise requests.exceptions.ContentDecodingError
    return bytes(body)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _retry_after(response: requests.Response) -> float | None:
    return whole_number(response.headers.get("Retry-After", ""), 9)
