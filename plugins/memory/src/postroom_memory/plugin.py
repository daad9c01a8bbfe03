"""The entry point `memory`."""

from postroom import Capability, Provider, Transport, hookimpl
from postroom_memory.settings import MemorySettings

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
        name="memory",
        title="Memory",
        settings=MemorySettings,
        build=build,
        capabilities=CAPABILITIES,  # the message itself is kept
    )


def build(settings: MemorySettings) -> Transport:
    """Build the transport."""
    from postroom_memory.sender import MemorySender  # noqa: PLC0415  when mail is configured, not listed

    return MemorySender(settings)
