"""The SASL dialogue of RFC 4954: a mechanism answers challenges until the server says yes or no."""

import binascii
from typing import Protocol

from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session

_LONGEST_COMMAND = 510  # octets before CRLF, RFC 5321 section 4.5.3.1.4
_MOST_CHALLENGES = 10


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
        ProtocolError: Its challenge is malformed, or there is no end of them.
    """
    command = f"AUTH {mechanism.name}"
    pending = mechanism.initial_response()
    if pending is not None and len(command) + 1 + len(_encode(pending)) <= _LONGEST_COMMAND:
        session.hide(_encode(pending))
        command += f" {_encode(pending) or '='}"
        pending = None
    reply = session.command(Stage.AUTH, command, shown=f"AUTH {mechanism.name} ***")
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


def _encode(response: bytes) -> str:
    return binascii.b2a_base64(response, newline=False).decode()


def _decode(challenge: str) -> bytes:
    try:
        return binascii.a2b_base64(challenge)
    except binascii.Error:
        # Some servers prompt in plain text; LOGIN does not look at the words.
        return challenge.encode()
