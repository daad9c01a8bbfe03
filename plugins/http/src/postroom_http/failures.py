"""What became of a request: an answer that refuses, or none; each as the error that says whether the mail was sent."""

import email.utils
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator

import attrs
import requests
import urllib3

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
    Secret,
)
from postroom_http.answer import Answer

STAGE = "request"
_TEXT_LIMIT = 200  # characters of a service's own words
_CERTIFICATE = {  # by OpenSSL's X509_V_ERR_ numbers, x509_vfy.h
    9: "Compare the clocks of this host and of the service",
    10: "The service needs a new certificate",
    62: "Check {}API_URL: its name is not in the certificate",
    64: "Check {}API_URL: its name is not in the certificate",
}
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # a lost connection that OpenSSL was the first to notice
_WORDS = {
    http.client.RemoteDisconnected: "the server closed the connection",
    http.client.HTTPException: "it does not speak HTTP",
    OSError: "the CAs to trust cannot be read",  # by requests, without a number, and with the path in its text
}

_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # the only place where http.client has a proxy's answer


@attrs.frozen
class Peer:
    """Whom a request goes to."""

    host: str
    prefix: str
    """Prefix of the settings' variables, such as `RESEND_`."""
    key: Secret
    key_variable: str
    """The variable that sets the key."""

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


@attrs.frozen
class Rule:
    """What an answer means."""

    kind: type[MailSendError]
    remedy: str | None = None
    transient: bool = False
    outcome: Outcome = Outcome.NOT_SENT


_SOMEBODY_ELSE = "Something else may have answered: check {prefix}API_URL and proxies"
_OPEN = Rule(MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN)
_WRONG_KEY = Rule(MailAuthError, "Check {key}")
_WRONG_PLACE = Rule(MailRejectedError, "Check {prefix}API_URL")
_REFUSED = Rule(MailRejectedError)
_NOT_HANDLED = Rule(MailUnavailableError, transient=True)  # as the server says itself by these
_BY_STATUS = {
    **dict.fromkeys((401, 403), _WRONG_KEY),
    **dict.fromkeys((404, 405, 501, 505), _WRONG_PLACE),
    **dict.fromkeys((408, 503), _NOT_HANDLED),
    413: Rule(MailRejectedError, "The message is too large"),
    429: Rule(MailRateLimitError, "Wait, and send less at a time", transient=True),
}
_BY_CLASS = {
    2: Rule(MailUnavailableError, _SOMEBODY_ELSE, transient=True, outcome=Outcome.UNKNOWN),
    3: Rule(MailRejectedError, "It redirects: set {prefix}API_URL to where the API is"),
    4: _REFUSED,
}
_SAID_BY_ANYBODY = (_WRONG_KEY, _WRONG_PLACE, _REFUSED)


def from_answer(
    answer: Answer,
    peer: Peer,
    if_lost: Lost | None,
    *,
    said: str = "",
    rule: Rule | None = None,
    retry_after: float | None = None,
) -> MailSendError:
    """Return the error for an answer that does not accept.

    Args:
        answer: The answer.
        peer: Who gave it.
        if_lost: What to do where the answer leaves open what became of the message; None if the request sends none.
        said: The service's own words; empty if the answer does not look like one of the service's.
        rule: What the answer means; None goes by its status.
        retry_after: Seconds to wait; None takes them from the header Retry-After, if it is there.
    """
    rule = rule or _by_status(answer.status, peer, understood=bool(said))
    open_ = if_lost if rule.outcome is Outcome.UNKNOWN else None
    return rule.kind(
        f"{peer.host} answered {answer.status}: {peer.conceal(said) or 'nothing that its API would say'}",
        remedy=open_.remedy if open_ else rule.remedy,
        stage=STAGE,
        code=answer.status,
        transient=open_.safe_to_retry if open_ else rule.transient,
        retry_after=seconds(answer.headers.get("Retry-After")) if retry_after is None else retry_after,
        outcome=Outcome.UNKNOWN if open_ else Outcome.NOT_SENT,
        safe_to_retry=open_ is not None and open_.safe_to_retry,
    )


def _by_status(status: int, peer: Peer, *, understood: bool) -> Rule:
    """Return what a status means where the service has said nothing more exact (RFC 9110 section 15)."""
    rule = _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, _OPEN)
    if not understood and rule in _SAID_BY_ANYBODY:
        rule = attrs.evolve(rule, remedy=_SOMEBODY_ELSE)
    return attrs.evolve(rule, remedy=rule.remedy and rule.remedy.format(key=peer.key_variable, prefix=peer.prefix))


def from_exception(error: Exception, peer: Peer, lost: Lost | None, *, left: bool | None) -> MailSendError:
    """Return the error for a request without an answer.

    Args:
        error: What `requests` raised.
        peer: Whom the request was for.
        lost: What to do if it had left; None if it sends no mail.
        left: True if the whole request had left; None if it has no body, so that it leaves with the connection.
    """
    chain = list(_chain(error))
    late = any(isinstance(each, TimeoutError | requests.Timeout) for each in chain)
    broke = any(isinstance(each, urllib3.exceptions.ProtocolError) for each in chain)
    kind = MailTimeoutError if late else MailConnectionError
    if left or (left is None and (broke or any(isinstance(each, requests.ReadTimeout) for each in chain))):
        said = "did not answer in time" if late else f"was lost before it answered: {_words(chain[-1])}"
        return kind(
            f"{peer.host} {said}",
            remedy=lost.remedy if lost else None,
            stage=STAGE,
            transient=lost.safe_to_retry if lost else True,
            outcome=Outcome.UNKNOWN if lost else Outcome.NOT_SENT,
            safe_to_retry=lost is not None and lost.safe_to_retry,
        )
    proxy = "the proxy to " if any(isinstance(each, requests.exceptions.ProxyError) for each in chain) else ""
    refused = _TUNNEL.match(str(chain[-1])) if proxy else None
    reason = "not in time" if late else peer.conceal(str(chain[-1])) if refused else _words(chain[-1])
    return kind(
        f"{'cannot send the whole request to' if broke else 'cannot reach'} {proxy}{peer.host}: {reason}",
        remedy="Check HTTPS_PROXY" if proxy else _remedy(chain[-1], peer),
        stage="connect",
        transient=late or (refused[1] >= "500" if refused else not _permanent(chain[-1])),
    )


def seconds(value: str | None) -> float | None:
    """Return how long a `Retry-After` (RFC 9110 section 10.2.3) asks to wait; None if it is no number and no date."""
    if value is None:
        return None
    if value.isdecimal() and len(value) < 10:
        return float(value)
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
    return type(error) is OSError or (isinstance(error, ssl.SSLError) and not isinstance(error, _CUT))


def _remedy(error: BaseException, peer: Peer) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = "If you trust this service, set {}CA_FILE to the PEM file of its CA"
        return _CERTIFICATE.get(error.verify_code, untrusted).format(peer.prefix)
    if isinstance(error, ssl.SSLError) and not isinstance(error, _CUT):
        return f"Check {peer.prefix}API_URL and {peer.prefix}CA_FILE"
    if type(error) is OSError:
        return f"Check {peer.prefix}CA_FILE and REQUESTS_CA_BUNDLE"
    return f"Check {peer.prefix}API_URL, and that this host may reach it"
