"""The registration of a provider, and what a message needs of it."""

import datetime

import attrs
import pytest

from postroom import Attachment, Capability, MailMessage, Provider, SenderSettings
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
    """Title, prefix and capabilities have defaults made of the name, and may be given."""
    plain = Provider("pigeon", SenderSettings, print)
    assert (plain.title, plain.env_prefix, plain.capabilities) == ("pigeon", "PIGEON_", frozenset())
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
