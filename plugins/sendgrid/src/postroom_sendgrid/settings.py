"""The settings of `sendgrid`."""

from collections.abc import Iterator

import attrs

from postroom import Secret, setting
from postroom_http import fields
from postroom_http.settings import HttpSettings

PREFIX = "SENDGRID_"
# Gmail shows such a name, iOS Mail question marks.
_NAMES = "https://github.com/sendgrid/sendgrid-nodejs/issues/1457"


@attrs.frozen(kw_only=True)
class SendGridSettings(HttpSettings):
    """A key with the scope `mail.send` is enough. https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys."""

    api_key: Secret = attrs.field(
        metadata=setting(
            "key of the account; it begins with SG.",
            secret=True,
            missing="SENDGRID_API_KEY is required for SendGrid mail type",
        )
    )
    api_url: str = attrs.field(
        default="https://api.sendgrid.com",
        metadata=setting("address of the API; `https://api.eu.sendgrid.com` for a subuser in the EU"),
    )
    sandbox: bool = attrs.field(
        default=False, metadata=setting("have every message checked, and none sent (sandbox mode)")
    )
    click_tracking: bool = attrs.field(default=False, metadata=setting("rewrite links, to count clicks"))
    open_tracking: bool = attrs.field(default=False, metadata=setting("add an invisible image, to count openings"))

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield what is suspicious about the sender's name, the sandbox, and the key."""
        yield from super().doubts()
        sender = fields.default_sender(self)
        if sender is not None and not sender.name.isascii():
            yield "default_from", f"its name is not ASCII, and some mail programs show question marks for it ({_NAMES})"
        if self.sandbox:
            yield "sandbox", "true, so messages are checked and none is sent"
        if not self.api_key.reveal().startswith("SG."):
            yield "api_key", "it does not begin with SG., as every key of SendGrid's does: make one in its dashboard"
