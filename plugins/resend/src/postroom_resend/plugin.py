"""The entry point `resend`."""

from postroom import Capability, Provider, Transport, hookimpl
from postroom_http.rules import rules
from postroom_resend.limits import LIMITS
from postroom_resend.rules import RULES
from postroom_resend.settings import PREFIX, ResendSettings

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
        name="resend",
        title="Resend",
        settings=ResendSettings,
        build=build,
        env_prefix=PREFIX,
        capabilities=CAPABILITIES,
        limits=LIMITS,
        rules=(*RULES, *rules()),
    )


def build(settings: ResendSettings) -> Transport:
    """Build the transport."""
    from postroom_resend.sender import ResendSender  # noqa: PLC0415  requests is loaded when mail is configured

    return ResendSender(settings)
