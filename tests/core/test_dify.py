"""Dify's configuration: which value counts, and where it comes from."""

import types
from unittest.mock import MagicMock, Mock

import attrs
import pytest

from postroom import MailSenderFactory, Provider, ProviderRegistry, Secret, SenderSettings, setting
from postroom.dify import DifySource, PrefixedSource


@attrs.frozen(kw_only=True)
class LoftSettings(SenderSettings):
    """Settings with a required field, a secret, and one of another variable."""

    loft: str = attrs.field(metadata=setting("where they live"))
    ring: Secret | None = attrs.field(default=None, metadata=setting("number on the ring", secret=True))
    at_night: bool = attrs.field(default=False, metadata=setting("fly at night"))
    grains: int = attrs.field(default=10, metadata=setting("what a flight costs", env="GRAIN_PRICE"))


class Sender:
    """Keeps its settings."""

    def __init__(self, settings: LoftSettings) -> None:
        self.settings = settings

    def send(self, message: object) -> None:
        """Send nothing."""

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def test_connection(self) -> bool:
        """Say yes."""
        return True


@pytest.fixture
def birds() -> ProviderRegistry:
    """Return a registry with one provider."""
    registry = ProviderRegistry("acme.nobody")
    registry.add(Provider("pigeon", LoftSettings, Sender))
    return registry


def made(registry: ProviderRegistry, config: object, **environ: str) -> LoftSettings:
    """Return the settings of the sender that this configuration makes."""
    sender = MailSenderFactory.create_from_dify_config(config, environ=environ, registry=registry)
    settings = sender.transport.sender.settings  # type: ignore[union-attr]
    assert isinstance(settings, LoftSettings)
    return settings


@pytest.mark.parametrize("value", ["x", " x ", 0, 1, 1.5, True, False])
def test_values_of_plain_types_count(value: object) -> None:
    """Text, numbers and booleans of the config object are values, also those that are false."""
    assert DifySource(types.SimpleNamespace(X=value), {"X": "environ"}).get("X") is value


@pytest.mark.parametrize("value", [None, "", "  ", [], ["x"], {}, object(), b"x", Mock(), MagicMock(), str])
def test_anything_else_is_unset(value: object) -> None:
    """Anything else, such as the attributes of a mock, is unset; the environment is asked then."""
    config = types.SimpleNamespace(X=value)
    assert DifySource(config, {}).get("X") is None
    assert DifySource(config, {"X": "environ"}).get("X") == "environ"


def test_the_environment_stands_behind_the_config() -> None:
    """The attribute goes first; the environment has what Dify does not declare; blank text is unset in both."""
    source = DifySource(types.SimpleNamespace(A="attribute", B=""), {"A": "a", "B": "b", "C": "c", "D": " "})
    assert [source.get(name) for name in "ABCDE"] == ["attribute", "b", "c", None, None]


def test_a_prefixed_source_reads_a_familys_variables() -> None:
    """A route asks by field name and gets the variable of the family."""
    source = PrefixedSource(DifySource(None, {"SMTP_AUTH_TYPE": "ntlm"}), "SMTP_")
    assert source.get("auth_type") == "ntlm"
    assert source.get("client_id") is None


def test_a_provider_gets_its_own_variables_alone(birds: ProviderRegistry) -> None:
    """Only variables that the settings class declares reach it, by prefix or by the name that a field says."""
    source = DifySource(
        types.SimpleNamespace(PIGEON_LOFT="north", PIGEON_OTHER="x", SMTP_PASSWORD="p"),
        {"GRAIN_PRICE": "3", "PIGEON_GRAINS": "4", "MAIL_DEFAULT_SEND_FROM": "a@example.com", "LOFT": "south"},
    )
    config = source.config_for(birds.provider("pigeon", {}))
    assert config == {"loft": "north", "grains": "3", "default_from": "a@example.com"}


