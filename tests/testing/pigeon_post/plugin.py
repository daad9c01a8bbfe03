"""The entry point `pigeon-post`."""

from pigeon_post.settings import PigeonSettings

from postroom import Capability, Provider, Transport, hookimpl


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    capabilities = [each for each in Capability if each is not Capability.SEND_AT]
    return Provider("pigeon-post", PigeonSettings, build, title="Pigeon Post", capabilities=capabilities)


def build(settings: PigeonSettings) -> Transport:
    """Build the transport."""
    from pigeon_post.sender import PigeonTransport

    return PigeonTransport(settings)
