"""The settings of `memory`."""

import attrs

from postroom import SenderSettings, setting


@attrs.frozen(kw_only=True)
class MemorySettings(SenderSettings):
    """Which box."""

    box: str = attrs.field(default="default", metadata=setting("name of the box that mails are kept in"))

    def summary(self) -> dict[str, object]:
        """Return the name of the box."""
        return {"box": self.box}
