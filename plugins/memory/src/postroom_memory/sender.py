"""The transport of `memory`."""

from postroom import MailMessage, Receipt
from postroom_memory.boxes import box
from postroom_memory.settings import MemorySettings


class MemorySender:
    """A `Transport` into a box."""

    def __init__(self, settings: MemorySettings) -> None:
        self._name = settings.box

    def deliver(self, message: MailMessage) -> Receipt:
        """Put the message itself into the box, which is found by its name each time."""
        box(self._name).add(message)
        return Receipt(message.message_id, "memory", accepted=message.recipients)

    def is_configured(self) -> bool:
        """Return True: the settings have a default."""
        return True

    def check_connection(self) -> None:
        """Do nothing: there is always memory to write to."""

    def close(self) -> None:
        """Do nothing: the messages stay, to be looked at."""
