"""What surely does not belong to a value is said at boot, by the variable and the cause, whatever the provider."""

import logging
from collections.abc import Iterator
from typing import Literal

import attrs
import pytest

from postroom import (
    MailSenderFactory,
    MailSettingsError,
    Provider,
    ProviderRegistry,
    Secret,
    SenderSettings,
    UnknownProviderError,
    setting,
)
from postroom.slips import doubt


@attrs.frozen(kw_only=True)
class LoftSettings(SenderSettings):
    """An outside provider's settings; it has forgotten to ask its base class for doubts."""

    loft: str = attrs.field(metadata=setting("where"))
    ring: Secret = attrs.field(metadata=setting("ring", secret=True))
    grains: int = attrs.field(default=1, metadata=setting("cost"))
    weight: float = attrs.field(default=1.0, metadata=setting("weight"))
    at_night: bool = attrs.field(default=False, metadata=setting("fly at night"))
    breed: Literal["homer", "tippler"] = attrs.field(default="homer", metadata=setting("breed"))

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield nothing."""
        return iter(())

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong."""
        yield from super().check()
        if not self.loft.isalnum():
            yield "loft", "loft must be a word"


class Sender:
    """Sends nothing."""

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
    """Return a registry with one provider of somebody else's."""
    registry = ProviderRegistry("acme.nobody")
    registry.add(Provider("pigeon", LoftSettings, Sender))
    return registry


HIDDEN = "hunter2"
SLIPS = {
    '"hunter2"': ("it is in quotes, which docker --env-file keeps", "without quotes"),
    "'hunter2'": ("in quotes", "without quotes"),
    "“hunter2”": ("in quotes", "without quotes"),
    '""': ("in quotes", "without quotes"),
    "hunter2'": ("it ends with a quote that has no counterpart", "without the quote, unless"),
    '"hunter2': ("it begins with a quote", "without the quote"),
    "hunter2\n": ("it ends with a line end, as echo writes one", "without the line end"),
    "hunter2\r\n": ("it ends with a line end", "without the line end"),
    " hunter2": ("it begins with a blank", "without the blank"),
    "hunter2\t": ("it ends with a blank", "without the blank"),
    "\ufeffhunter2": ("byte order mark", "without the byte order mark"),
    "hunter2\xa0": ("an invisible character (U+00A0), as text that is copied from a web page", "without the invisible"),
    "\u200bhunter2": ("an invisible character (U+200B)", "without the invisible character"),
    "hunter2\u2060": ("an invisible character (U+2060)", "without the invisible character"),
    "hunter2 # the password": ("a comment follows it, which docker --env-file keeps", "without the comment"),
    "'hunter2'\n": ("a line end, as echo writes one, and it is in quotes", "without the line end and without quotes"),
}
MEANT = [
    "hunter2",
    "hunter#2",
    "hunt er2",
    "correct horse #2",
    'hun"ter2',
    "it's",
    '"Acme, Inc." <ada@example.com>',
    "Team # 1 <ada@example.com>",
    "-----BEGIN KEY-----\nabc\n-----END KEY-----\n",
    "ü",
]


@pytest.mark.parametrize("value", SLIPS)
def test_a_slip_is_named_by_its_cause(value: str) -> None:
    """What it is, where it comes from, and how to write the value, in one line and without the value."""
    said = doubt(value)
    assert said is not None
    for words in SLIPS[value]:
        assert words in said
    assert said.isprintable()
    assert HIDDEN not in said


@pytest.mark.parametrize("value", [*MEANT, "", 5, True, None, Secret("hunter2")])
def test_what_may_be_meant_is_not_suspicious(value: object) -> None:
    """Quotes that have a counterpart, hashes within words, and the last line end of several lines belong to a value."""
    assert doubt(value) is None


