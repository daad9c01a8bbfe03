"""The settings of `pigeon-post`."""

import attrs

from postroom import Secret, SenderSettings, setting


@attrs.frozen(kw_only=True)
class PigeonSettings(SenderSettings):
    """A loft, and the key to it."""

    api_key: Secret = attrs.field(metadata=setting("key to the loft", secret=True))
    api_url: str = attrs.field(default="https://pigeons.example", metadata=setting("where the loft is"))
    deadline: float = attrs.field(default=60.0, metadata=setting("seconds that a flight may take"))
