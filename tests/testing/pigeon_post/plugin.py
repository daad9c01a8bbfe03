"""The entry point `pigeon-post`."""

from pigeon_post.settings import PigeonSettings

from postroom import Capability, Provider, Rule, Transport, hookimpl

CAPABILITIES = (
    Capability.ATTACHMENTS,
    Capability.INLINE_ATTACHMENTS,
    Capability.HEADERS,
    Capability.TAGS,
    Capability.METADATA,
)
RULES = (
    Rule(
        meaning="The keeper of the loft does not know the key",
        remedy="Check {api_key}",
        source="https://pigeons.example/keys",
        code="401",
    ),
    Rule(
        meaning="No pigeon comes through to the loft",
        remedy="Check {api_url}",
        source="https://pigeons.example/weather",
        stage="connect",
    ),
)


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider("pigeon-post", PigeonSettings, build, title="Pigeon Post", capabilities=CAPABILITIES, rules=RULES)


def build(settings: PigeonSettings) -> Transport:
    """Build the transport."""
    from pigeon_post.sender import PigeonTransport

    return PigeonTransport(settings)
