"""The login with a token: which mechanism, and what to do when a token is refused that was good before."""

import re

from postroom import MailAuthError
from postroom_smtp.auth import authenticate_by_any, offered
from postroom_smtp.failures import Stage
from postroom_smtp.session import Session
from postroom_smtp_oauth2.sasl import OAuthBearer, XOAuth2
from postroom_smtp_oauth2.tokens import Token, TokenSource

_TOKEN = re.compile(r"[!-~]+")  # RFC 6750 section 2.1 allows some of these; others would divide the login
_LONGEST_CHALLENGE = 200  # characters that are shown
_Kind = type[XOAuth2] | type[OAuthBearer]


class OAuth2Login:
    """Logs a session in with a token; give it to `SmtpSender`.

    Args:
        username: The mailbox that sends.
        source: Where tokens come from.
    """

    def __init__(self, username: str, source: TokenSource) -> None:
        self._username = username
        self._source = source
        self._seen: str | None = None
        self._accepted: str | None = None

    def __call__(self, session: Session) -> None:
        """Log in. A refused token that was kept from before is replaced, once.

        Raises:
            MailAuthError: The connection is not encrypted, the server offers no login with a token, or refuses it; or
                the source gives what can be no token.
            MailSendError: No token can be had, or the connection fails.
        """
        kinds = _mechanisms(session)
        token = self._source.token()
        kept = token.value == self._seen
        try:
            self._try(session, kinds, token)
        except MailAuthError as refusal:
            if refusal.transient or not kept:
                raise
            fresh = self._source.token()
            if fresh.value == token.value:  # else somebody else has replaced it meanwhile
                fresh = self._source.token(force_refresh=True)
            try:
                self._try(session, kinds, fresh)
            except OSError:  # a server may hang up after a refusal; the refusal is what matters
                raise refusal from None

    def _try(self, session: Session, kinds: list[_Kind], token: Token) -> None:
        if not _TOKEN.fullmatch(token.value):
            raise MailAuthError(
                "the source of tokens gave what is no token: it holds blanks, line ends or other than ASCII",
                stage="token",
            )
        session.hide(token.value)
        self._seen = token.value
        dialogues = [kind(self._username, token.value) for kind in kinds]
        dialogues.sort(key=lambda each: each.name != self._accepted)
        try:
            self._accepted = authenticate_by_any(session, dialogues)
        except MailAuthError as error:
            said = next((each.error for each in dialogues if each.error), None)
            if said:
                error.reason = f"{error.reason} ({session.conceal(said)[:_LONGEST_CHALLENGE]})"
            raise


def _mechanisms(session: Session) -> list[_Kind]:
    if not session.encrypted:
        raise MailAuthError(
            f"{session.peer} is not encrypted, so no token is sent",
            stage=str(Stage.AUTH),
        )
    names = offered(session)
    kinds: dict[str, _Kind] = {"XOAUTH2": XOAuth2, "OAUTHBEARER": OAuthBearer}
    found = [kind for name, kind in kinds.items() if name in names]
    if not found:
        session.require_ehlo()
        raise MailAuthError(
            f"{session.peer} offers no login with a token, only {' '.join(names)}"
            if names
            else f"{session.peer} offers no login",
            stage=str(Stage.AUTH),
        )
    return found
