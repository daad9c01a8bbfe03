"""Which error a reply or a broken connection becomes, by its stage, code and enhanced code, never by guessed words.

Reply classes: RFC 5321 section 4.2.1, RFC 4954 section 6, RFC 5248. The stage decides what became of the message:
once the final dot is written and until its reply is read, nobody knows (RFC 1047).
"""

import enum
import socket
import ssl

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_smtp import microsoft
from postroom_smtp.grouping import PipeliningMode
from postroom_smtp.replies import Reply
from postroom_smtp.tls import TlsMode


class Stage(enum.StrEnum):
    """The steps of a send, in their order."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    FINAL = "final"


_WHAT = {
    Stage.DNS: "the name server",
    Stage.CONNECT: "the connection",
    Stage.TLS: "the TLS handshake",
    Stage.GREETING: "the connection",
    Stage.EHLO: "EHLO",
    Stage.STARTTLS: "STARTTLS",
    Stage.AUTH: "the login",
    Stage.MAIL: "the sender",
    Stage.RCPT: "a recipient",
    Stage.DATA: "DATA",
    Stage.BODY: "the message while it was being sent",
    Stage.FINAL: "the message",
}
_AWAITED = {**_WHAT, Stage.GREETING: "the greeting"}
_BEGINNING = (Stage.TLS, Stage.GREETING)
_TLS_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # a lost connection, as it looks through TLS
_NOT_LOGGED_IN = (530, 534, 535, 538)  # RFC 4954 section 6
_UNKNOWN = "The message may have been accepted: look for {} before you send it again"
_AGAIN = "Try again later"
# Something on the way may offer what it does not understand, and then wait for ever.
_ONE_BY_ONE = {
    "full": "; if it happens to every message, set {pipelining}=commands",
    "commands": "; if it happens to every message, set {pipelining}=off",
}


def from_reply(reply: Reply, stage: Stage, peer: str) -> MailSendError:
    """Return the error for a reply that refuses. A verdict on the final dot is a verdict: the message was not taken."""
    known = microsoft.explain(reply, peer)
    transient = reply.transient
    kind: type[MailSendError]
    if known is not None:
        kind, transient = known.kind, known.transient
    elif (stage is Stage.AUTH and reply.code != 421) or reply.code in _NOT_LOGGED_IN:
        kind = MailAuthError
    elif reply.code == 432 or (reply.transient and (reply.enhanced_code or "").startswith("4.7.")):
        kind = MailRateLimitError
    elif reply.transient:
        kind = MailUnavailableError
    else:
        kind = MailRejectedError
    return kind(
        f"{peer} refused {_WHAT[stage]}: {reply}",
        stage=str(stage),
        code=reply.code,
        enhanced_code=reply.enhanced_code,
        transient=transient,
    )


def from_exception(
    error: Exception,
    stage: Stage,
    peer: str,
    mode: TlsMode,
    message_id: str | None,
    *,
    group: PipeliningMode | None = None,
) -> MailSendError:
    """Return the error for a connection that failed.

    Args:
        error: What was raised.
        stage: Where it failed.
        peer: The server.
        mode: How the connection is encrypted, or was to be.
        message_id: Message that was being sent; None if there was none.
        group: What the server has offered and was not seen to do yet, if that may be why it is silent.
    """
    unknown = stage is Stage.FINAL
    kind: type[MailSendError] = MailConnectionError
    if isinstance(error, TimeoutError):
        kind, said = MailTimeoutError, f"{peer} did not answer in time at {_AWAITED[stage]}"
    elif stage in (Stage.DNS, Stage.CONNECT):
        said = f"cannot connect to {peer}: {_words(error)}"
    elif unknown:
        said = f"{peer} was lost before it confirmed the message: {_words(error)}"
    else:
        said = f"{peer} failed at {_AWAITED[stage]}: {_words(error)}"
    if stage in _BEGINNING:  # what is wrong is often that the other side begins otherwise
        said += f" (tls={mode})"
    remedy = _UNKNOWN.format(message_id) if unknown else None
    if group is not None:
        remedy = (remedy or _AGAIN) + _ONE_BY_ONE[group]
    return kind(
        said,
        remedy=remedy,
        stage=str(stage),
        transient=not unknown and not _permanent(error),
        outcome=Outcome.UNKNOWN if unknown else Outcome.NOT_SENT,
    )


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, _TLS_ENDED):
        return "the server closed the connection"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)


def _permanent(error: Exception) -> bool:
    """Return True if trying again will not help: the name does not exist, TLS is misconfigured, it is not SMTP."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    if isinstance(error, _TLS_ENDED):
        return False
    return isinstance(error, ssl.SSLError) or not isinstance(error, OSError)
