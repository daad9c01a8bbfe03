"""PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login-00), CRAM-MD5 (RFC 2195): a login with a password, in UTF-8."""

import functools
import hashlib
import hmac

import attrs

from postroom import MailAuthError, Secret
from postroom_smtp.auth import Mechanism, authenticate_by_any, offered
from postroom_smtp.failures import Stage
from postroom_smtp.replies import ProtocolError
from postroom_smtp.session import Session

_CRAM_MD5 = (
    "the server offers CRAM-MD5 and neither PLAIN nor LOGIN: it keeps passwords in a form that anybody who copies it "
    "can log in with, and whoever listens can try passwords out; have PLAIN switched on, over TLS"
)
_ENDLESS = "the server's challenges do not end"


@attrs.define
class Plain:
    """User name and password in one step."""

    username: str
    password: Secret
    name: str = "PLAIN"
    _asked: int = 0

    def initial_response(self) -> bytes:
        """Return NUL, user name, NUL, password."""
        return f"\0{self.username}\0{self.password.reveal()}".encode()

    def respond(self, challenge: bytes) -> bytes:
        """Answer an empty challenge, from a server that did not take the initial response."""
        self._asked += 1
        if self._asked > 1:  # no password is tried twice
            raise ProtocolError(_ENDLESS)
        return self.initial_response()


@attrs.define
class Login:
    """The user name to the first prompt, the password to the second, whatever the prompts say."""

    username: str
    password: Secret
    name: str = "LOGIN"
    _asked: int = 0

    def initial_response(self) -> None:
        """Return None: the server speaks first."""

    def respond(self, challenge: bytes) -> bytes:
        """Answer the next prompt."""
        self._asked += 1
        if self._asked > 2:
            raise ProtocolError(_ENDLESS)
        return (self.username if self._asked == 1 else self.password.reveal()).encode()


@attrs.frozen
class CramMd5:
    """The user name, and the challenge signed with the password. The password itself does not go over the wire."""

    username: str
    password: Secret
    name: str = "CRAM-MD5"

    def initial_response(self) -> None:
        """Return None: the server speaks first."""

    def respond(self, challenge: bytes) -> bytes:
        """Sign the challenge."""
        # Where the system allows no MD5 for security, it still computes the digest that this server asks for.
        md5 = functools.partial(hashlib.md5, usedforsecurity=False)
        digest = hmac.new(self.password.reveal().encode(), challenge, md5).hexdigest()
        return f"{self.username} {digest}".encode()


class PasswordLogin:
    """Logs sessions in with a user name and password, and remembers the mechanism that the server accepted."""

    def __init__(self, username: str, password: Secret) -> None:
        self._username = username
        self._password = password
        self._accepted: str | None = None

    def __call__(self, session: Session) -> None:
        """Log in by PLAIN or LOGIN, whichever the server accepts; by CRAM-MD5 where it offers neither.

        Raises:
            MailAuthError: The server offers none of them, or refuses.
        """
        session.hide(self._password.reveal())
        mechanisms = self._mechanisms(session)
        self._accepted = authenticate_by_any(session, sorted(mechanisms, key=lambda each: each.name != self._accepted))
        if self._accepted == "CRAM-MD5":
            session.doubts.append(_CRAM_MD5)

    def _mechanisms(self, session: Session) -> list[Mechanism]:
        names = offered(session)
        made: list[Mechanism] = [Plain(self._username, self._password), Login(self._username, self._password)]
        found = [each for each in made if each.name in names]
        if not found and "CRAM-MD5" in names:
            return [CramMd5(self._username, self._password)]
        if not found:
            session.require_ehlo()
            if names:
                said = f"offers no login with a password, only {' '.join(names)}"
            else:
                said = "offers no login" if session.encrypted else "offers no login without TLS"
            raise MailAuthError(f"{session.peer} {said}", stage=str(Stage.AUTH))
        return found
