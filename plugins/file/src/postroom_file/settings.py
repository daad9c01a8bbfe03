"""The settings of `file`."""

from pathlib import Path

import attrs

from postroom import SenderSettings, setting


@attrs.frozen(kw_only=True)
class FileSettings(SenderSettings):
    """Where to write."""

    dir: str = attrs.field(metadata=setting("folder that mails are written into; made with the first mail"))
    remote: bool = attrs.field(
        default=False,
        metadata=setting("whether previews load what mails refer to on the network: images, styles, fonts"),
    )

    @property
    def folder(self) -> Path:
        """The folder, from the root: an application may change its working directory later."""
        return Path(self.dir).absolute()

    def summary(self) -> dict[str, object]:
        """Return the folder, and whether previews use the network if they do."""
        return {"dir": self.folder, **({"remote": True} if self.remote else {})}
