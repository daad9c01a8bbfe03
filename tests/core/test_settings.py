"""Settings: what a raw configuration becomes, and how everything that is wrong with it is said."""

import traceback
from collections.abc import Iterator
from typing import Annotated, Literal, Optional

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import (
    MailConfigError,
    MailSettingsError,
    Secret,
    SenderSettings,
    SettingInfo,
    SettingProblem,
    describe,
    setting,
)
from postroom.settings import load


@attrs.frozen(kw_only=True)
class LoftSettings(SenderSettings):
    """A field of each type, some required, with a rule between two of them."""

    name: str = attrs.field(metadata=setting("name of the loft"))
    ring: Secret = attrs.field(converter=Secret, metadata=setting("number on the ring", secret=True))
    grains: int = attrs.field(default=10, metadata=setting("what a flight costs"))
    weight: float = attrs.field(default=0.5, metadata=setting("how much one carries"))
    at_night: bool = attrs.field(default=False, metadata=setting("fly at night"))
    breed: Literal["homer", "Tippler"] = attrs.field(default="homer", metadata=setting("which kind flies"))
    owner: str | None = attrs.field(default=None, metadata=setting("whose they are", env="PIGEON_OWNER"))
    spare: Secret | None = attrs.field(default=None, metadata=setting("second ring", secret=True))
    height: Optional[int] = attrs.field(default=None, metadata=setting("how high they fly"))  # noqa: UP045
    coat: Literal["grey", "white"] | None = attrs.field(default=None, metadata=setting("colour"))

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between the fields."""
        yield from super().check()
        if self.grains < 1:
            yield "grains", "grains must be at least 1"
        if self.at_night and self.breed == "homer":
            yield "breed", "homers do not fly at night"
        if self.name == self.owner:
            yield "owner", "a loft does not own itself"


GIVEN = {"name": "Dove Cote", "ring": "r-1"}


def loaded(**config: object) -> LoftSettings:
    """Load the settings with what is required and this."""
    return load(LoftSettings, {**GIVEN, **config}, provider="pigeon", prefix="PIGEON_")


def refused(config: dict[str, object], settings: type[SenderSettings] = LoftSettings) -> MailSettingsError:
    """Return the error of a configuration."""
    with pytest.raises(MailSettingsError) as caught:
        load(settings, config, provider="pigeon", prefix="PIGEON_")
    return caught.value


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("name", "Cote", "Cote"),
        ("name", "  Cote \n", "Cote"),
        ("name", 5, "5"),
        ("name", 1.5, "1.5"),
        ("name", True, "True"),
        ("ring", "  r 1 ", Secret("  r 1 ")),
        ("ring", Secret("r"), Secret("r")),
        ("spare", "r", Secret("r")),
        ("grains", 7, 7),
        ("grains", " 7 ", 7),
        ("weight", 7, 7.0),
        ("weight", "0.25", 0.25),
        ("weight", " 1e2 ", 100.0),
        ("height", "7", 7),
        ("at_night", False, False),
        *(("at_night", word, False) for word in ("false", "False", " FALSE ", "0", "no", "N", "off", "f", 0)),
        ("breed", "tippler", "Tippler"),
        ("breed", " TIPPLER ", "Tippler"),
        ("coat", "White", "white"),
        ("timeout", "2.5", 2.5),
        ("default_from", " Grace <grace@example.com> ", "Grace <grace@example.com>"),
    ],
)
def test_a_raw_value_is_converted_to_the_type_of_its_field(field: str, raw: object, value: object) -> None:
    """Text from the environment and values of a config object become the type that the field is annotated with."""
    made = getattr(loaded(**{field: raw}), field)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize("raw", [True, "true", " True", "1", 1, "yes", "Y", "on", "t"])
def test_what_is_true(raw: object) -> None:
    """A bool is true in all the ways that people write it."""
    assert loaded(at_night=raw, breed="tippler").at_night is True


@pytest.mark.parametrize(
    ("field", "raw", "reason"),
    [
        ("name", ["a"], "name must be text"),
        ("name", b"a", "name must be text"),
        ("ring", 5, "ring must be text"),
        ("spare", ["x"], "spare must be text"),
        ("grains", "ten", "grains must be a whole number"),
        ("grains", "1.5", "grains must be a whole number"),
        ("grains", 1.5, "grains must be a whole number"),
        ("grains", True, "grains must be a whole number"),
        ("grains", "9" * 5000, "grains must be a whole number"),
        ("grains", "\u0663\u0663", "grains must be a whole number"),
        ("grains", "\uff13", "grains must be a whole number"),
        ("grains", "1_000", "grains must be a whole number"),
        ("height", [], "height must be a whole number"),
        ("weight", "\u0663.5", "weight must be a number"),
        ("weight", "1_0.5", "weight must be a number"),
        ("weight", "heavy", "weight must be a number"),
        ("weight", "nan", "weight must be a number"),
        ("weight", "inf", "weight must be a number"),
        ("weight", "1e999", "weight must be a number"),
        ("weight", 10**400, "weight must be a number"),
        ("weight", False, "weight must be a number"),
        ("at_night", "maybe", "at night must be true or false"),
        ("at_night", 2, "at night must be true or false"),
        ("at_night", 1.0, "at night must be true or false"),
        ("breed", "eagle", "breed must be one of homer, Tippler"),
        ("breed", ["homer"], "breed must be one of homer, Tippler"),
        ("coat", "red", "coat must be one of grey, white"),
    ],
)
def test_what_cannot_be_converted_is_a_problem(field: str, raw: object, reason: str) -> None:
    """A value of the wrong kind is a problem that names the field, its variable, and what it must be."""
    error = refused({**GIVEN, field: raw})
    assert error.problems == (SettingProblem(field, f"PIGEON_{field.upper()}", reason),)
    assert str(error) == f"pigeon: {reason}: set {field} (PIGEON_{field.upper()})"
    assert error.__cause__ is None


@pytest.mark.parametrize("unset", [None, "", "  ", "\n\t"])
def test_none_and_blank_text_are_unset(unset: object) -> None:
    """None and blank text take the default, or are a problem where there is none."""
    settings = loaded(grains=unset, weight=unset, at_night=unset, breed=unset, owner=unset, spare=unset, timeout=unset)
    assert settings == loaded()
    assert refused({"name": unset, "ring": unset}).problems == (
        SettingProblem("name", "PIGEON_NAME", "name is required"),
        SettingProblem("ring", "PIGEON_RING", "ring is required"),
    )


def test_all_problems_are_said_at_once() -> None:
    """Unknown, missing, malformed and contradicting settings come in one error, with the variable of each."""
    error = refused({"grain": 1, "lofts": "x", "ring": "r", "weight": "heavy", "grains": 0, "at_night": "yes"})
    assert error.problems == (
        SettingProblem("grain", None, "unknown setting 'grain', did you mean 'grains'?"),
        SettingProblem("lofts", None, "unknown setting 'lofts'"),
        SettingProblem("name", "PIGEON_NAME", "name is required"),
        SettingProblem("weight", "PIGEON_WEIGHT", "weight must be a number"),
        SettingProblem("grains", "PIGEON_GRAINS", "grains must be at least 1"),
        SettingProblem("breed", "PIGEON_BREED", "homers do not fly at night"),
    )
    assert error.provider == "pigeon"
    assert isinstance(error, MailConfigError)
    assert isinstance(error, ValueError)
    assert "\n" not in str(error)


def test_a_field_is_blamed_once() -> None:
    """What stands in for a value that cannot be used is not blamed a second time."""
    assert refused({**GIVEN, "grains": "ten"}).problems == (
        SettingProblem("grains", "PIGEON_GRAINS", "grains must be a whole number"),
    )


def test_two_fields_that_share_a_reason_are_one_sentence() -> None:
    """Fields that are missing together are said together, with all their variables."""

    @attrs.frozen(kw_only=True)
    class ServerSettings(SenderSettings):
        server: str = attrs.field(metadata=setting("server", missing="SMTP server and port are required"))
        port: int = attrs.field(metadata=setting("port", missing="SMTP server and port are required"))

    error = refused({}, ServerSettings)
    assert str(error) == (
        "pigeon: SMTP server and port are required: set server (PIGEON_SERVER) and port (PIGEON_PORT)"
    )


def test_a_timeout_is_more_than_nothing() -> None:
    """The time-out that every provider has must be positive."""
    assert refused({**GIVEN, "timeout": "0"}).problems == (
        SettingProblem("timeout", "PIGEON_TIMEOUT", "timeout must be more than 0 and at most 86400 seconds"),
    )


def test_contradictions_are_found_without_a_configuration_too() -> None:
    """A settings class that is made directly checks itself; it knows no variables then."""
    with pytest.raises(MailSettingsError) as caught:
        LoftSettings(name="x", ring="r", grains=0, timeout=-1)
    assert caught.value.problems == (
        SettingProblem("timeout", None, "timeout must be more than 0 and at most 86400 seconds"),
        SettingProblem("grains", None, "grains must be at least 1"),
    )
    assert str(caught.value) == (
        "LoftSettings: timeout must be more than 0 and at most 86400 seconds; grains must be at least 1"
    )


def test_settings_are_frozen_and_given_by_name() -> None:
    """Settings cannot be changed after they have been checked, nor given by position."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        loaded().grains = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        LoftSettings("x", "r")  # type: ignore[misc]


