"""A `MailSender` as a `Transport`: for an application that brings a sender with nothing but the three methods."""

import attrs

from postroom.message import MailMessage
from postroom.receipt import Receipt
from postroom.send_errors import MailSendError
from postroom.sender import MailSender


@attrs.frozen
class PlainTransport:
    """Takes the sender's word: a `send` that returns has sent to everybody."""

    sender: MailSender
    provider: str

    def deliver(self, message: MailMessage) -> Receipt:
        """Send, and make the receipt that the sender does not make."""
        self.sender.send(message)
        return Receipt(message.message_id, self.provider, accepted=message.recipients)

    def is_configured(self) -> bool:
        """Ask the sender."""
        return self.sender.is_configured()

    def check_connection(self) -> None:
        """Raise what the sender can only deny.

        Raises:
            MailSendError: The sender's own test failed.
        """
        if not self.sender.test_connection():
            raise MailSendError("the connection test failed; the log says why", stage="check")

    def close(self) -> None:
        """Do nothing: a plain sender has nothing to release."""
