"""The SASL dialogue of RFC 4954: a mechanism answers challenges until the server says yes or no, then the next one."""

import binascii
from collections.abc import Sequence
from typing import Protocol

from postroom import MailAuthError, MailSendError
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session

_LONGEST_COMMAND = 510  # octets before CRLF, RFC 5321 section 4.5.3.1.4
_MOST_CHALLENGES = 10
_ALREADY = 503  # to AUTH after a login, RFC 4954 section 4
_TLS_FIRST = 530  # no mechanism helps then, RFC 3207 section 4


class Mechanism(Protocol):
    """A SASL mechanism, for one login."""

    @property
    def name(self) -> str:
        """Name as EHLO has it, such as `PLAIN`."""
        ...

    def initial_response(self) -> bytes | None:
        """What to send along with the AUTH command; None if the server speaks first."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """Answer a challenge."""
        ...


def offered(session: Session) -> list[str]:
    """Return the mechanisms that the server offers, in capitals, in its order."""
    return session.extensions.get("AUTH", "").upper().split()


def authenticate(session: Session, mechanism: Mechanism) -> None:
    """Log in.

    Raises:
        MailAuthError: The server refuses the login.
        MailSendError: It is closing the connection.
        ProtocolError: Its challenges do not end.
    """
    command = f"AUTH {mechanism.name}"
    pending = mechanism.initial_response()
    if pending is not None and len(command) + 1 + len(_encode(pending)) <= _LONGEST_COMMAND:
        session.hide(_encode(pending))
        command += f" {_encode(pending) or '='}"
        pending = None
    reply = session.command(Stage.AUTH, command, shown=f"AUTH {mechanism.name} ***")
    if reply.code == _ALREADY:
        return
    for _ in range(_MOST_CHALLENGES):
        if reply.code == 235:
            return
        if reply.code != 334:
            raise from_reply(reply, Stage.AUTH, session.peer)
        # A response too long for the command line goes as the answer to an empty challenge (RFC 4954 section 4).
        answer = _encode(mechanism.respond(_decode(reply.lines[0])) if pending is None else pending)
        pending = None
        session.hide(answer)
        reply = session.command(Stage.AUTH, answer, shown="***")
    raise ProtocolError("the server's challenges do not end")


def authenticate_by_any(session: Session, mechanisms: Sequence[Mechanism]) -> str:
    """Log in by the first of some mechanisms that the server accepts, and return its name. Each is tried once.

    After a refusal that lasts, the next one is tried: servers offer mechanisms that they do not accept, and some call
    that a wrong password (RFC 4954 sections 4 and 6). After one that may pass, such as 421 or 454, none is.

    Args:
        session: A session that has said EHLO.
        mechanisms: At least one, in the order in which they are tried.

    Raises:
        MailAuthError: The server refuses all of them.
        MailSendError: It is closing the connection.
        ProtocolError: Its challenges do not end.
    """
    refusals: list[MailAuthError] = []
    for mechanism in mechanisms:
        try:
            authenticate(session, mechanism)
        except MailAuthError as refusal:
            refusals.append(refusal)
            if refusal.transient or refusal.code == _TLS_FIRST:
                break
        except (MailSendError, OSError, ProtocolError):
            if not refusals:
                raise
            break  # a server may hang up after a refusal; the refusal is what matters
        else:
            return mechanism.name
    raise _most_telling(refusals)


def _most_telling(refusals: list[MailAuthError]) -> MailAuthError:
    """Return the refusal to show: the last one if it may pass, else one that is about the password, else the first."""
    last = refusals[-1]
    return last if last.transient else next((each for each in refusals if each.code == 535), refusals[0])


def _encode(response: bytes) -> str:
    return binascii.b2a_base64(response, newline=False).decode()


def _decode(challenge: str) -> bytes:
    try:
        return binascii.a2b_base64(challenge)
    except ValueError:
        # Some servers prompt in plain text, in any language; LOGIN does not look at the words.
        return challenge.encode()