@given(
    garbage=st.text(st.characters(codec="utf-8"), max_size=30),
    field=st.sampled_from(["grains", "weight", "at_night", "breed", "height", "coat", "timeout"]),
)
def test_no_value_is_ever_in_the_text(garbage: str, field: str) -> None:
    """Neither the text nor the repr nor the traceback of an error shows a value, secret or not."""
    value = f"hunter2{garbage}"
    error = refused({"ring": value, "spare": value, field: value, "owner": value})
    shown = f"{error} {error!r} {error.problems} {error.args}"
    assert "hunter2" not in shown + "".join(traceback.format_exception(error))


def test_the_validators_of_attrs_do_not_show_a_value() -> None:
    """A validator that raises what it likes, and quotes the value, becomes an error that names the class alone."""

    @attrs.frozen(kw_only=True)
    class Strict(SenderSettings):
        code: str = attrs.field(validator=attrs.validators.max_len(3), metadata=setting("a code"))

    error = refused({"code": "hunter2-hunter2"}, Strict)
    assert str(error) == "pigeon: Strict refuses the settings with ValueError"
    assert (error.__cause__, error.__context__) == (None, None), "its text would be in every traceback"


def test_a_check_that_stumbles_does_not_hide_the_problems() -> None:
    """A rule that cannot cope with what stands in for a missing value leaves the other problems to be said."""

    @attrs.frozen(kw_only=True)
    class Clumsy(SenderSettings):
        code: str = attrs.field(metadata=setting("a code"))

        def check(self) -> Iterator[tuple[str, str]]:
            """Look at the first letter of what may be empty."""
            if self.code[0] == "x":
                yield "unheard", "no code begins with x"

    assert refused({}, Clumsy).problems == (SettingProblem("code", "PIGEON_CODE", "code is required"),)
    assert refused({"code": "x"}, Clumsy).problems == (SettingProblem("unheard", None, "no code begins with x"),)


