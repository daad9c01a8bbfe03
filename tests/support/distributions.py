"""Distributions that core has never heard of, with a provider that works."""

from pathlib import Path

from postroom_testing import write_distribution

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
