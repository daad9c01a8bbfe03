"""The settings of `console`."""

from typing import Literal

import attrs

from postroom import SenderSettings, setting

Stream = Literal["stdout", "stderr"]
"""Standard output or standard error."""


@attrs.frozen(kw_only=True)
class ConsoleSettings(SenderSettings):
    """Where to print."""

    stream: Stream = attrs.field(
        default="stdout", metadata=setting("where mails are printed: standard output or standard error")
    )

    def summary(self) -> dict[str, object]:
        """Return where mails are printed."""
        return {"stream": self.stream}
