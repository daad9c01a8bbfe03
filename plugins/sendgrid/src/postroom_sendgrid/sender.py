"""The transport of `sendgrid`: https://www.twilio.com/docs/sendgrid/api-reference."""

import logging
from collections.abc import Iterator
from functools import partial

from postroom import Address, Leaving, MailAuthError, MailMessage, MailRejectedError, Receipt, Step
from postroom_http import fields
from postroom_http.client import HttpClient
from postroom_sendgrid import answers
from postroom_sendgrid.payload import to_payload
from postroom_sendgrid.settings import SendGridSettings

_log = logging.getLogger("postroom.sendgrid")


class SendGridSender:
    """A `ProbeTransport` over the API of SendGrid."""

    def __init__(self, settings: SendGridSettings) -> None:
        self._settings = settings
        self._default_sender = fields.default_sender(settings)
        self._client = HttpClient(settings)
        self._accepting = 200 if settings.sandbox else 202

    def deliver(self, message: MailMessage, *, leaving: Leaving | None = None) -> Receipt:
        """Send one message, by `POST /v3/mail/send`.

        Raises:
            MailSendError: As `answers` has it. What is unknown is not safe to retry.
        """
        if_lost = answers.lost(message)
        answer = self._client.post(
            "/v3/mail/send",
            to_payload(message, self._settings),
            if_lost=if_lost,
            leaving=partial(leaving, message) if leaving is not None else None,
        )
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
        for _ in self._steps(self._default_sender):
            pass

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Go to the API, then look at the key, its scopes and the sender. SendGrid says nothing about a recipient.

        Raises:
            MailSendError: The next step failed; `stage` is its name.
        """
        yield from self._client.probe()
        yield from self._steps(sender)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _steps(self, sender: Address | None) -> Iterator[Step]:
        """Yield `key`, `scopes` and `sender`."""
        scopes = self._scopes()
        yield Step("key", "SendGrid knows the key")
        if "mail.send" not in scopes:
            raise MailAuthError("SendGrid knows the key, and the key may not send", stage="scopes")
        number = f"{len(scopes)} scope{'' if len(scopes) == 1 else 's'}"
        yield Step("scopes", f"the key has {number}, mail.send among them", {"count": len(scopes), "may_send": True})
        yield self._sender_step(sender)

    def _scopes(self) -> list[object]:
        """Return what the key may do.

        What SendGrid says is read here, and not between two steps: it may quote the key, and an error tracker sees the
        variables of a generator.
        """
        answer = self._client.get("/v3/scopes", stage="key")
        said = answer.json()
        scopes = said.get("scopes") if isinstance(said, dict) else None
        if answer.status != 200 or not isinstance(scopes, list):
            raise answers.explain(answer, self._client.peer, None)
        return scopes

    def _sender_step(self, sender: Address | None) -> Step:
        if sender is None:
            return Step("sender", "no sender is configured, so none is checked", {"checked": False})
        domains = self._list("/v3/whitelabel/domains?limit=200", None)
        senders = self._list("/v3/verified_senders?limit=200", "results")
        facts: dict[str, object] = {"domain": sender.domain}
        if domains is None or senders is None:
            why = f"the key may not see all verified senders, so {sender.domain} is not checked"
            _log.info("%s", why)
            return Step("sender", why, {**facts, "checked": False})
        if not _verified(sender, domains, senders):
            raise MailRejectedError(
                f"neither the sender {sender.spec} nor its domain is verified at SendGrid", stage="sender"
            )
        return Step("sender", f"{sender.domain} may send", {**facts, "checked": True})

    def _list(self, path: str, field: str | None) -> list[dict[str, object]] | None:
        """Return a list of things, or None if the key may not see it, or not all of it."""
        answer = self._client.get(path, stage="sender")
        said = answer.json() if answer.status == 200 else None
        if field is not None:
            said = said.get(field) if isinstance(said, dict) else None
        if not isinstance(said, list) or len(said) >= 200:
            return None
        return [each for each in said if isinstance(each, dict)]


def _verified(sender: Address, domains: list[dict[str, object]], senders: list[dict[str, object]]) -> bool:
    """Return True if the domain, one above it, or the address itself is verified."""
    verified = {str(each.get("domain")).lower() for each in domains if each.get("valid")}
    names = sender.domain.split(".")
    by_domain = any(".".join(names[start:]) in verified for start in range(len(names)))
    return by_domain or any(
        each.get("verified") and str(each.get("from_email")).lower() == sender.spec.lower() for each in senders
    )
