"""The factory: from a name and a configuration to a sender, or to an error that says what to do."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from distributions import write_pigeon
from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConfigError,
    MailMessage,
    MailSender,
    MailSenderFactory,
    MailSettingsError,
    Provider,
    ProviderLoadError,
    ProviderRegistry,
    SenderSettings,
    UnknownProviderError,
    setting,
)


class Sender:
    """The least that sends, as an application brings it."""

    def __init__(self, settings: SenderSettings) -> None:
        self.settings = settings
        self.sent: list[MailMessage] = []

    def send(self, message: MailMessage) -> None:
        """Keep the message."""
        self.sent.append(message)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def test_connection(self) -> bool:
        """Say yes."""
        return True


@attrs.frozen(kw_only=True)
class LoftSettings(SenderSettings):
    """Settings with a required field."""

    loft: str = attrs.field(metadata=setting("where they live"))


def test_a_sender_is_made_of_a_name_and_settings(site: Path, registry: ProviderRegistry) -> None:
    """`create_sender` takes settings by field name and returns what satisfies both Protocols, without I/O."""
    write_pigeon(site)
    sender = MailSenderFactory.create_sender("Pigeon", {"loft": "north", "ring": "r", "grains": 5}, registry=registry)
    assert isinstance(sender, MailSender)
    assert isinstance(sender, DeliveringSender)
    assert (sender.provider, sender.is_configured(), sender.test_connection()) == ("pigeon", True, True)
    assert sys.modules["pigeon_plugin"].SENT == []
    assert repr(sender) == "<Delivery by pigeon>"


def test_wrong_settings_are_said_by_field_and_variable(site: Path, registry: ProviderRegistry) -> None:
    """All that is wrong with the settings is one error of the provider, with the prefix of its variables."""
    write_pigeon(site)
    with pytest.raises(MailSettingsError) as caught:
        MailSenderFactory.create_sender("pigeon", {"lofts": "north", "grains": "many"}, registry=registry)
    assert str(caught.value) == (
        "pigeon: unknown setting 'lofts', did you mean 'loft'?; loft is required: set loft (PIGEON_LOFT); "
        "ring is required: set ring (PIGEON_RING); grains must be a whole number: set grains (PIGEON_GRAINS)"
    )


def test_an_unknown_type_is_a_value_error(registry: ProviderRegistry) -> None:
    """A mail type that is not installed is the `ValueError` that Dify's callers know."""
    with pytest.raises(ValueError, match=r"^Unsupported mail type: nonexistent"):
        MailSenderFactory.create_sender("nonexistent", {}, registry=registry)
    with pytest.raises(UnknownProviderError):
        MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "nonexistent"}, registry=registry)


def test_the_supported_types_are_the_names(site: Path, registry: ProviderRegistry) -> None:
    """`get_supported_types` lists what `MAIL_TYPE` may say, sorted, and imports none of it."""
    write_pigeon(site)
    names = MailSenderFactory.get_supported_types(registry=registry)
    assert names == sorted(names) == registry.names()
    assert {"pigeon", "smtp", "smtp-basic"} <= set(names)
    assert "pigeon_plugin" not in sys.modules


def test_an_application_registers_a_sender_of_its_own(registry: ProviderRegistry) -> None:
    """`register_sender` offers a sender without a distribution, by any spelling of its name."""
    MailSenderFactory.register_sender(" Loft ", Sender, registry=registry)
    assert "loft" in MailSenderFactory.get_supported_types(registry=registry)
    sender: Any = MailSenderFactory.create_sender("LOFT", {"default_from": "a@example.com"}, registry=registry)
    sender.send(MailMessage("grace@example.com", "Hello", "x"))
    assert sender.provider == "loft"
    assert [str(message.from_) for message in sender.transport.sender.sent] == ["a@example.com"]


def test_a_registered_sender_may_have_settings(registry: ProviderRegistry) -> None:
    """A registered sender's settings are validated like any provider's, and read from the environment by its name."""
    MailSenderFactory.register_sender("my-loft", Sender, settings=LoftSettings, registry=registry)
    environ = {"MAIL_TYPE": "my-loft", "MY_LOFT_LOFT": "north"}
    sender: Any = MailSenderFactory.create_from_dify_config(None, environ=environ, registry=registry)
    assert sender.transport.sender.settings == LoftSettings(loft="north")
    with pytest.raises(MailSettingsError, match=r"my-loft: loft is required: set loft \(MY_LOFT_LOFT\)"):
        MailSenderFactory.create_sender("my-loft", {}, registry=registry)


