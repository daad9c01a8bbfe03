"""The transport of `sendgrid`: https://www.twilio.com/docs/sendgrid/api-reference."""

import logging

from postroom import Address, MailAuthError, MailMessage, MailMessageError, MailRejectedError, Receipt
from postroom_http.client import HttpClient
from postroom_sendgrid import answers
from postroom_sendgrid.payload import to_payload
from postroom_sendgrid.settings import PREFIX, SendGridSettings

_log = logging.getLogger("postroom.sendgrid")


class SendGridSender:
    """A `Transport` over the API of SendGrid."""

    def __init__(self, settings: SendGridSettings) -> None:
        self._settings = settings
        self._client = HttpClient(settings, PREFIX)
        self._accepting = 200 if settings.sandbox else 202

    def deliver(self, message: MailMessage) -> Receipt:
        """Send one message, by `POST /v3/mail/send`.

        Raises:
            MailSendError: As `answers` has it. What is unknown is not safe to retry.
        """
        if_lost = answers.lost(message)
        answer = self._client.post("/v3/mail/send", to_payload(message, self._settings), if_lost=if_lost)
        if answer.status != self._accepting:
            raise answers.explain(answer, self._client.peer, if_lost)
        # In events, this id has more behind it.
        return Receipt(message.message_id, "sendgrid", answer.headers.get("X-Message-Id"), message.recipients)

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return True

    def check_connection(self) -> None:
        """Ask for the key's scopes: may it send? And is the sender verified, if the key may see that?

        Raises:
            MailSendError: SendGrid cannot be reached, does not know the key or lets it not send, or the sender is not
                verified.
        """
        answer = self._client.get("/v3/scopes")
        said = answer.json()
        scopes = said.get("scopes") if isinstance(said, dict) else None
        if answer.status != 200 or not isinstance(scopes, list):
            raise answers.explain(answer, self._client.peer, None)
        if "mail.send" not in scopes:
            raise MailAuthError(
                "SendGrid knows the key, and the key may not send",
                remedy="Give it the scope mail.send at https://app.sendgrid.com/settings/api_keys",
                stage="check",
            )
        if self._settings.default_from is not None:
            self._check_sender(self._settings.default_from)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _check_sender(self, sender: str) -> None:
        try:
            address = Address.parse(sender)
        except MailMessageError:
            return  # core has warned, and refuses a message that would need it
        domains = self._list("/v3/whitelabel/domains?limit=200", None)
        senders = self._list("/v3/verified_senders?limit=200", "results")
        if domains is None or senders is None:
            _log.info("the key may not see all verified senders, so %s is not checked", address.domain)
            return
        verified = {str(each.get("domain")).lower() for each in domains if each.get("valid")}
        names = address.domain.split(".")
        by_domain = any(".".join(names[start:]) in verified for start in range(len(names)))
        if not by_domain and not any(
            each.get("verified") and str(each.get("from_email")).lower() == address.spec.lower() for each in senders
        ):
            raise MailRejectedError(
                f"neither the sender {address.spec} nor its domain is verified at SendGrid",
                remedy="Verify it at https://app.sendgrid.com/settings/sender_auth, or set MAIL_DEFAULT_SEND_FROM to "
                "one that is",
                stage="check",
            )

    def _list(self, path: str, field: str | None) -> list[dict[str, object]] | None:
        """Return a list of things, or None if the key may not see it, or not all of it."""
        answer = self._client.get(path)
        said = answer.json() if answer.status == 200 else None
        if field is not None:
            said = said.get(field) if isinstance(said, dict) else None
        if not isinstance(said, list) or len(said) >= 200:
            return None
        return [each for each in said if isinstance(each, dict)]
