"""`MAIL_TYPE=smtp` is a family: the auth type chooses the provider."""

import pytest

from postroom import MailSenderFactory, UnknownProviderError
from postroom_smtp.plugin import postroom_route

PLACE: dict[str, object] = {"server": "localhost", "port": 25}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, "smtp-basic"),
        ({"auth_type": None}, "smtp-basic"),
        ({"auth_type": "  "}, "smtp-basic"),
        ({"auth_type": "basic"}, "smtp-basic"),
        ({"auth_type": " Basic\n"}, "smtp-basic"),
        ({"auth_type": "oauth2"}, "smtp-oauth2"),
        ({"auth_type": "ntlm"}, "smtp-ntlm"),
        ({"client_id": "x"}, "smtp-oauth2"),
        ({"client_id": "x", "password": ""}, "smtp-oauth2"),
        ({"client_id": "x", "password": "y"}, "smtp-basic"),
        ({"client_id": "x", "auth_type": "basic"}, "smtp-basic"),
        ({"client_id": "x", "password": "y", "auth_type": "oauth2"}, "smtp-oauth2"),
    ],
)
def test_the_auth_type_names_the_provider(config: dict[str, object], name: str) -> None:
    """Said outright, or guessed: a client id without a password can only mean OAuth2."""
    assert postroom_route(config) == name


@pytest.mark.parametrize("config", [{}, {"auth_type": "basic"}, {"auth_type": "BASIC"}])
def test_smtp_is_smtp_basic_unless_it_says_otherwise(config: dict[str, object]) -> None:
    """The factory follows the route."""
    with MailSenderFactory.create_sender("smtp", PLACE | config) as made:
        assert made.provider == "smtp-basic"


def test_an_auth_type_that_nobody_brings_says_what_to_install() -> None:
    """The error names the route, so that the operator knows where the name comes from."""
    with pytest.raises(UnknownProviderError, match=r"smtp-ntlm \(chosen by smtp.*pip install postroom-smtp-ntlm"):
        MailSenderFactory.create_sender("smtp", PLACE | {"auth_type": "ntlm"})


def test_the_provider_can_be_named_without_the_route() -> None:
    """`smtp-basic` is a mail type of its own."""
    with MailSenderFactory.create_sender("smtp-basic", PLACE) as made:
        assert made.provider == "smtp-basic"


def test_both_names_are_supported_types() -> None:
    """The family and its member."""
    assert {"smtp", "smtp-basic"} <= {*MailSenderFactory.get_supported_types()}
