"""The transport of `postmark`: https://postmarkapp.com/developer/api/overview."""

from collections.abc import Iterator

from postroom import Address, MailMessage, Receipt, Step
from postroom_http.client import HttpClient

from postroom_postmark import answers
from postroom_postmark.payload import to_payload
from postroom_postmark.settings import PostmarkSettings


class PostmarkSender:
    """A `ProbeTransport` over the API of Postmark."""

    def __init__(self, settings: PostmarkSettings) -> None:
        self._client = HttpClient(settings, key="server_token", header="X-Postmark-Server-Token", scheme="")

    def deliver(self, message: MailMessage) -> Receipt:
        """Send one message, by `POST /email`.

        Raises:
            MailSendError: As `answers` has it. What is unknown is not safe to retry: Postmark knows no message again.
        """
        answer = self._client.post("/email", to_payload(message), if_lost=answers.IF_LOST)
        provider_id = answers.accepted_id(answer)
        if provider_id is None:
            raise answers.explain(answer, self._client.peer, answers.IF_LOST)
        return Receipt(message.message_id, "postmark", provider_id, message.recipients)

    def is_configured(self) -> bool:
        """Return True: settings that do not suffice have been refused already."""
        return True

    def check_connection(self) -> None:
        """Ask for the server that the token is for, and send nothing.

        Raises:
            MailSendError: Postmark cannot be reached, or does not know the token.
        """
        for _ in self._steps():
            pass

    def probe(self, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
        """Go to the API, then look at the token. Postmark is asked about nobody.

        Raises:
            MailSendError: The next step failed; `stage` is its name.
        """
        yield from self._client.probe()
        yield from self._steps()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _steps(self) -> Iterator[Step]:
        """Yield `key`."""
        answer = self._client.get("/server", stage="key")
        if answer.status != 200:
            raise answers.explain(answer, self._client.peer, None)
        yield Step("key", "Postmark knows the token")
