"""Control characters in a configuration are refused for every provider alike, before anything is sent."""

import attrs
import pytest

from postroom import MailSenderFactory, MailSettingsError, Provider, ProviderRegistry, Secret, SenderSettings, setting

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
IN_TEXT = ["\t", "\n", "\r"]


@attrs.frozen(kw_only=True)
class PigeonSettings(SenderSettings):
    """Settings of a provider that nobody has heard of; they have a rule of their own, too."""

    keeper: str | None = attrs.field(default=None, metadata=setting("who keeps them", env="LOFT_KEEPER"))
    ring: Secret | None = attrs.field(default=None, metadata=setting("number of the ring", secret=True))


def problem(**config: object) -> str | None:
    """Return what a provider's settings are refused with; None if they are taken."""
    registry = ProviderRegistry()
    registry.add(Provider("pigeon", PigeonSettings, lambda _: None))  # type: ignore[arg-type, return-value]
    with pytest.raises(Exception) as caught:
        MailSenderFactory.create_sender("pigeon", config, registry=registry)
    if not isinstance(caught.value, MailSettingsError):
        return None
    said = f"{caught.value} {caught.value!r}"
    assert "ada" not in said
    assert "\\x" not in said
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("char", CONTROLS, ids=ascii)
def test_a_control_character_is_refused(char: str) -> None:
    """The error has the variable and not the value; in a secret, tabs and line ends are text."""
    said = "pigeon: keeper must hold no control characters: set keeper (LOFT_KEEPER)"
    assert problem(keeper=f"ada{char}lovelace") == said
    hidden = "pigeon: ring must hold no control characters: set ring (PIGEON_RING)"
    assert problem(ring=f"ada{char}lovelace") == (None if char in IN_TEXT else hidden)


def test_a_secret_that_is_no_unicode_is_refused() -> None:
    """An environment in another encoding gives lone surrogates, which no service takes; a file may be named so."""
    broken = b"ada h\xfcsch".decode("utf-8", "surrogateescape")
    assert problem(ring=broken) == "pigeon: ring must be valid UTF-8: set ring (PIGEON_RING)"
    assert problem(keeper=broken) is None


@pytest.mark.parametrize("text", ["ada", "Zoë Ångström", "通知", "a\u00a0b", "a\u200bb", "🔑", "a b"])
def test_any_other_text_is_taken(text: str) -> None:
    """Whatever alphabet somebody writes in, and blanks of all kinds."""
    assert problem(keeper=text, ring=text) is None


def test_blanks_around_a_text_are_none_of_it() -> None:
    """A line end behind a value is taken away as ever, and stays in a secret, where it may be meant."""
    assert problem(keeper="ada\r\n", ring="ada\n") is None


def test_a_field_is_said_once() -> None:
    """What a field holds and what its own rule says about it are not two problems; other fields have theirs."""

    @attrs.frozen(kw_only=True)
    class Strict(PigeonSettings):
        def check(self):  # type: ignore[no-untyped-def]
            yield "keeper", "keeper must be a name"
            yield "ring", "ring must be a number"

    with pytest.raises(MailSettingsError) as caught:
        Strict(keeper="ada\x01")
    reasons = [(each.field, each.reason) for each in caught.value.problems]
    assert reasons == [("keeper", "keeper must hold no control characters"), ("ring", "ring must be a number")]
