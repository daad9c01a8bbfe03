"""The entry point `pigeon-post`."""

from pigeon_post.settings import PigeonSettings

from postroom import Capability, Provider, Rule, Transport, hookimpl

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
    capabilities = [each for each in Capability if each is not Capability.SEND_AT]
    return Provider("pigeon-post", PigeonSettings, build, title="Pigeon Post", capabilities=capabilities, rules=RULES)


def build(settings: PigeonSettings) -> Transport:
    """Build the transport."""
    from pigeon_post.sender import PigeonTransport

    return PigeonTransport(settings)
