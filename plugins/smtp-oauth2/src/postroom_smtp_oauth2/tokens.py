"""Access tokens: where they come from, and how one token serves many senders.

MSAL's own cache does not do what a mail sender needs: it asks once for each waiting thread, and when a refresh fails it
gives up a token that is still good. So whatever the source, this cache stands in front of it.
"""

import copy
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

import attrs

from postroom import MailError, MailSendError

_log = logging.getLogger("postroom.smtp.tokens")
_EARLY = 300.0  # seconds before its end from which a token is replaced, so that none ends on its way
_PATIENCE = 120.0  # seconds to wait for another thread's request, which has time-outs of its own
_LONGEST_WAIT = 3600.0  # seconds to heed a service that says when to come again; it may have meant something else
_PAUSE = 30.0  # seconds to the next attempt after a failed one, while the last token is good


@attrs.frozen
class Token:
    """An access token. Its value is in no repr."""

    value: str = attrs.field(repr=False)
    expires_at: float
    """When it ends, in seconds since the epoch."""


@runtime_checkable
class TokenSource(Protocol):
    """Whatever gives access tokens: Microsoft's and Google's identity services, a vault, a file."""

    def token(self, force_refresh: bool = False) -> Token:
        """Return a token that is good now.

        Args:
            force_refresh: True asks for a new one, since the server has refused the last.

        Raises:
            MailSendError: None can be had; `transient` says whether it is worth trying again.
        """
        ...


class CachedTokenSource:
    """A `TokenSource` over a function that asks for one token.

    However many threads want a token, one asks and the others wait for its answer. A token is replaced five minutes
    before it ends. If that fails for a reason that may pass, the last token serves until it ends.

    Args:
        fetch: Asks for a new token, with time-outs of its own. Called by one thread at a time.
        clock: Seconds since the epoch.
    """

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token: Token | None = None
        self._not_before = 0.0
        self._refusal: MailSendError | None = None
        self._ground()

    def _ground(self) -> None:
        """Forget who is asking: a forked child has none of its parent's threads, and perhaps a lock that they hold."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._flight: Future[Token] | None = None

    def __reduce__(self) -> str:
        raise TypeError("a source of tokens is not pickled: build the sender in the process that uses it")

    def token(self, force_refresh: bool = False) -> Token:
        """Return the kept token, or ask for a new one.

        Raises:
            MailSendError: None can be had.
        """
        kept = self._token
        if kept is not None and not force_refresh:
            left = kept.expires_at - self._clock()
            if left > _EARLY or (left > 0 and self._clock() < self._not_before):
                return kept
        if self._process != os.getpid():
            self._ground()
        with self._lock:
            if self._token is not kept and self._token is not None:
                return self._token  # somebody was faster
            if self._refusal is not None and self._clock() < self._not_before:
                raise copy.copy(self._refusal)  # it said when to come again
            leads = self._flight is None
            flight = self._flight = self._flight or Future()
        if leads:
            self._fly(flight)
        return self._landed(flight, kept, force_refresh)

    def _fly(self, flight: "Future[Token]") -> None:
        try:
            self._token = self._fetch()
            self._not_before, self._refusal = 0.0, None
            flight.set_result(self._token)
        except BaseException as error:
            if isinstance(error, MailSendError):
                wait = min(error.retry_after or 0.0, _LONGEST_WAIT)
                self._not_before = self._clock() + (wait or (_PAUSE if self._token else 0.0))
                self._refusal = error if error.retry_after else None
            flight.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._flight = None

    def _landed(self, flight: "Future[Token]", kept: Token | None, force_refresh: bool) -> Token:
        try:
            return flight.result(_PATIENCE)
        except MailError as error:
            transient = isinstance(error, MailSendError) and error.transient
            if transient and kept is not None and not force_refresh and kept.expires_at > self._clock():
                _log.warning("mail: no new token, the last one still serves: %s", error)
                return kept
            raise copy.copy(error) from error.__cause__  # each thread gets its own, with its own traceback
