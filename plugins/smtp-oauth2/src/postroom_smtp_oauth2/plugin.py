"""The entry point `smtp-oauth2`."""

from postroom import Provider, Transport, hookimpl
from postroom_smtp.settings import CAPABILITIES, PREFIX
from postroom_smtp_oauth2.rules import RULES
from postroom_smtp_oauth2.settings import SmtpOAuth2Settings


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider(
        name="smtp-oauth2",
        title="SMTP with OAuth2",
        settings=SmtpOAuth2Settings,
        build=build,
        env_prefix=PREFIX,
        capabilities=CAPABILITIES,
        rules=RULES,
    )


def build(settings: SmtpOAuth2Settings) -> Transport:
    """Build the transport. MSAL is loaded when the first token is needed."""
    from postroom_smtp_oauth2.microsoft import MicrosoftTokens  # noqa: PLC0415  ssl is loaded when mail is configured
    from postroom_smtp_oauth2.tokens import CachedTokenSource  # noqa: PLC0415
    from postroom_smtp_oauth2.transport import OAuth2Sender  # noqa: PLC0415

    return OAuth2Sender(settings, "smtp-oauth2", CachedTokenSource(MicrosoftTokens(settings)))
