"""The entry point `console`."""

from postroom import Capability, Provider, Transport, hookimpl
from postroom_console.settings import ConsoleSettings

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
        name="console",
        title="Console",
        settings=ConsoleSettings,
        build=build,
        capabilities=CAPABILITIES,  # each is printed
    )


def build(settings: ConsoleSettings) -> Transport:
    """Build the transport."""
    from postroom_console.sender import ConsoleSender  # noqa: PLC0415  when mail is configured, not listed

    return ConsoleSender(settings)
