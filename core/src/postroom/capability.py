"""What a service carries, and its limits: declared by a provider, enforced in core, listed in the docs."""

import enum
from collections.abc import Callable

import attrs

from postroom.message import MailMessage


class Capability(enum.Enum):
    """A part of the message that not every service takes. What is not declared is refused, never dropped.

    Every provider takes to, cc, bcc, reply_to, from_, subject, html and text.
    """

    ATTACHMENTS = "attachments"
    INLINE_ATTACHMENTS = "inline attachments"
    HEADERS = "headers"
    TAGS = "tags"
    METADATA = "metadata"
    SEND_AT = "send_at"

    @staticmethod
    def needed_by(message: MailMessage) -> "frozenset[Capability]":
        """Return what a provider must declare to take this message."""
        if not (message.attachments or message.headers or message.tags or message.metadata or message.send_at):
            return frozenset()  # nearly every message
        uses = {
            Capability.ATTACHMENTS: any(not attachment.inline for attachment in message.attachments),
            Capability.INLINE_ATTACHMENTS: any(attachment.inline for attachment in message.attachments),
            Capability.HEADERS: bool(message.headers),
            Capability.TAGS: bool(message.tags),
            Capability.METADATA: bool(message.metadata),
            Capability.SEND_AT: message.send_at is not None,
        }
        return frozenset(capability for capability, used in uses.items() if used)


@attrs.frozen
class Limit:
    """One rule of the service that a message must keep: `Limit("at most 50 addresses in to", breach, source=...)`.

    It belongs here if the service would drop or spoil something without a word, or if its refusal is known before the
    network is asked. The docs list the rules of each provider.
    """

    rule: str
    """What the service takes, as it follows `takes`: `at most 50 addresses in to`."""
    breach: Callable[[MailMessage], str | None]
    """Returns what breaks the rule in this message, such as `63 addresses`, or None. `from_` is set. Does no I/O."""
    source: str = attrs.field(kw_only=True)
    """Where the service says so: the URL of its page."""
