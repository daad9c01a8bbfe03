"""What became of a send: its outcome, its receipt, and the recipients that a server refused."""

import enum
from collections.abc import Mapping

import attrs


class Outcome(enum.Enum):
    """How a send ended.

    Only `NOT_SENT` may be sent again as it is. After `PARTIAL` the accepted recipients have the mail; after `UNKNOWN`
    they may have it (RFC 1047), so look for the Message-ID before you send again.
    """

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


@attrs.frozen
class Refusal:
    """Why one recipient was refused."""

    code: int | None
    """SMTP reply code or HTTP status, where there was one."""
    enhanced_code: str | None
    """Enhanced status code such as `5.1.1` (RFC 3463), where there was one."""
    text: str
    """The server's own words, at most 200 characters."""
    transient: bool
    """True if the same recipient may be accepted later."""


@attrs.frozen
class Receipt:
    """The proof that a message was accepted for at least one recipient."""

    message_id: str
    """The Message-ID header with its angle brackets; the same for every attempt at the same message."""
    provider: str
    """Name of the provider that accepted it, such as `smtp-basic`."""
    provider_id: str | None = None
    """The provider's own handle: a vendor's id, or the text of the final SMTP reply with its queue id."""
    accepted: tuple[str, ...] = ()
    """Addresses that were accepted, in the order of the message, each once."""
    refused: Mapping[str, Refusal] = attrs.field(factory=dict, hash=False)
    """Addresses that were refused, and why. Nobody here has got the mail."""
    attempts: int = 1
    """How many times the message was offered."""

    @property
    def outcome(self) -> Outcome:
        """`PARTIAL` if somebody was refused, else `ACCEPTED`."""
        return Outcome.PARTIAL if self.refused else Outcome.ACCEPTED