def test_describe_tells_all_about_the_fields() -> None:
    """`describe` returns each field in its order with its variable, how to write it, and whether it is needed."""
    described = {info.field: info for info in describe(LoftSettings, "PIGEON_")}
    assert list(described) == [
        "default_from", "timeout", "name", "ring", "grains", "weight", "at_night", "breed", "owner", "spare", "height",
        "coat",
    ]  # fmt: skip
    assert {field: info.variable for field, info in described.items()} == {
        "default_from": "MAIL_DEFAULT_SEND_FROM",
        "timeout": "PIGEON_TIMEOUT",
        "name": "PIGEON_NAME",
        "ring": "PIGEON_RING",
        "grains": "PIGEON_GRAINS",
        "weight": "PIGEON_WEIGHT",
        "at_night": "PIGEON_AT_NIGHT",
        "breed": "PIGEON_BREED",
        "owner": "PIGEON_OWNER",
        "spare": "PIGEON_SPARE",
        "height": "PIGEON_HEIGHT",
        "coat": "PIGEON_COAT",
    }
    assert {field: info.type for field, info in described.items()} == {
        "default_from": "text",
        "timeout": "a number",
        "name": "text",
        "ring": "text",
        "grains": "a whole number",
        "weight": "a number",
        "at_night": "true or false",
        "breed": "one of homer, Tippler",
        "owner": "text",
        "spare": "text",
        "height": "a whole number",
        "coat": "one of grey, white",
    }
    assert [field for field, info in described.items() if info.required] == ["name", "ring"]
    assert [field for field, info in described.items() if info.secret] == ["ring", "spare"]
    assert described["name"].missing == "name is required"
    assert described["at_night"].missing == "at night is required"
    assert described["grains"].help == "what a flight costs"
    assert (described["grains"].default, described["name"].default, described["owner"].default) == (10, None, None)