@pytest.mark.parametrize("config", [None, object(), types.SimpleNamespace(), types.SimpleNamespace(MAIL_TYPE="")])
@pytest.mark.parametrize("environ", [{}, {"MAIL_TYPE": ""}, {"MAIL_TYPE": "  "}])
def test_without_a_mail_type_there_is_no_sender(
    birds: ProviderRegistry, config: object, environ: dict[str, str]
) -> None:
    """`MAIL_TYPE` that is not set or blank means that the application sends no mail."""
    assert MailSenderFactory.create_from_dify_config(config, environ=environ, registry=birds) is None


def test_a_mock_is_an_empty_config(birds: ProviderRegistry) -> None:
    """A mock, all of whose attributes are truthy objects, counts as a config with nothing set but what is set on it."""
    assert MailSenderFactory.create_from_dify_config(MagicMock(), environ={}, registry=birds) is None
    config = MagicMock(MAIL_TYPE="pigeon", PIGEON_LOFT="north")
    settings = made(birds, config)
    assert settings == LoftSettings(loft="north")


@pytest.mark.parametrize("mail_type", ["pigeon", "Pigeon", " PIGEON "])
def test_the_mail_type_has_no_case(birds: ProviderRegistry, mail_type: str) -> None:
    """`MAIL_TYPE` is taken in any case, as Dify's own description spells `sendGrid`."""
    settings = made(birds, types.SimpleNamespace(MAIL_TYPE=mail_type, PIGEON_LOFT="north", PIGEON_AT_NIGHT=True))
    assert (settings.loft, settings.at_night) == ("north", True)


def test_config_and_environment_mix(birds: ProviderRegistry) -> None:
    """Each variable is looked up for itself, so a provider may be configured from both."""
    config = types.SimpleNamespace(MAIL_TYPE="pigeon", PIGEON_AT_NIGHT=False, PIGEON_RING="")
    settings = made(birds, config, PIGEON_LOFT="south", PIGEON_RING="r-1", PIGEON_AT_NIGHT="true", GRAIN_PRICE=" 3 ")
    assert settings == LoftSettings(loft="south", ring=Secret("r-1"), at_night=False, grains=3)


def test_the_environment_of_the_process_is_the_default(
    birds: ProviderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `environ=`, variables come from the process; with it, from there alone."""
    monkeypatch.setenv("MAIL_TYPE", "pigeon")
    monkeypatch.setenv("PIGEON_LOFT", "north")
    sender = MailSenderFactory.create_from_dify_config(None, registry=birds)
    assert sender is not None
    assert sender.provider == "pigeon"
    assert MailSenderFactory.create_from_dify_config(None, environ={}, registry=birds) is None


def test_a_mapping_is_a_config_too(birds: ProviderRegistry) -> None:
    """The variables may stand in a mapping, such as the config of a Flask app; the environment is behind it."""
    settings = made(birds, {"MAIL_TYPE": "pigeon", "PIGEON_AT_NIGHT": True}, PIGEON_LOFT="south")
    assert (settings.loft, settings.at_night) == ("south", True)


def test_variables_that_nothing_reads_are_named(birds: ProviderRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """A variable with the provider's prefix that is none of its settings is a WARNING, and its value is not shown."""
    config = {"MAIL_TYPE": "pigeon", "PIGEON_LOFT": "north", "PIGEON_NIGHT": "hunter2", "PIGEON_BLANK": " "}
    made(birds, config, PIGEON_XYZ="hunter2", GRAIN="hunter2", SMTP_PASS="hunter2")
    assert caplog.messages == [
        "mail: pigeon: PIGEON_NIGHT is none of its settings; did you mean PIGEON_AT_NIGHT?",
        "mail: pigeon: PIGEON_XYZ is none of its settings; it changes nothing",
    ]


def test_a_config_without_strangers_is_silent(birds: ProviderRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """Settings that are all known give no WARNING."""
    made(birds, types.SimpleNamespace(MAIL_TYPE="pigeon", PIGEON_LOFT="north"), PIGEON_TIMEOUT="5")
    assert caplog.messages == []
