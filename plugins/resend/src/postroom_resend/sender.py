"""The transport of `resend`: https://resend.com/docs/api-reference."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import attrs

from postroom import Address, Leaving, MailError, MailMessage, MailRejectedError, Receipt, Step
from postroom_http import fields
from postroom_http.client import HttpClient
from postroom_resend import answers, batch
from postroom_resend.payload import to_payload
from postroom_resend.settings import ResendSettings

_log = logging.getLogger("postroom.resend")


class ResendSender:
    """A `BatchTransport` and `ProbeTransport` over the API of Resend."""

    def __init__(self, settings: ResendSettings) -> None:
        self._default_sender = fields.default_sender(settings)
        self._client = HttpClient(settings)

    def deliver(self, message: MailMessage, *, leaving: Leaving | None = None) -> Receipt:
        """Send one message, by `POST /emails`.

        Raises:
            MailSendError: As `answers` has it. What is unknown is safe to retry, thanks to the idempotency key.
        """
        key = {"Idempotency-Key": message.idempotency_key}
        answer = self._client.post(
            "/emails",
            to_payload(message),
            headers=key,
            if_lost=answers.SAFE,
            leaving=partial(leaving, message) if leaving is not None else None,
        )
        provider_id = answers.accepted_id(answer)
        if provider_id is None:
            raise answers.explain(answer, self._client.peer, answers.SAFE)
        return Receipt(message.message_id, "resend", provider_id, message.recipients)

    def deliver_many(
        self, messages: Iterable[MailMessage], *, leaving: Leaving | None = None
    ) -> Iterator[Receipt | MailError]:
        """Send messages in batches of a hundred, and those with files or a time one by one."""
        return batch.deliver_many(self._client, partial(self.deliver, leaving=leaving), messages, leaving)

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return True

    def check_connection(self) -> None:
        """Ask for the domains: does Resend know the key, and is the sender's domain verified?

        Raises:
            MailSendError: Resend cannot be reached, does not know the key, or the domain is not verified.
        """
        for _ in self._steps(self._default_sender):
            pass

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Go to the API, then look at the key and at the sender's domain. Resend says nothing about a recipient.

        Raises:
            MailSendError: The next step failed; `stage` is its name.
        """
        yield from self._client.probe()
        yield from self._steps(sender)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _steps(self, sender: Address | None) -> Iterator[Step]:
        """Yield `key` and `sender`, both by the list of domains."""
        domains = self._domains()
        if domains is None:
            yield Step("key", "Resend knows the key, which may send and nothing else", {"access": "sending"})
            yield _not_checked(sender, "the key may send and nothing else, so the sender's domain is not checked")
            return
        yield Step("key", "Resend knows the key, which may do everything", {"access": "full"})
        if sender is None:
            yield _not_checked(sender, "no sender is configured, so no domain is checked")
        elif sender.domain not in domains.statuses and domains.more:
            yield _not_checked(sender, "there are more domains than on one page, so the sender's is not checked")
        else:
            yield _domain(sender.domain, domains.statuses.get(sender.domain, "not there"))

    def _domains(self) -> "_Domains | None":
        """Return the domains of the account; None if the key may not see them.

        What Resend says is read here, and not between two steps: it may quote the key, and an error tracker sees the
        variables of a generator.
        """
        answer = self._client.get("/domains?limit=100", stage="key")
        if answer.status == 401 and answers.error_name(answer) == "restricted_api_key":
            return None
        said = answer.json()
        if answer.status != 200 or not isinstance(said, dict) or not isinstance(said.get("data"), list):
            raise answers.explain(answer, self._client.peer, None)
        known = [each for each in said["data"] if isinstance(each, dict)]
        return _Domains({str(each.get("name")): each.get("status") for each in known}, bool(said.get("has_more")))


@attrs.frozen
class _Domains:
    """The first page of an account's domains."""

    statuses: Mapping[str, object]
    more: bool


def _domain(domain: str, status: object) -> Step:
    """Return the step for a domain that may send.

    Raises:
        MailRejectedError: It may not.
    """
    if domain == "resend.dev":
        return Step("sender", f"the domain {domain} is Resend's own", {"domain": domain, "checked": True})
    # A domain that is verified for sending alone is "partially_verified".
    if status not in ("verified", "partially_verified"):
        raise MailRejectedError(
            f"the domain {domain} of the sender is not verified at Resend (it is {status})", stage="sender"
        )
    facts = {"domain": domain, "checked": True, "status": status}
    return Step("sender", f"the domain {domain} is verified", facts)


def _not_checked(sender: Address | None, why: str) -> Step:
    if sender is not None:
        _log.info("%s", why)
    return Step("sender", why, {"domain": sender.domain if sender is not None else None, "checked": False})
