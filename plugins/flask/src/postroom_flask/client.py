"""What takes a mail as a dict, the form that Dify gives to its clients."""

from collections.abc import Mapping
from typing import Any

import attrs

from postroom import DeliveringSender, MailMessage, MailMessageError


@attrs.frozen
class Client:
    """Sends a mail that is a dict with the keys `from`, `to`, `subject` and `html`, or any field of `MailMessage`."""

    sender: DeliveringSender

    def send(self, mail: Mapping[str, Any]) -> None:
        """Send one mail; return only if every recipient was accepted.

        Raises:
            MailMessageError: The mail cannot be sent as it is, or has a key that nobody knows.
            MailSendError: It was not, or not wholly, or not certainly sent; see `outcome`.
        """
        fields = {"from_" if key == "from" else key: value for key, value in mail.items()}
        unknown = fields.keys() - {field.name for field in attrs.fields(MailMessage)}
        if unknown:
            raise MailMessageError(f"a mail has no {', '.join(sorted(map(str, unknown)))[:200]}")
        if fields.get("from_") == self.sender.default_from:
            fields["from_"] = None  # the sender knows it, and says where it is set if it is wrong
        self.sender.send(MailMessage(**{"to": None, "subject": "", **fields}))
