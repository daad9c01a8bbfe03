"""Secrets: every way in which one could come to light, and the one way in which it does."""

import copy
import json
import logging
import pickle
import pprint
import string
import traceback

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Secret, SenderSettings, setting

HIDDEN = "hunter2"


@attrs.frozen(kw_only=True)
class LoftSettings(SenderSettings):
    """Settings with a secret of each kind."""

    ring: Secret = attrs.field(converter=Secret, metadata=setting("number on the ring", secret=True))
    spare: Secret | None = attrs.field(default=None, metadata=setting("second ring", secret=True))


SETTINGS = LoftSettings(ring=HIDDEN, spare=Secret(HIDDEN))


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r}",
        lambda secret: f"{secret:>10}",
        lambda secret: f"{secret:.2}",
        lambda secret: f"{secret:x}",
        lambda secret: f"{secret:{'%Y'}}",
        lambda secret: format(secret, "no format at all"),
        "{:>10}".format,
        "{0:*^20s}".format,
        lambda secret: "%10s" % secret,  # noqa: UP031
        lambda secret: "%-10.4r" % secret,  # noqa: UP031
        lambda secret: logging.Formatter("{message:>20}", style="{").format(
            logging.LogRecord("pigeon", logging.INFO, "", 0, secret, None, None)
        ),
        "{}".format,
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: string.Template("$x").substitute(x=secret),
        lambda secret: str([secret, {"key": secret}, (secret,)]),
        pprint.pformat,
        lambda secret: str(ValueError(secret)),
    ],
)
def test_a_secret_shows_as_stars(show: object) -> None:
    """Every way to make text of a secret gives stars."""
    shown = show(Secret(HIDDEN))  # type: ignore[operator]
    assert "***" in shown
    assert HIDDEN not in shown


@given(st.text(min_size=4))
def test_reveal_gives_the_value(value: str) -> None:
    """`reveal` gives the value as it was given, and a secret of a secret is the same secret."""
    assert Secret(value).reveal() == Secret(Secret(value)).reveal() == value
    assert repr(Secret(value)) == str(Secret(value)) == "***"


def test_settings_show_their_secrets_as_stars() -> None:
    """Neither the repr of settings nor what attrs makes of them shows a secret."""
    for shown in (
        repr(SETTINGS),
        str(attrs.asdict(SETTINGS)),
        str(attrs.astuple(SETTINGS)),
        str(attrs.evolve(SETTINGS)),
    ):
        assert shown.count("***") == 2
        assert HIDDEN not in shown


def test_a_log_shows_stars(caplog: pytest.LogCaptureFixture) -> None:
    """A secret that somebody logs shows as stars, at every level and in a traceback."""
    logger = logging.getLogger("pigeon")
    with caplog.at_level(logging.DEBUG):
        logger.debug("%s %r %s", Secret(HIDDEN), Secret(HIDDEN), SETTINGS)
        try:
            raise ValueError(SETTINGS.ring)
        except ValueError as error:
            logger.exception("%s", SETTINGS.ring)
            raised = "".join(traceback.format_exception(error))
    assert HIDDEN not in caplog.text + raised
    assert "***" in caplog.text


def test_json_refuses_a_secret() -> None:
    """A secret is no JSON, and the error does not show it; whoever asks for text instead gets stars."""
    with pytest.raises(TypeError, match="Secret") as caught:
        json.dumps({"key": Secret(HIDDEN)})
    assert HIDDEN not in str(caught.value)
    assert json.dumps({"key": Secret(HIDDEN)}, default=str) == '{"key": "***"}'


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [Secret(HIDDEN), SETTINGS], ids=["secret", "settings"])
def test_a_secret_is_not_pickled(value: object, protocol: int) -> None:
    """A secret does not leave the process by pickle, alone or in settings, and the error says what to do instead."""
    with pytest.raises(TypeError, match="a Secret is not pickled: build the sender in the process that uses it"):
        pickle.dumps(value, protocol)


def test_a_copy_is_the_same_secret() -> None:
    """Copies of a secret, and of what holds one, keep it."""
    secret = Secret(HIDDEN)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert copy.deepcopy(SETTINGS) == SETTINGS
    assert copy.deepcopy(SETTINGS).ring.reveal() == HIDDEN


def test_secrets_are_equal_by_their_values() -> None:
    """Two secrets with one value are equal and have one hash; a secret is never equal to its text."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_false() -> None:
    """An empty secret is false, like the text that it holds."""
    assert not Secret("")
    assert Secret("x")


def test_a_secret_has_no_attributes_to_look_into() -> None:
    """A secret has no `__dict__` that a debugger or serializer would walk, and takes no new attributes."""
    assert not hasattr(Secret(HIDDEN), "__dict__")
    with pytest.raises(AttributeError):
        Secret(HIDDEN).note = "x"  # type: ignore[attr-defined]
