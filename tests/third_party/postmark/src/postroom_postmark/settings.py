"""The settings of `postmark`."""

import attrs
from postroom import Secret, setting
from postroom_http.settings import HttpSettings

PREFIX = "POSTMARK_"


@attrs.frozen(kw_only=True)
class PostmarkSettings(HttpSettings):
    """A token of one server. https://postmarkapp.com/developer/api/overview#authentication."""

    server_token: Secret = attrs.field(metadata=setting("token of the server, from its tab API Tokens", secret=True))
    api_url: str = attrs.field(
        default="https://api.postmarkapp.com",
        metadata=setting("address of the API"),
    )
