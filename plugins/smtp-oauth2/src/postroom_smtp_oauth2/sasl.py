"""XOAUTH2 (Google's and Microsoft's) and OAUTHBEARER (RFC 7628): an access token in place of a password.

Both go in two steps, AUTH and then the token as the answer to an empty challenge: a token is longer than a command
line may be (RFC 4954 section 4), and servers cut it. The challenge to a refused token holds JSON; the server says 535
only after that has been answered.

https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
"""

import attrs

from postroom_smtp.replies import clean


@attrs.define
class XOAuth2:
    """`user=…^Aauth=Bearer …^A^A`; an error is answered with an empty line."""

    username: str
    token: str = attrs.field(repr=False)
    name: str = "XOAUTH2"
    error: str | None = None
    """What the server's challenge said against the token; it may quote the token."""

    def initial_response(self) -> None:
        """Return None: the token follows the server's challenge."""

    def respond(self, challenge: bytes) -> bytes:
        """Give the token, or answer the error."""
        if not challenge.strip():
            return f"user={self.username}\x01auth=Bearer {self.token}\x01\x01".encode()
        self.error = clean(challenge)
        return b""


@attrs.define
class OAuthBearer:
    """RFC 7628 section 3.1; an error is answered with one ^A (section 3.2.3)."""

    username: str
    token: str = attrs.field(repr=False)
    name: str = "OAUTHBEARER"
    error: str | None = None
    """What the server's challenge said against the token; it may quote the token."""

    def initial_response(self) -> None:
        """Return None: the token follows the server's challenge."""

    def respond(self, challenge: bytes) -> bytes:
        """Give the token, or answer the error."""
        if not challenge.strip():
            user = self.username.replace("=", "=3D").replace(",", "=2C")
            return f"n,a={user},\x01auth=Bearer {self.token}\x01\x01".encode()
        self.error = clean(challenge)
        return b"\x01"
