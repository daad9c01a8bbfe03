"""What became of a request: an answer that refuses, or none; each as the error that says whether the mail was sent."""

import email.utils
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterable, Iterator

import attrs
import requests
import urllib3

from postroom import MailConnectionError, MailSendError, MailTimeoutError, Outcome, Rule, Secret, Symptom, whole_number
from postroom_http import rules as general
from postroom_http.answer import STAGE, Answer
from postroom_http.rules import NOT_THE_API, AnswerRule

_TEXT_LIMIT = 200  # characters of a service's own words
_GENERAL = general.rules()
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # a lost connection that OpenSSL was the first to notice
_WORDS = {
    http.client.RemoteDisconnected: "the server closed the connection",
    http.client.HTTPException: "it does not speak HTTP",
    OSError: "the CAs to trust cannot be read",  # by requests, without a number, and with the path in its text
    UnicodeError: "this is no name of a host",
    urllib3.exceptions.LocationParseError: "this is no name of a host",
}
_NO_NAME = UnicodeError | urllib3.exceptions.LocationParseError
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")  # the only place where http.client has a proxy's answer


@attrs.frozen
class Peer:
    """Whom a request goes to."""

    host: str
    key: Secret

    def conceal(self, text: str) -> str:
        """Return what a service said in one line, fit for a log, without the key, at most 200 characters."""
        line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return line.replace(self.key.reveal(), "***")[:_TEXT_LIMIT]


@attrs.frozen
class Lost:
    """What it means that a request has left and no answer has come."""

    remedy: str
    """What to do before sending again."""
    safe_to_retry: bool = False
    """True if the service recognises the same request."""


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
    rule = _find((*rules, *_GENERAL), Symptom(text=reason, stage=answer.stage, code=answer.status))
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


def _find(among: Iterable[Rule], symptom: Symptom) -> AnswerRule:
    """Return the first rule for an answer that matches. One of the general ones does."""
    return next(rule for rule in among if isinstance(rule, AnswerRule) and rule.matches(symptom))


def from_exception(
    error: Exception, peer: Peer, lost: Lost | None, *, left: bool | None, stage: str = STAGE
) -> MailSendError:
    """Return the error for a request without an answer.

    Args:
        error: What `requests` raised.
        peer: Whom the request was for.
        lost: What to do if it had left; None if it sends no mail.
        left: True if the whole request had left; None if it has no body, so that it leaves with the connection.
        stage: What the request was for.
    """
    chain = list(_chain(error))
    late = any(isinstance(each, TimeoutError | requests.Timeout) for each in chain)
    broke = any(isinstance(each, urllib3.exceptions.ProtocolError) for each in chain)
    if left or (left is None and (broke or any(isinstance(each, requests.ReadTimeout) for each in chain))):
        said = "did not answer in time" if late else f"was lost before it answered: {_words(chain[-1])}"
        return (MailTimeoutError if late else MailConnectionError)(
            f"{peer.host} {said}",
            remedy=lost.remedy if lost else None,
            stage=stage,
            transient=lost.safe_to_retry if lost else True,
            outcome=Outcome.UNKNOWN if lost else Outcome.NOT_SENT,
            safe_to_retry=lost is not None and lost.safe_to_retry,
        )
    proxied = any(isinstance(each, requests.exceptions.ProxyError) for each in chain)
    return unreachable(error, peer, proxied=proxied, broke=broke)


def unreachable(
    error: Exception, peer: Peer, *, stage: str | None = None, proxied: bool = False, broke: bool = False
) -> MailSendError:
    """Return the error for a server that did not get the request, or not the whole of it.

    Args:
        error: What the system, TLS or `requests` raised.
        peer: Whom the request was for.
        stage: The step that failed; None goes by the error.
        proxied: True if it is a proxy that was not reached, or that does not reach the server.
        broke: True if a part of the request may have left.
    """
    chain = list(_chain(error))
    late = any(isinstance(each, TimeoutError | requests.Timeout) for each in chain)
    last = chain[-1]
    refused = _TUNNEL.match(str(last)) if proxied else None
    reason = "not in time" if late else peer.conceal(str(last)) if refused else _words(last)
    doing, proxy = "cannot send the whole request to" if broke else "cannot reach", "the proxy to " if proxied else ""
    return (MailTimeoutError if late else MailConnectionError)(
        f"{doing} {proxy}{peer.host}: {reason}",
        stage=stage or _stage(last),
        transient=late or (refused[1] >= "500" if refused else not _permanent(last)),
    )


def seconds(value: str | None) -> float | None:
    """Return how long a `Retry-After` (RFC 9110 section 10.2.3) asks to wait; None if it is no number and no date."""
    if value is None or not value.isascii():
        return None
    if (number := whole_number(value, 9)) is not None:
        return float(number)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what is wrapped in it. requests and urllib3 put it into an argument, or raise from it."""
    while error is not None:
        yield error
        inner = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((each for each in inner if isinstance(each, BaseException)), None)


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, _CUT):
        return _WORDS[http.client.RemoteDisconnected]
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return next((words for kind, words in _WORDS.items() if isinstance(error, kind)), type(error).__name__)


def _permanent(error: BaseException) -> bool:
    """Return True if trying again will not help: the name does not exist, TLS is misconfigured."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    return isinstance(error, _NO_NAME) or _of_tls(error)


def _stage(error: BaseException) -> str:
    """Return the step that failed, as far as the error says it: a time-out does not."""
    if isinstance(error, socket.gaierror | _NO_NAME):
        return "dns"
    return "tls" if _of_tls(error) else "connect"


def _of_tls(error: BaseException) -> bool:
    return type(error) is OSError or (isinstance(error, ssl.SSLError) and not isinstance(error, _CUT))
