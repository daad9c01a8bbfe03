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
from postroom_smtp.replies import Reply
from postroom_smtp.tls import TlsMode


class Stage(enum.StrEnum):
    """The steps of a send, in their order."""

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
_TLS_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # a lost connection, as it looks through TLS
WRONG_LOGIN = "Check SMTP_USERNAME and SMTP_PASSWORD"
"""What to do about a refused login, unless a provider knows better."""

_NOT_LOGGED_IN = (530, 534, 535, 538)  # RFC 4954 section 6
_UNKNOWN = "The message may have been accepted: look for {} before you send it again"

_UNTRUSTED = "If you trust this server, set SMTP_CA_FILE to the PEM file of its CA"
_CERTIFICATE = {  # by OpenSSL's X509_V_ERR_ numbers, x509_vfy.h
    9: "Compare the clocks of this host and of the server",
    10: "The server needs a new certificate",
    62: "Set SMTP_SERVER to a name that is in the certificate",
    64: "Set SMTP_SERVER to a name that is in the certificate",
}
_IMPLICIT_INSTEAD = (
    "If this port begins with TLS, set SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=false, or SMTP_TLS_MODE=implicit"
)
_STARTTLS_INSTEAD = (
    "If this port begins in plain text, set SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true, "
    "or SMTP_TLS_MODE=starttls"
)

_REMEDIES = {  # for a refusal that is final
    Stage.AUTH: WRONG_LOGIN,
    Stage.MAIL: "Check the sender: this server may want the address that logs in (MAIL_DEFAULT_SEND_FROM)",
    Stage.EHLO: "Set SMTP_LOCAL_HOSTNAME to a name that this server accepts",
}


def from_reply(reply: Reply, stage: Stage, peer: str) -> MailSendError:
    """Return the error for a reply that refuses. A verdict on the final dot is a verdict: the message was not taken."""
    known = microsoft.explain(reply)
    transient, remedy = reply.transient, _remedy(reply, stage)
    kind: type[MailSendError]
    if known is not None:
        kind, transient, remedy = known.kind, known.transient, known.remedy
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
        remedy=remedy,
        stage=str(stage),
        code=reply.code,
        enhanced_code=reply.enhanced_code,
        transient=transient,
    )


def from_exception(error: Exception, stage: Stage, peer: str, mode: TlsMode, message_id: str | None) -> MailSendError:
    """Return the error for a connection that failed at `stage`. `message_id` is None where nothing is being sent."""
    unknown = stage is Stage.FINAL
    kind: type[MailSendError] = MailConnectionError
    if isinstance(error, TimeoutError):
        kind, said = MailTimeoutError, f"{peer} did not answer in time at {_WHAT[stage]}"
    elif stage is Stage.CONNECT:
        said = f"cannot connect to {peer}: {_words(error)}"
    elif unknown:
        said = f"{peer} was lost before it confirmed the message: {_words(error)}"
    else:
        said = f"{peer} failed at {_WHAT[stage]}: {_words(error)}"
    return kind(
        said,
        remedy=_UNKNOWN.format(message_id) if unknown else _network_remedy(error, stage, mode),
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


def _remedy(reply: Reply, stage: Stage) -> str | None:
    if reply.transient:
        throttled = (reply.enhanced_code or "").startswith("4.7.")
        return "Wait some minutes, and send less at a time" if throttled else None
    if reply.code == 530 and stage is not Stage.AUTH:
        if (reply.enhanced_code or "").startswith("5.7.0") and "STARTTLS" in reply.text.upper():
            return "The server wants TLS first: set SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true"
        return "The server wants a login: set SMTP_USERNAME and SMTP_PASSWORD"
    return _REMEDIES.get(stage)


def _network_remedy(error: Exception, stage: Stage, mode: TlsMode) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, _UNTRUSTED)
    if isinstance(error, socket.gaierror):
        return "Check SMTP_SERVER"
    if stage is Stage.TLS and mode == "implicit":
        return _STARTTLS_INSTEAD
    if stage is Stage.GREETING and mode != "implicit":
        return _IMPLICIT_INSTEAD
    if stage is Stage.CONNECT:
        return "Check SMTP_SERVER and SMTP_PORT, and that no firewall is in between"
    return None
