"""What an operator may write into the settings of an SMTP provider, and what is said about the rest."""

from pathlib import Path

import pytest

from postroom import MailSettingsError, describe
from postroom_smtp.settings import SmtpSettings
from postroom_smtp_basic.settings import SmtpBasicSettings
from smtp_checks import assert_sound, sender


def problems(**config: object) -> list[tuple[str, str | None, str]]:
    """Return what is wrong with a configuration, as field, variable and reason."""
    with pytest.raises(MailSettingsError) as caught:
        sender({"server": "localhost", "port": 25, **config})
    assert_sound(caught.value)
    return [(problem.field, problem.variable, problem.reason) for problem in caught.value.problems]


def test_the_names_are_those_that_operators_rely_on() -> None:
    """A name that changes breaks somebody's deployment."""
    assert {info.variable for info in describe(SmtpBasicSettings, "SMTP_")} == {
        "MAIL_DEFAULT_SEND_FROM",
        "SMTP_TIMEOUT",
        "SMTP_SERVER",
        "SMTP_PORT",
        "SMTP_USERNAME",
        "SMTP_PASSWORD",
        "SMTP_USE_TLS",
        "SMTP_OPPORTUNISTIC_TLS",
        "SMTP_TLS_MODE",
        "SMTP_CA_FILE",
        "SMTP_TLS_VERIFY",
        "SMTP_LOCAL_HOSTNAME",
        "SMTP_DEADLINE",
        "SMTP_POOL_SIZE",
        "SMTP_POOL_IDLE",
        "SMTP_POOL_MAX_MESSAGES",
        "SMTP_PIPELINING",
        "SMTP_AUTH_TYPE",
    }


def test_only_server_and_port_are_required() -> None:
    """A relay that needs no login is two settings."""
    assert [info.variable for info in describe(SmtpBasicSettings, "SMTP_") if info.required] == [
        "SMTP_SERVER",
        "SMTP_PORT",
    ]


@pytest.mark.parametrize("config", [{}, {"server": "", "port": " "}, {"server": None, "port": None}])
def test_without_server_and_port_both_are_asked_for_in_one_sentence(config: dict[str, object]) -> None:
    """Dify's sentence, with the fields and the variables."""
    with pytest.raises(MailSettingsError) as caught:
        sender(config)
    assert (
        str(caught.value)
        == "smtp-basic: SMTP server and port are required: set server (SMTP_SERVER) and port (SMTP_PORT)"
    )


@pytest.mark.parametrize(
    "server",
    [
        "localhost",
        "mail.example.com",
        "mail.example.com.",
        "xn--bcher-kva.example",
        "my_relay",
        "smtp-relay",
        "127.0.0.1",
        "::1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "fe80::1%eth0",
        "a" * 63 + ".example",
    ],
)
def test_a_server_is_a_name_or_an_address(server: str) -> None:
    """Whatever can be looked up or connected to."""
    assert SmtpSettings(server=server, port=25).server == server


@pytest.mark.parametrize(
    "server",
    [
        "mail.example.com:587",
        "10.0.0.1:25",
        "cafe:25",
        "mail:",
        "smtp://mail.example.com",
        "user@mail.example.com",
        "[::1]",
        "mail example.com",
        "bücher.example",
        ".example.com",
        "mail..example.com",
        ".",
        "a" * 64 + ".example",
    ],
)
def test_a_server_with_more_than_its_name_is_refused(server: str) -> None:
    """A port, a scheme, a user, brackets, or what no resolver takes."""
    ((field, variable, reason),) = problems(server=server)
    assert (field, variable) == ("server", "SMTP_SERVER")
    assert "without scheme, user, port or brackets" in reason


@pytest.mark.parametrize("server", ["mail\texample.com", "mail\r\nexample.com", "mail\x00.example.com"])
def test_a_server_with_a_control_character_is_refused(server: str) -> None:
    """By core, as in any other text."""
    assert problems(server=server) == [("server", "SMTP_SERVER", "server must hold no control characters")]


@pytest.mark.parametrize("port", [0, -1, 65536, "70000"])
def test_a_port_is_from_1_to_65535(port: object) -> None:
    """A number that is no port."""
    assert problems(port=port) == [("port", "SMTP_PORT", "port must be from 1 to 65535")]


@pytest.mark.parametrize("port", ["smtp", "25.0", 25.5, True, [25]])
def test_a_port_is_a_whole_number(port: object) -> None:
    """A name of a service is not looked up."""
    assert problems(port=port) == [("port", "SMTP_PORT", "port must be a whole number")]


@pytest.mark.parametrize("name", ["app", "app.example.com", "a-b.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_a_local_hostname_is_a_name_or_a_literal(name: str) -> None:
    """What RFC 5321 section 4.1.2 lets EHLO say."""
    assert SmtpSettings(server="localhost", port=25, local_hostname=name).local_hostname == name


@pytest.mark.parametrize(
    "name", ["a b", "a\r\nMAIL FROM:<x@example.com>", "bücher.example", "-a", "a.", "[a b]", "a_b"]
)
def test_a_local_hostname_cannot_be_more(name: str) -> None:
    """It goes into a command."""
    ((field, variable, _),) = problems(local_hostname=name)
    assert (field, variable) == ("local_hostname", "SMTP_LOCAL_HOSTNAME")


@pytest.mark.parametrize("field", ["timeout", "deadline"])
@pytest.mark.parametrize("value", [0, -1, "-0.5"])
def test_seconds_are_more_than_0(field: str, value: object) -> None:
    """Zero would be no blocking at all."""
    assert problems(**{field: value}) == [
        (field, f"SMTP_{field.upper()}", f"{field} must be more than 0 and at most 86400 seconds")
    ]


@pytest.mark.parametrize("value", ["nan", "inf", "soon"])
def test_seconds_are_a_number(value: str) -> None:
    """Neither endless nor a word."""
    assert problems(deadline=value) == [("deadline", "SMTP_DEADLINE", "deadline must be a number")]


def test_a_tls_mode_is_one_of_three() -> None:
    """The choices are said."""
    assert problems(tls_mode="ssl") == [
        ("tls_mode", "SMTP_TLS_MODE", "tls mode must be one of none, starttls, implicit")
    ]


def test_a_ca_file_is_a_file(tmp_path: Path) -> None:
    """A directory is none."""
    assert problems(ca_file=str(tmp_path)) == [("ca_file", "SMTP_CA_FILE", "ca file does not exist here")]


def test_every_problem_is_said_at_once() -> None:
    """Nobody likes to restart five times."""
    found = problems(
        server="a b", port=0, deadline=0, timeout=0, opportunistic_tls=True, ca_file="/none", local_hostname="a b"
    )
    assert {field for field, _, _ in found} == {
        "server",
        "port",
        "deadline",
        "timeout",
        "use_tls",
        "ca_file",
        "local_hostname",
    }


def test_an_unknown_setting_is_refused_with_a_guess() -> None:
    """A typo is not passed over in silence."""
    ((field, variable, reason),) = problems(use_tsl=True)
    assert (field, variable) == ("use_tsl", None)
    assert "did you mean 'use_tls'?" in reason
