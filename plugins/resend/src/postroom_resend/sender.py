"""The transport of `resend`: https://resend.com/docs/api-reference."""

import logging
from collections.abc import Iterable, Iterator

from postroom import Address, MailError, MailMessage, MailMessageError, MailRejectedError, Receipt
from postroom_http.client import HttpClient
from postroom_resend import answers, batch
from postroom_resend.payload import to_payload
from postroom_resend.settings import PREFIX, ResendSettings

_log = logging.getLogger("postroom.resend")


class ResendSender:
    """A `Transport` over the API of Resend."""

    def __init__(self, settings: ResendSettings) -> None:
        self._default_from = settings.default_from
        self._client = HttpClient(settings, PREFIX)

    def deliver(self, message: MailMessage) -> Receipt:
        """Send one message, by `POST /emails`.

        Raises:
            MailSendError: As `answers` has it. What is unknown is safe to retry, thanks to the idempotency key.
        """
        key = {"Idempotency-Key": message.idempotency_key}
        answer = self._client.post("/emails", to_payload(message), headers=key, if_lost=answers.SAFE)
        provider_id = answers.accepted_id(answer)
        if provider_id is None:
            raise answers.explain(answer, self._client.peer, answers.SAFE)
        return Receipt(message.message_id, "resend", provider_id, message.recipients)

    def deliver_many(self, messages: Iterable[MailMessage]) -> Iterator[Receipt | MailError]:
        """Send messages in batches of a hundred, and those with files or a time one by one."""
        return batch.deliver_many(self._client, self.deliver, messages)

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return True

    def check_connection(self) -> None:
        """Ask for the domains: does Resend know the key, and is the sender's domain verified?

        Raises:
            MailSendError: Resend cannot be reached, does not know the key, or the domain is not verified.
        """
        answer = self._client.get("/domains?limit=100")
        if answer.status == 401 and answers.error_name(answer) == "restricted_api_key":
            _log.info("the key may send and nothing else, so the sender's domain is not checked")
            return
        said = answer.json()
        if answer.status != 200 or not isinstance(said, dict) or not isinstance(said.get("data"), list):
            raise answers.explain(answer, self._client.peer, None)
        if self._default_from is not None and not said.get("has_more"):
            known = [each for each in said["data"] if isinstance(each, dict)]
            _check_domain(self._default_from, {str(each.get("name")): each.get("status") for each in known})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _check_domain(sender: str, statuses: dict[str, object]) -> None:
    try:
        domain = Address.parse(sender).domain
    except MailMessageError:
        return  # core has warned, and refuses a message that would need it
    status = statuses.get(domain, "not there")
    # A domain that is verified for sending alone is "partially_verified".
    if domain != "resend.dev" and status not in ("verified", "partially_verified"):
        raise MailRejectedError(
            f"the domain {domain} of the sender is not verified at Resend (it is {status})",
            remedy="Verify it at https://resend.com/domains, or set MAIL_DEFAULT_SEND_FROM to one that is",
            stage="check",
        )
