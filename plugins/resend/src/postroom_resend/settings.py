"""The settings of `resend`."""

import attrs

from postroom import Secret, setting
from postroom_http.settings import HttpSettings

PREFIX = "RESEND_"


@attrs.frozen(kw_only=True)
class ResendSettings(HttpSettings):
    """A key with "sending access" is enough. https://resend.com/docs/dashboard/api-keys/introduction."""

    api_key: Secret = attrs.field(metadata=setting("key of the account; it begins with re_", secret=True))
    api_url: str = attrs.field(default="https://api.resend.com", metadata=setting("address of the API"))
