"""The registration of a provider, and what a message needs of it."""

import datetime

import attrs
import pytest

from postroom import Attachment, Capability, Limit, MailMessage, MailMessageError, Provider, SenderSettings
from postroom.provider import env_prefix

FILE = Attachment("a.txt", b"a")
IMAGE = Attachment("a.png", b"a", content_id="a", inline=True)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("resend", "RESEND_"), ("my-mail", "MY_MAIL_"), ("acme2", "ACME2_"), ("smtp-oauth2", "SMTP_OAUTH2_")],
)
def test_the_prefix_of_a_provider_is_its_name(name: str, prefix: str) -> None:
    """A provider that names no prefix reads variables that begin with its name in capitals."""
    assert env_prefix(name) == prefix
    assert Provider(name, SenderSettings, print).env_prefix == prefix


def test_a_provider_may_say_more_than_its_name() -> None:
    """Title, prefix, capabilities and limits have defaults, and may be given."""
    plain = Provider("pigeon", SenderSettings, print)
    assert (plain.title, plain.env_prefix, plain.capabilities, plain.limits) == ("pigeon", "PIGEON_", frozenset(), ())
    full = Provider("pigeon", SenderSettings, print, "Pigeon Post", "DOVE_", [Capability.TAGS, Capability.TAGS])
    assert (full.title, full.env_prefix, full.capabilities) == ("Pigeon Post", "DOVE_", frozenset({Capability.TAGS}))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        full.name = "dove"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, set()),
        ({"text": "x", "cc": "c@example.com", "bcc": "b@example.com", "reply_to": "r@example.com"}, set()),
        ({"attachments": [FILE]}, {Capability.ATTACHMENTS}),
        ({"attachments": [IMAGE]}, {Capability.INLINE_ATTACHMENTS}),
        ({"attachments": [IMAGE, FILE]}, {Capability.ATTACHMENTS, Capability.INLINE_ATTACHMENTS}),
        ({"headers": {"X-A": "1"}}, {Capability.HEADERS}),
        ({"tags": ["a"]}, {Capability.TAGS}),
        ({"metadata": {"a": "1"}}, {Capability.METADATA}),
        ({"send_at": datetime.datetime.now(datetime.UTC)}, {Capability.SEND_AT}),
    ],
)
def test_a_message_needs_what_it_uses(fields: dict[str, object], needed: set[Capability]) -> None:
    """Each optional part of a message needs its capability, and a part that is not used needs none."""
    message = MailMessage("grace@example.com", "Hello", "x", **fields)  # type: ignore[arg-type]
    assert Capability.needed_by(message) == needed


def test_any_name_makes_variables_that_a_shell_can_set() -> None:
    """What is neither letter nor digit becomes an underscore."""
    assert Provider("my.mail-2", SenderSettings, print).env_prefix == "MY_MAIL_2_"


def test_all_capabilities_that_there_are_cannot_be_declared() -> None:
    """A newer core has more of them, which a provider of today would drop: each one is named."""
    with pytest.raises(TypeError, match="name each Capability"):
        Provider("pigeon", SenderSettings, print, capabilities=Capability)


@pytest.mark.parametrize(
    ("field", "held", "said"),
    [
        ("capabilities", ["tags"], "capabilities holds a str, not a Capability"),
        ("limits", [print], "limits holds a builtin_function_or_method, not a Limit"),
        ("rules", ["retry"], "rules holds a str, not a Rule"),
    ],
)
def test_what_a_provider_holds_is_of_its_kind(field: str, held: list[object], said: str) -> None:
    """A slip is told when the provider is made, not when the first mail meets it."""
    with pytest.raises(TypeError, match=said):
        Provider("pigeon", SenderSettings, print, **{field: held})  # type: ignore[arg-type]


def limit(rule: str, found: str | None) -> Limit:
    """Return a limit that finds the same in any message."""
    return Limit(rule, lambda message: found, source=f"https://example.com/{rule.replace(' ', '-')}")


def refusal(provider: Provider, **fields: object) -> str:
    """Return why the provider refuses a message with these fields."""
    with pytest.raises(MailMessageError) as caught:
        provider.check(MailMessage("grace@example.com", "Hello", "x", "ada@example.com", **fields))  # type: ignore[arg-type]
    assert type(caught.value) is MailMessageError
    return str(caught.value)


def test_a_provider_takes_what_it_declares() -> None:
    """A message that needs no more than the capabilities and keeps every limit passes, and nothing comes back."""
    provider = Provider(
        "pigeon", SenderSettings, print, capabilities=[Capability.TAGS], limits=[limit("a", None), limit("b", None)]
    )
    message = MailMessage("grace@example.com", "Hello", "x", "ada@example.com", tags=["t"])
    assert provider.check(message) is None  # type: ignore[func-returns-value]


def test_a_provider_names_all_that_it_cannot_carry() -> None:
    """The refusal lists every part that is not declared, in one order."""
    provider = Provider("pigeon", SenderSettings, print, capabilities=[Capability.HEADERS])
    fields = {"metadata": {"a": "1"}, "attachments": [IMAGE, FILE], "headers": {"X-A": "1"}}
    assert refusal(provider, **fields) == (
        "pigeon cannot carry attachments, inline attachments, metadata: leave it out, or send by another provider"
    )


def test_a_provider_says_which_limit_is_broken() -> None:
    """The refusal has the rule, what was found, and its source; the first broken limit is the one that is said."""
    limits = [limit("at most 3 grains", None), limit("light letters", "5 grams"), limit("short ones", "9 pages")]
    provider = Provider("pigeon", SenderSettings, print, limits=limits)
    assert provider.limits == tuple(limits)
    assert refusal(provider) == (
        "pigeon takes light letters; this message has 5 grams (https://example.com/light-letters)"
    )


def test_an_empty_finding_is_a_finding() -> None:
    """Only None keeps a limit, so what is found may be a text of any length."""
    said = refusal(Provider("pigeon", SenderSettings, print, limits=[limit("names", "")]))
    assert said.startswith("pigeon takes names; ")


def test_capabilities_come_before_limits() -> None:
    """A limit is not asked about a message that could not be carried anyway."""
    asked: list[MailMessage] = []
    asking = Limit("any", asked.append, source="-")
    provider = Provider("pigeon", SenderSettings, print, limits=[asking])
    assert refusal(provider, tags=["t"]).startswith("pigeon cannot carry tags: ")
    assert asked == []
    provider.check(MailMessage("grace@example.com", "Hello", "x", "ada@example.com"))
    assert len(asked) == 1


def test_a_limit_has_a_source_by_name() -> None:
    """Where the service says so must be given, and by name, so that it cannot be taken for the rule."""
    with pytest.raises(TypeError, match="source"):
        Limit("any", print)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Limit("any", print, "https://example.com")  # type: ignore[call-arg]
