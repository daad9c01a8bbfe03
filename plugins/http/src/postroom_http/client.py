"""One JSON request to one API, and its answer: HTTP by `requests`, with what a mail must have around it.

One session for each client, so two clients never mix their keys. It follows no redirect, keeps no cookie, reads no
`.netrc`, repeats nothing, and knows whether the whole request had left when something breaks.
"""

import contextlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from postroom import Concealer, MailConnectionError, MailSendError, Secret, Step
from postroom_http import failures, proxies, way
from postroom_http.answer import STAGE, Answer
from postroom_http.connection import PunctualAdapter
from postroom_http.request import Body, KeyAuth
from postroom_http.settings import HttpSettings
from postroom_http.wire import end_at

_CONNECT = 10.0  # seconds
_READ = 30.0  # seconds
# Seconds that a session is used. Load balancers and NAT forget an idle connection after 60 s or more, often without a
# word, and a request that is written into such a connection ends as unknown.
_SESSION = 50.0
_POOL = 32  # connections that are kept; more threads than that open further ones
_LARGEST = 1_048_576  # octets of an answer that are read


class HttpClient:
    """A client for one API and one key. Safe to share between threads, and across a fork.

    Args:
        settings: Where the API is and how long to wait.
        key: Field of the settings with the secret of the account. The secret is in no error, log, repr or pickle.
        header: Header that carries the key.
        scheme: What stands before the key, such as `Bearer`; empty for nothing.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        key: str = "api_key",
        header: str = "Authorization",
        scheme: str = "Bearer",
    ) -> None:
        self._settings = settings
        self._key: Secret = getattr(settings, key)
        self._auth = KeyAuth(self._key, header, scheme)
        self._url = settings.api_url.rstrip("/")
        self.peer = failures.Peer(urlsplit(self._url).netloc, Concealer(self._key))
        self._started = time.monotonic()
        self._sessions: dict[tuple[int, int], requests.Session] = {}

    def get(self, path: str, *, stage: str = STAGE) -> Answer:
        """Send a GET.

        Args:
            path: Path below the API's address, with its slash.
            stage: What it is asked for. Errors have it as their `stage`, those about the answer as well.

        Raises:
            MailSendError: No answer came.
        """
        return self._exchange("GET", path, stage=stage)

    def post(
        self,
        path: str,
        payload: object,
        *,
        if_lost: failures.Lost,
        headers: Mapping[str, str] | None = None,
        leaving: Callable[[], None] | None = None,
    ) -> Answer:
        """Send `payload` as JSON, once.

        Args:
            path: Path below the API's address, with its slash.
            payload: What `json.dumps` takes.
            if_lost: What it means when the request has left and no answer comes.
            headers: Further headers.
            leaving: Called just before the last octet leaves, as a transport's `leaving` wants it.

        Raises:
            MailSendError: No answer came. `NOT_SENT` as long as a part of the request was still here, else `UNKNOWN`.
        """
        body = Body(json.dumps(payload).encode(), leaving)
        del payload  # an error that leaves from here on has no text of a mail in its traceback
        return self._exchange("POST", path, {"Content-Type": "application/json", **(headers or {})}, body, if_lost)

    def probe(self) -> Iterator[Step]:
        """Go the way to the API, over a connection of its own, and yield each step: `dns`, `connect`, `tls`.

        The last one is left out for plain HTTP, and where a proxy of the environment is in between.

        Raises:
            MailSendError: The next step failed; `stage` is its name.
        """
        session = self._current()
        verify = session.verify
        return way.steps(
            self._url,
            self.peer,
            proxy=proxies.between(self._url, session.proxies),
            bundle=verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH,
            timeout=min(each for each in (self._settings.timeout, self._settings.deadline, way.LONGEST) if each),
        )

    def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        for key in list(self._sessions):
            self._drop(key)

    def _drop(self, key: tuple[int, int]) -> None:
        session = self._sessions.pop(key, None)  # None if another thread was faster
        if session is not None and key[0] == os.getpid():  # a parent's connections are its own
            session.close()

    def _exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        if_lost: failures.Lost | None = None,
        *,
        stage: str = STAGE,
    ) -> Answer:
        seconds, until = self._settings.timeout, time.monotonic() + self._settings.deadline
        timeout = (seconds, seconds) if seconds is not None else (_CONNECT, _READ)
        end_at(until)
        session = self._current()
        proxy = proxies.between(self._url, session.proxies)
        if proxy is not None:
            proxy.check(self.peer.host)
        try:
            with session.request(
                method,
                self._url + path,
                data=body,
                headers=headers,
                auth=self._auth,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                pieces = b"".join(_pieces(response.raw, until))
                answer = Answer(response.status_code, response.headers, pieces, stage)
            failure = self._too_early(answer, body)
            if failure is None:
                return answer
        except failures.RAISED as error:
            left = None if body is None else body.left
            failure = failures.from_exception(error, self.peer, if_lost, left=left, stage=stage, proxy=proxy)
        except BaseException:
            self.close()  # from outside, in the midst of whatever: nobody knows what state the connections are in
            raise
        # Raised outside, so that it has no context: the exceptions of requests hold the request, and the key in it.
        raise failure

    def _too_early(self, answer: Answer, body: Body | None) -> MailSendError | None:
        """Return the error for an acceptance that was there before the whole request had left: it is of another one."""
        if body is None or body.left or not 200 <= answer.status < 300:
            return None
        return MailConnectionError(
            f"{self.peer.host} answered {answer.status} before it had the whole request",
            stage="connect",
            transient=True,
        )

    def _current(self) -> requests.Session:
        """Return the session: a new one after a fork, and every 50 seconds."""
        key = (os.getpid(), int((time.monotonic() - self._started) / _SESSION))
        session = self._sessions.get(key)
        if session is None:
            # setdefault is atomic, so threads that come at once get the same one. A thread that has an old one goes on.
            session = self._sessions.setdefault(key, self._open())
            for old in self._sessions.keys() - {key}:
                self._drop(old)
        return session

    def _open(self) -> requests.Session:
        session = requests.Session()
        # Proxies and the CA bundle are the environment's, read once. Nothing else is: a .netrc would replace the key.
        found = session.merge_environment_settings(self._url, {}, None, self._settings.ca_file or None, None)
        session.trust_env = False
        session.proxies, session.verify = proxies.complete(found["proxies"]), found["verify"]
        self.peer = failures.Peer(self.peer.host, Concealer(self._key, *proxies.passwords(session.proxies)))
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update(
            {"User-Agent": _user_agent(), "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        session.mount(self._url, PunctualAdapter(pool_maxsize=_POOL))
        return session


def _pieces(raw: urllib3.HTTPResponse, until: float) -> Iterator[bytes]:
    """Yield the body as it comes. If it breaks off, status and headers still tell what became of the request."""
    size = 0
    with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
        # Not `read`, which waits until a piece is full: a server that drips would never exceed a time-out.
        while size < _LARGEST and time.monotonic() < until and (piece := raw.read1(65_536)):
            size += len(piece)
            yield piece


def _user_agent() -> str:
    # Some services turn away requests that do not say who they are.
    return f"postroom/{importlib.metadata.version('postroom-http')}"
