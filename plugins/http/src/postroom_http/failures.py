"""What became of a request: an answer that refuses, or none; each as the error that says whether the mail was sent."""

import datetime
import email.utils
import http.client
import re
import socket
import ssl
import time
import traceback
from collections.abc import Iterable, Iterator

import attrs
import requests
import urllib3

from postroom import (
    Concealer,
    MailConnectionError,
    MailSendError,
    MailTimeoutError,
    Outcome,
    Rule,
    Symptom,
    whole_number,
)
from postroom_http import rules as general
from postroom_http.answer import STAGE, Answer
from postroom_http.proxies import Proxy
from postroom_http.rules import NOT_THE_API, AnswerRule

_DIGITS = 9  # of the longest wait, in seconds
RAISED = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a request by `requests` raises. Some of urllib3's come through as they are."""
_TEXT_LIMIT = 200  # characters of a service's own words
_LOOKED_AT = 10_000  # characters of them among which these are: blanks are left out
_GENERAL = general.rules()
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # a lost connection that OpenSSL was the first to notice
_WORDS = {
    http.client.RemoteDisconnected: "the server closed the connection",
    http.client.HTTPException: "it does not speak HTTP",
    UnicodeError: "this is no name of a host",
    urllib3.exceptions.LocationParseError: "this is no name of a host",
}
_NO_NAME = UnicodeError | urllib3.exceptions.LocationParseError
_LATE = (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError)
_TUNNEL = re.compile(r"Tunnel connection failed: ")
# A refusal by HTTP below 500, a rule of a SOCKS server (RFC 1928 section 6), or a login that it does not take.
_FOR_GOOD = re.compile(r"Tunnel connection failed: [1-4]|0x02|.*authenticat", re.IGNORECASE)


@attrs.frozen
class Peer:
    """Whom a request goes to."""

    host: str
    concealer: Concealer = attrs.field(factory=Concealer)
    """Hides the secrets of the request in its words."""

    def conceal(self, text: str) -> str:
        """Return what a service said in one line, fit for a log, without the secrets, at most 200 characters."""
        shown = self.concealer.conceal(text[:_LOOKED_AT])
        return " ".join("".join(char if char.isprintable() else " " for char in shown).split())[:_TEXT_LIMIT]


@attrs.frozen
class Lost:
    """What it means that a request has left and no answer has come."""

    remedy: str
    """What to do before sending again."""
    safe_to_retry: bool = False
    """True if the service recognises the same request. Another service does not: this holds at this one alone."""


def from_answer(
    answer: Answer,
    peer: Peer,
    if_lost: Lost | None,
    *,
    said: str = "",
    rules: Iterable[Rule] = (),
    retry_after: float | None = None,
) -> MailSendError:
    """Return the error for an answer that does not accept. What to do is left to the rules, unless `if_lost` says it.

    Args:
        answer: The answer.
        peer: Who gave it.
        if_lost: What to do where the answer leaves open what became of the message; None if the request sends none.
        said: The service's own words; empty if the answer does not look like one of the service's.
        rules: The provider's own rules, as it registers them: the first `AnswerRule` that matches says what the answer
            means. Behind them come the general ones.
        retry_after: Seconds to wait; None takes them from the header Retry-After, if it is there.
    """
    reason = f"{peer.host} answered {answer.status}: {peer.conceal(said) or NOT_THE_API}"
    symptom = Symptom(text=reason, stage=answer.stage, code=answer.status)
    # One of the general ones matches.
    rule = next(each for each in (*rules, *_GENERAL) if isinstance(each, AnswerRule) and each.matches(symptom))
    open_ = if_lost if rule.outcome is Outcome.UNKNOWN else None
    return rule.kind(
        reason,
        remedy=open_.remedy if open_ else None,
        stage=answer.stage,
        code=answer.status,
        transient=open_.safe_to_retry if open_ else rule.transient,
        retry_after=seconds(answer.headers.get("Retry-After")) if retry_after is None else retry_after,
        outcome=Outcome.UNKNOWN if open_ else Outcome.NOT_SENT,
        safe_to_retry=open_ is not None and open_.safe_to_retry,
    )


