"""The registration: what a plugin returns to say which provider it is."""

import enum
import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from postroom.message import MailMessage
from postroom.sender import MailSender, Transport
from postroom.settings import SenderSettings


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
        uses = {
            Capability.ATTACHMENTS: any(not attachment.inline for attachment in message.attachments),
            Capability.INLINE_ATTACHMENTS: any(attachment.inline for attachment in message.attachments),
            Capability.HEADERS: bool(message.headers),
            Capability.TAGS: bool(message.tags),
            Capability.METADATA: bool(message.metadata),
            Capability.SEND_AT: message.send_at is not None,
        }
        return frozenset(capability for capability, used in uses.items() if used)


def _capabilities(value: Iterable[Capability]) -> frozenset[Capability]:
    return frozenset(value)


@attrs.frozen
class Provider:
    """A provider: its name, its settings, and how to build what sends.

    `Provider("resend", ResendSettings, build)` reads `RESEND_API_KEY` for the field `api_key`.
    """

    name: str
    """The entry point's name, in lower case: what an operator writes into `MAIL_TYPE`."""
    settings: type[SenderSettings]
    """Settings class; every field has `metadata=setting(...)`."""
    build: Callable[[Any], Transport | MailSender]
    """Takes an instance of `settings`, returns what sends. Does no I/O; import heavy packages here."""
    title: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True))
    """The name that people know, such as `Resend`."""
    env_prefix: str = attrs.field(
        default=attrs.Factory(lambda self: env_prefix(self.name), takes_self=True),
    )
    """What the environment variables of the settings begin with; `RESEND_` for `resend`."""
    capabilities: frozenset[Capability] = attrs.field(default=frozenset(), converter=_capabilities)
    """The optional parts of a message that arrive through this provider."""


def env_prefix(name: str) -> str:
    """Return the prefix of a provider's environment variables when it names none: `my-mail` gives `MY_MAIL_`."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()) + "_"