@pytest.mark.parametrize("value", SLIPS)
def test_a_slip_in_a_secret_is_a_warning(birds: ProviderRegistry, caplog: pytest.LogCaptureFixture, value: str) -> None:
    """It names the variable, and comes whatever the provider's own doubts are; the value goes to it unchanged."""
    environ = {"MAIL_TYPE": "pigeon", "PIGEON_LOFT": "roof", "PIGEON_RING": value}
    made = MailSenderFactory.create_from_dify_config(None, environ=environ, registry=birds)
    MailSenderFactory.create_sender("pigeon", {"loft": "roof", "ring": Secret(value)}, registry=birds)
    assert made is not None
    assert made.transport.sender.settings.ring.reveal() == value  # type: ignore[attr-defined]
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert message.startswith("mail: pigeon: PIGEON_RING: it ") or " a comment follows it" in message
        assert HIDDEN not in message


def test_a_slip_in_a_text_is_a_warning_though_it_is_taken_away(
    birds: ProviderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else may read the same variable."""
    environ = {"MAIL_TYPE": "pigeon\n", "PIGEON_LOFT": "roof ", "PIGEON_RING": "r", "PIGEON_GRAINS": " 5 "}
    with caplog.at_level(logging.INFO, "postroom"):
        MailSenderFactory.create_from_dify_config(None, environ=environ, registry=birds)
    assert caplog.messages == [
        "mail: type=pigeon provider=pigeon from=none",
        "mail: pigeon: MAIL_TYPE: it ends with a line end, as echo writes one: write it without the line end",
        "mail: pigeon: PIGEON_LOFT: it ends with a blank: write it without the blank",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("PIGEON_AT_NIGHT", '"true"', "without quotes"),
        ("PIGEON_GRAINS", "'587'", "without quotes"),
        ("PIGEON_GRAINS", "587 # submission", "without the comment"),
        ("PIGEON_GRAINS", "587 #submission", "without the comment"),
        ("PIGEON_GRAINS", "\ufeff587", "without the byte order mark"),
        ("PIGEON_WEIGHT", '"1.5"', "without quotes"),
        ("PIGEON_BREED", '"homer"', "without quotes"),
        ("PIGEON_LOFT", '"roof"', "without quotes"),
        ("PIGEON_LOFT", "roof #here", "without the comment"),
    ],
)
def test_a_refused_value_names_the_slip(birds: ProviderRegistry, variable: str, value: str, remedy: str) -> None:
    """Of any type, converted or checked, the error says what is not part of the value."""
    environ = {"MAIL_TYPE": "pigeon", "PIGEON_LOFT": "roof", "PIGEON_RING": "r", variable: value}
    with pytest.raises(MailSettingsError) as caught:
        MailSenderFactory.create_from_dify_config(None, environ=environ, registry=birds)
    (problem,) = caught.value.problems
    assert problem.variable == variable
    assert problem.reason.endswith(f": write it {remedy})")


def test_a_value_that_is_refused_for_itself_blames_nothing(birds: ProviderRegistry) -> None:
    """A blank that has been taken away is not the cause."""
    with pytest.raises(MailSettingsError) as caught:
        MailSenderFactory.create_sender("pigeon", {"loft": "no roof ", "ring": "r", "grains": "many"}, registry=birds)
    assert [problem.reason for problem in caught.value.problems] == [
        "grains must be a whole number",
        "loft must be a word",
    ]


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ('"pigeon"', "write it without quotes"),
        ("'owl'", "write it without quotes"),
        ("\ufeffpigeon", "write it without the byte order mark"),
        ("pigeon # or owl", "write it without the comment"),
        ("pigoen", "did you mean pigeon?"),
    ],
)
def test_an_unknown_type_names_the_slip(birds: ProviderRegistry, value: str, advice: str) -> None:
    """`MAIL_TYPE` in quotes is no provider that somebody has to install."""
    with pytest.raises(UnknownProviderError) as caught:
        MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": value}, registry=birds)
    assert str(caught.value).endswith(f"; {advice}")