def test_a_field_without_metadata_is_a_programmer_error() -> None:
    """A settings class with a field that says nothing about itself is a `TypeError` that names the field."""

    @attrs.frozen(kw_only=True)
    class Silent(SenderSettings):
        code: str = "x"

    with pytest.raises(TypeError, match=r"settings field 'code' has no metadata=setting\(...\)"):
        load(Silent, {}, provider="pigeon", prefix="PIGEON_")


@pytest.mark.parametrize(
    "annotation",
    [
        bytes,
        list[str],
        dict,
        str | int,
        str | int | None,
        Literal[1, 2],
        None,
        Annotated[bytes, "x"],
        SenderSettings,
        type,
    ],
    ids=str,
)
def test_an_unsupported_annotation_is_a_programmer_error(annotation: object) -> None:
    """A field of a type that cannot be read from text is a `TypeError` that names the field and the type."""
    made = attrs.make_class(
        "Odd",
        {"code": attrs.field(default=None, type=annotation, metadata=setting("a code"))},
        bases=(SenderSettings,),
        frozen=True,
        kw_only=True,
    )
    with pytest.raises(TypeError, match=r"settings field 'code' is annotated with .*, not with str, int, float, bool"):
        describe(made, "PIGEON_")


def test_a_secret_field_is_annotated_with_secret() -> None:
    """A field that is said to be secret, and would show itself, is a `TypeError`."""

    @attrs.frozen(kw_only=True)
    class Careless(SenderSettings):
        key: str = attrs.field(metadata=setting("a key", secret=True))

    with pytest.raises(
        TypeError, match=r"settings field 'key' is secret, but annotated with .*str.* instead of Secret"
    ):
        describe(Careless, "PIGEON_")


@pytest.mark.parametrize(
    ("default", "secret", "text"),
    [(None, False, ""), (True, False, "true"), (180.0, False, "180"), (0.5, False, "0.5"), (587, False, "587"),
     ("basic", False, "basic"), ("hunter2", True, "***"), (None, True, "")],
)  # fmt: skip
def test_a_default_is_shown_as_an_operator_writes_it(default: object, secret: bool, text: str) -> None:
    """The docs and the command line show the same text, and neither a secret."""
    info = SettingInfo("a", "A", "help", "text", secret, required=False, missing="", default=default)
    assert info.default_text == text
