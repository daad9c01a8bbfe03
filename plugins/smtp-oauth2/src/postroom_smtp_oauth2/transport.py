"""The transport of `smtp-oauth2`: an `SmtpSender` whose connection test explains a refused token."""

import contextlib
import logging
from collections.abc import Iterable, Iterator

import attrs

from postroom import Address, Leaving, MailAuthError, MailError, MailMessage, Receipt, Step, Symptom, find_rule
from postroom_smtp import microsoft
from postroom_smtp.failures import Stage
from postroom_smtp.sender import SmtpSender
from postroom_smtp_oauth2 import claims
from postroom_smtp_oauth2.login import OAuth2Login
from postroom_smtp_oauth2.rules import REFUSED, RULES
from postroom_smtp_oauth2.settings import SmtpOAuth2Settings
from postroom_smtp_oauth2.tokens import TokenSource

_log = logging.getLogger("postroom.smtp.oauth2")


class OAuth2Sender:
    """A `Transport` for a mailbox of Microsoft 365."""

    def __init__(self, settings: SmtpOAuth2Settings, provider: str, source: TokenSource) -> None:
        self._settings = settings
        self._source = source
        login = OAuth2Login(settings.username, source)
        self._smtp = SmtpSender(settings, provider, login, microsoft.connections(settings.server))

    def deliver(self, message: MailMessage, *, leaving: Leaving | None = None) -> Receipt:
        """Offer the message once."""
        return self._smtp.deliver(message, leaving=leaving)

    def deliver_many(
        self, messages: Iterable[MailMessage], *, leaving: Leaving | None = None
    ) -> Iterator[Receipt | MailError]:
        """Offer messages over one connection, several at a time where the server allows it."""
        return self._smtp.deliver_many(messages, leaving=leaving)

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return self._smtp.is_configured()

    def check_connection(self) -> None:
        """Get a token, tell what it says (at INFO), connect and log in.

        Raises:
            MailAuthError: No token, or the server refuses it; the remedy has the commands to run.
            MailSendError: Something else failed.
        """
        _log.info("token: %s", self._claims() or "opaque")
        with self._explained():
            self._smtp.check_connection()

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Go the way of a message up to its recipient, and look into the token before it is used.

        Raises:
            MailSendError: The next step failed.
        """
        with self._explained():
            for step in self._smtp.probe(sender, recipient):
                yield step
                if step.name == Stage.EHLO:  # what comes next is the login
                    found = self._claims()
                    yield Step("token", str(found or "opaque"), attrs.asdict(found) if found else {})

    def close(self) -> None:
        """Release connections."""
        self._smtp.close()

    def _claims(self) -> claims.Claims | None:
        return claims.read(self._source.token().value)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Tell what a refused token lacks, where the server has said nothing that is more exact."""
        try:
            yield
        except MailAuthError as error:
            if error.stage == Stage.AUTH and find_rule(RULES, Symptom.of(error)) is REFUSED:
                error.remedy = claims.advice(self._claims(), self._settings.username)
            raise
