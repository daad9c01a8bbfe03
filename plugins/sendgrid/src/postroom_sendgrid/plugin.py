"""The entry point `sendgrid`."""

from postroom import Capability, Provider, Transport, hookimpl
from postroom_http.rules import rules
from postroom_sendgrid.limits import LIMITS
from postroom_sendgrid.rules import RULES
from postroom_sendgrid.settings import PREFIX, SendGridSettings

CAPABILITIES = (
    Capability.ATTACHMENTS,
    Capability.INLINE_ATTACHMENTS,
    Capability.HEADERS,
    Capability.TAGS,
    Capability.METADATA,
    Capability.SEND_AT,
)


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider(
        name="sendgrid",
        title="SendGrid",
        settings=SendGridSettings,
        build=build,
        env_prefix=PREFIX,
        capabilities=CAPABILITIES,
        limits=LIMITS,
        rules=(*RULES, *rules()),
    )


def build(settings: SendGridSettings) -> Transport:
    """Build the transport."""
    from postroom_sendgrid.sender import SendGridSender  # noqa: PLC0415  requests is loaded when mail is configured

    return SendGridSender(settings)