def test_a_registered_sender_stays_in_its_registry(registry: ProviderRegistry) -> None:
    """What is registered in one registry is unknown to the others."""
    MailSenderFactory.register_sender("loft", Sender, registry=registry)
    assert "loft" not in MailSenderFactory.get_supported_types(registry=ProviderRegistry())
    assert "loft" not in MailSenderFactory.get_supported_types()


def test_a_build_that_raises_is_a_load_error(registry: ProviderRegistry) -> None:
    """A provider that fails to build names the class of what went wrong, chains it, and quotes nothing of it."""

    def build(settings: LoftSettings) -> Sender:
        raise RuntimeError(f"cannot reach {settings.loft}")

    registry.add(Provider("pigeon", LoftSettings, build))
    with pytest.raises(ProviderLoadError) as caught:
        MailSenderFactory.create_sender("pigeon", {"loft": "hunter2"}, registry=registry)
    assert str(caught.value) == "mail type pigeon cannot be built: RuntimeError"
    assert caught.value.name == "pigeon"
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [MailConfigError("no such file"), MailAuthError("no token")])
def test_a_build_may_raise_an_error_of_ours(registry: ProviderRegistry, error: Exception) -> None:
    """What a provider says in our own words reaches the caller as it is."""

    def build(settings: SenderSettings) -> Sender:
        raise error

    registry.add(Provider("pigeon", SenderSettings, build))
    with pytest.raises(type(error)) as caught:
        MailSenderFactory.create_sender("pigeon", {}, registry=registry)
    assert caught.value is error


@pytest.mark.parametrize("rubbish", [None, 5, "sender", object(), print], ids=lambda value: type(value).__name__)
def test_a_build_that_returns_no_sender_is_refused(registry: ProviderRegistry, rubbish: object) -> None:
    """What cannot send is refused when it is built, not when the first mail is due."""
    registry.add(Provider("pigeon", SenderSettings, lambda settings: rubbish))  # type: ignore[arg-type, return-value]
    with pytest.raises(MailConfigError, match=r"^mail type pigeon: build returned .*, not a Transport$"):
        MailSenderFactory.create_sender("pigeon", {}, registry=registry)


def test_senders_live_side_by_side(site: Path, registry: ProviderRegistry) -> None:
    """Two senders of one provider have each their own settings."""
    write_pigeon(site)
    senders = [
        MailSenderFactory.create_sender("pigeon", {"loft": loft, "ring": "r"}, registry=registry)
        for loft in ("north", "south")
    ]
    for sender in senders:
        sender.send(MailMessage("grace@example.com", "Hello", "x", "a@example.com"))
    assert [settings.loft for settings, _ in sys.modules["pigeon_plugin"].SENT] == ["north", "south"]


@attrs.frozen(kw_only=True)
class CoopSettings(LoftSettings):
    """Settings with something to show and something to doubt."""

    def summary(self) -> dict[str, object]:
        """Show where it is."""
        return {"loft": self.loft, "floor": None}

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Doubt a cellar."""
        yield from super().doubts()
        if self.loft == "cellar":
            yield "loft", "pigeons do not fly there"
            yield "sky", "not to be seen"


def test_what_is_made_is_said_in_one_line(registry: ProviderRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """One line at INFO has what an operator needs to see; each doubt is a WARNING with the variable to change."""
    registry.add(Provider("coop", CoopSettings, Sender))
    with caplog.at_level(logging.INFO, "postroom"):
        MailSenderFactory.create_sender("Coop", {"loft": "north side"}, registry=registry)
        config = {"loft": "cellar", "default_from": "Ada <ada@example.com>"}
        MailSenderFactory.create_sender("coop", config, registry=registry)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", 'mail: type=Coop provider=coop loft="north side" from=none'),
        ("INFO", 'mail: type=coop provider=coop loft=cellar from="Ada <ada@example.com>"'),
        ("WARNING", "mail: coop: COOP_LOFT: pigeons do not fly there"),
        ("WARNING", "mail: coop: sky: not to be seen"),
    ]


def test_doubts_that_raise_are_a_load_error(registry: ProviderRegistry) -> None:
    """A settings class whose doubts fail is a broken provider, and nothing of what it raises is quoted."""

    class Nervous(SenderSettings):
        def doubts(self) -> Iterator[tuple[str, str]]:
            raise RuntimeError("hunter2")

    registry.add(Provider("pigeon", Nervous, Sender))
    with pytest.raises(ProviderLoadError, match=r"^mail type pigeon cannot look at its settings: RuntimeError$"):
        MailSenderFactory.create_sender("pigeon", {}, registry=registry)
