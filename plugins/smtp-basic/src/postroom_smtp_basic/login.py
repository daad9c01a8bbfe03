"""PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login-00): user name and password in UTF-8."""

import attrs

from postroom import MailAuthError, Secret
from postroom_smtp.auth import Mechanism, authenticate, offered
from postroom_smtp.failures import Stage
from postroom_smtp.session import Session


@attrs.frozen
class Plain:
    """Both in one step."""

    username: str
    password: Secret
    name: str = "PLAIN"

    def initial_response(self) -> bytes:
        """Return NUL, user name, NUL, password."""
        return f"\0{self.username}\0{self.password.reveal()}".encode()

    def respond(self, challenge: bytes) -> bytes:
        """Answer an empty challenge, from a server that did not take the initial response."""
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
        return (self.username if self._asked == 1 else self.password.reveal()).encode()


def log_in(session: Session, username: str, password: Secret) -> None:
    """Log in by PLAIN, or LOGIN where the server offers only that.

    Raises:
        MailAuthError: The server offers neither, or refuses.
    """
    session.hide(password.reveal())
    mechanisms: list[type[Plain | Login]] = [Plain, Login]
    names = offered(session)
    for mechanism, name in zip(mechanisms, ("PLAIN", "LOGIN"), strict=True):
        if name in names:
            made: Mechanism = mechanism(username, password)
            return authenticate(session, made)
    if names:
        said = f"offers no login with a password, only {' '.join(names)}"
    else:
        said = "offers no login" if session.encrypted else "offers no login without TLS"
    raise MailAuthError(f"{session.peer} {said}", stage=str(Stage.AUTH))
