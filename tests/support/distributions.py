"""Write distributions that core has never heard of: a dist-info folder and modules, as an installer leaves them."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

GROUP = "mail.senders"

PIGEON = '''
    """A provider with a setting of each kind, which keeps what it sends in a list."""

    from typing import Literal

    import attrs
    from postroom import Capability, Provider, Receipt, Secret, SenderSettings, hookimpl, setting

    SENT = []


    @attrs.frozen(kw_only=True)
    class PigeonSettings(SenderSettings):
        loft: str = attrs.field(metadata=setting("where the pigeons live"))
        ring: Secret = attrs.field(converter=Secret, metadata=setting("number on the ring", secret=True))
        grains: int = attrs.field(default=10, metadata=setting("what one flight costs"))
        at_night: bool = attrs.field(default=False, metadata=setting("fly at night"))
        breed: Literal["homer", "tippler"] | None = attrs.field(default=None, metadata=setting("which kind flies"))


    @attrs.frozen
    class Pigeon:
        settings: PigeonSettings

        def deliver(self, message):
            SENT.append((self.settings, message))
            return Receipt(message.message_id, "NAME", accepted=message.recipients)

        def is_configured(self):
            return True

        def check_connection(self):
            pass

        def close(self):
            pass


    @hookimpl
    def postroom_provider():
        return Provider("NAME", PigeonSettings, Pigeon, capabilities=[Capability.TAGS])
'''
"""Source of a plugin that works; `NAME` stands for the provider's name."""


def write_distribution(
    folder: Path,
    name: str,
    entry_points: str | bytes | Mapping[str, str] | None = None,
    *,
    version: str = "1.0",
    modules: Mapping[str, str] | None = None,
    metadata: bool = True,
) -> Path:
    """Write a distribution into a folder of the import path, and return its dist-info folder.

    Args:
        folder: Where it is installed.
        name: Name of the distribution.
        entry_points: Name and value of each entry point of the group, or what `entry_points.txt` holds.
        version: Version of the distribution.
        modules: Source of each module, by its name.
        metadata: False leaves METADATA out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    if isinstance(entry_points, Mapping):
        entry_points = "\n".join([f"[{GROUP}]", *(f"{key} = {value}" for key, value in entry_points.items()), ""])
    if isinstance(entry_points, str):
        entry_points = entry_points.encode()
    if entry_points is not None:
        (info / "entry_points.txt").write_bytes(entry_points)
    for module, source in (modules or {}).items():
        (folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return info


def write_pigeon(folder: Path, name: str = "pigeon", *, distribution: str | None = None, version: str = "1.0") -> Path:
    """Write a distribution that brings a working provider of this name, in a module `NAME_plugin`."""
    module = f"{name.replace('-', '_')}_plugin"
    return write_distribution(
        folder,
        distribution or f"acme-{name}",
        {name: module},
        version=version,
        modules={module: PIGEON.replace("NAME", name)},
    )
