"""The entry point `smtp-basic`."""

from postroom import Provider, Transport, hookimpl
from postroom_smtp import microsoft
from postroom_smtp.settings import CAPABILITIES, PREFIX
from postroom_smtp_basic.rules import RULES
from postroom_smtp_basic.settings import SmtpBasicSettings


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider(
        name="smtp-basic",
        title="SMTP",
        settings=SmtpBasicSettings,
        build=build,
        env_prefix=PREFIX,
        capabilities=CAPABILITIES,
        rules=RULES,
    )


def build(settings: SmtpBasicSettings) -> Transport:
    """Build the transport; it logs in only if user name and password are both there."""
    from postroom_smtp.sender import SmtpSender  # noqa: PLC0415  ssl is loaded when mail is configured, not listed
    from postroom_smtp_basic.login import PasswordLogin  # noqa: PLC0415

    username, password = settings.username, settings.password
    if username and password:
        limit = microsoft.connections(settings.server)
        return SmtpSender(settings, "smtp-basic", PasswordLogin(username, password), limit)
    return SmtpSender(settings, "smtp-basic")