def from_exception(
    error: Exception,
    peer: Peer,
    lost: Lost | None,
    *,
    left: bool | None,
    stage: str = STAGE,
    proxy: Proxy | None = None,
) -> MailSendError:
    """Return the error for a request without an answer.

    Args:
        error: What `requests` raised.
        peer: Whom the request was for.
        lost: What to do if it had left; None if it sends no mail.
        left: True if the whole request had left; None if it has no body, so that it leaves with the connection.
        stage: What the request was for.
        proxy: The proxy in between.
    """
    chain = list(_chain(error))
    late = any(isinstance(each, _LATE) for each in chain)
    if proxy is not None and any(_in_tunnel(each) for each in chain):
        return unreachable(error, peer, proxy=proxy)
    broke = any(isinstance(each, urllib3.exceptions.ProtocolError) for each in chain)
    if left or (left is None and (broke or any(isinstance(each, requests.ReadTimeout) for each in chain))):
        said = "did not answer in time" if late else f"was lost before it answered: {_words(chain[-1])}"
        through = f", through {proxy.way}" if proxy is not None else ""
        return (MailTimeoutError if late else MailConnectionError)(
            f"{peer.host} {said}{through}",
            remedy=lost.remedy if lost else None,
            stage=stage,
            transient=lost.safe_to_retry if lost else True,
            outcome=Outcome.UNKNOWN if lost else Outcome.NOT_SENT,
            safe_to_retry=lost is not None and lost.safe_to_retry,
        )
    return unreachable(error, peer, proxy=proxy, broke=broke)


def unreachable(
    error: Exception, peer: Peer, *, stage: str | None = None, proxy: Proxy | None = None, broke: bool = False
) -> MailSendError:
    """Return the error for a server that did not get the request, or not the whole of it.

    Args:
        error: What the system, TLS or `requests` raised.
        peer: Whom the request was for.
        stage: The step that failed; None goes by the error.
        proxy: The proxy in between. It is named, unless it is the service's TLS that has failed.
        broke: True if a part of the request may have left.
    """
    chain = list(_chain(error))
    late = any(isinstance(each, _LATE) for each in chain)
    last = chain[-1]
    what = f"{'cannot send the whole request to' if broke else 'cannot reach'} {peer.host}"
    stage = stage or _stage(last)
    if proxy is not None and (
        not _of_tls(last) or any(isinstance(each, requests.exceptions.ProxyError) for each in chain)
    ):
        refusal = _refusal(last)
        why = "not in time" if late else peer.conceal(refusal) if refusal else _words(last)
        for_good = _FOR_GOOD.match(refusal) if refusal else _permanent(last)
        return proxy.failure(what, why, stage=stage, transient=late or not for_good, late=late)
    return (MailTimeoutError if late else MailConnectionError)(
        f"{what}: {'not in time' if late else _words(last)}", stage=stage, transient=late or not _permanent(last)
    )


def _refusal(error: BaseException) -> str | None:
    """Return a proxy's own words, which http.client and PySocks have in the text of their exceptions only."""
    said = str(error)
    return said if _TUNNEL.match(said) or type(error).__module__ == "socks" else None


def seconds(value: str | None) -> float | None:
    """Return how long a `Retry-After` (RFC 9110 section 10.2.3) asks to wait; None if it is no number and no date.

    None as well for more than thirty years, which nobody means.
    """
    if value is None or not value.isascii():
        return None
    if (number := whole_number(value, _DIGITS)) is not None:
        return float(number)
    try:
        until = email.utils.parsedate_to_datetime(value)
        if until.tzinfo is None:  # one of the three forms names no zone; all are in GMT (RFC 9110 section 5.6.7)
            until = until.replace(tzinfo=datetime.UTC)
        left = max(0.0, until.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
    return left if left < 10**_DIGITS else None


def _in_tunnel(error: BaseException) -> bool:
    """Return True if the proxy was being asked for a tunnel. Only where an exception was raised says so."""
    return any(frame.f_code.co_name == "_tunnel" for frame, _ in traceback.walk_tb(error.__traceback__))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what is wrapped in it. requests and urllib3 put it into an argument, or raise from it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, getattr(error, "socket_err", None)]
        error = next((each for each in inner if isinstance(each, BaseException)), None)


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, _CUT):
        return _WORDS[http.client.RemoteDisconnected]
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if type(error) is OSError and not error.strerror:
        return "the CAs to trust cannot be read"  # by requests, without a number, and with the path in its text
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return next((words for kind, words in _WORDS.items() if isinstance(error, kind)), type(error).__name__)


def _permanent(error: BaseException) -> bool:
    """Return True if trying again will not help: the name does not exist, TLS is misconfigured, an address is none."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, ValueError) or _of_tls(error)


def _stage(error: BaseException) -> str:
    """Return the step that failed, as far as the error says it: a time-out does not."""
    if isinstance(error, socket.gaierror | _NO_NAME):
        return "dns"
    return "tls" if _of_tls(error) else "connect"


def _of_tls(error: BaseException) -> bool:
    return type(error) is OSError or (isinstance(error, ssl.SSLError) and not isinstance(error, _CUT))
