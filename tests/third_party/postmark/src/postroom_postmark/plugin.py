"""The entry point `postmark`."""

from postroom import Capability, Provider, Transport, hookimpl
from postroom_http.rules import rules

from postroom_postmark.limits import LIMITS
from postroom_postmark.rules import RULES
from postroom_postmark.settings import PREFIX, PostmarkSettings

CAPABILITIES = (
    Capability.ATTACHMENTS,
    Capability.INLINE_ATTACHMENTS,
    Capability.HEADERS,
    Capability.TAGS,
    Capability.METADATA,
)


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider(
        name="postmark",
        title="Postmark",
        settings=PostmarkSettings,
        build=build,
        env_prefix=PREFIX,
        capabilities=CAPABILITIES,
        limits=LIMITS,
        rules=(*RULES, *rules("server_token")),
    )


def build(settings: PostmarkSettings) -> Transport:
    """Build the transport."""
    # Not above: providers are listed without an HTTP client.
    from postroom_postmark.sender import PostmarkSender

    return PostmarkSender(settings)
