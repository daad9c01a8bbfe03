"""The settings of `resend`."""

from collections.abc import Iterator

import attrs

from postroom import Secret, setting
from postroom_http.settings import HttpSettings

PREFIX = "RESEND_"


@attrs.frozen(kw_only=True)
class ResendSettings(HttpSettings):
    """A key with "sending access" is enough. https://resend.com/docs/dashboard/api-keys/introduction."""

    api_key: Secret = attrs.field(
        metadata=setting("key of the account; it begins with re_", secret=True, missing="RESEND_API_KEY is not set")
    )
    api_url: str = attrs.field(default="https://api.resend.com", metadata=setting("address of the API"))

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield what is suspicious about the key."""
        yield from super().doubts()
        if not self.api_key.reveal().startswith("re_"):  # as your-resend-api-key, which examples have
            yield "api_key", "it does not begin with re_, as every key of Resend's does: make one in its dashboard"
