"""The settings of every provider with an HTTP API."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from postroom import MailSenderFactory, MailSettingsError, Secret, setting
from postroom_http.settings import HttpSettings

URL = "https://api.example.com"


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_key: Secret = attrs.field(metadata=setting("key", secret=True))


def problems(**more: Any) -> list[tuple[str, str]]:
    """Return what is wrong with the settings: field and reason."""
    try:
        Settings(**{"api_key": Secret("key"), "api_url": URL, **more})
    except MailSettingsError as error:
        return [(problem.field, problem.reason) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}/",
        f"{URL}:8443/v3/",
        "HTTPS://API.example.com",
        "https://[2001:db8::1]:8443",
        "https://xn--mnchen-3ya.example",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://127.0.0.1:8080/base",
        "http://127.1.2.3",
        "http://[::1]:8080",
    ],
)
def test_an_address_of_an_api_is_taken(url: str) -> None:
    """HTTPS goes anywhere; plain HTTP to this host only."""
    assert problems(api_url=url) == []


MALFORMED = "must look like https://api.example.com"
NOT_PLAIN = "must begin with https; http is for a server on this host"


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("", MALFORMED),
        ("api.example.com", MALFORMED),
        ("api.example.com:443", MALFORMED),
        ("//api.example.com", MALFORMED),
        ("https://", MALFORMED),
        ("https:///path", MALFORMED),
        ("https://:443", MALFORMED),
        ("ftp://api.example.com", MALFORMED),
        ("file:///etc/passwd", MALFORMED),
        ("https://api.example .com", MALFORMED),
        ("https://münchen.example", MALFORMED),
        ("https://api.example.com/é", MALFORMED),
        ("https://api.example.com\\evil.example", MALFORMED),
        ("https://api.example.com:https", "is not a URL"),
        ("https://api.example.com:65536", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://user:pass-word@api.example.com", "must hold no user name and no password"),
        ("http://localhost@evil.example", "must hold no user name and no password"),
        ("https://api.example.com?key=pass-word", "must hold no ? and no #"),
        ("https://api.example.com/#pass-word", "must hold no ? and no #"),
        ("http://api.example.com", NOT_PLAIN),
        ("http://192.168.1.1", NOT_PLAIN),
        ("http://0.0.0.0", NOT_PLAIN),
        ("http://localhost.example.com", NOT_PLAIN),
        ("http://127.0.0.1.example.com", NOT_PLAIN),
        ("http://[2001:db8::1]", NOT_PLAIN),
    ],
)
def test_a_wrong_address_is_refused(url: str, wrong: str) -> None:
    """It is said what is wrong, and a password in it is not quoted."""
    assert problems(api_url=url) == [("api_url", f"api url {wrong}")]
    assert "pass-word" not in wrong


@pytest.mark.parametrize("url", ["https://api.example.com/\n", "https://api.exa\tmple.com"])
def test_an_address_with_a_control_character_is_refused(url: str) -> None:
    """By core, as in any other text: `urlsplit` would take it away without a word."""
    assert problems(api_url=url) == [("api_url", "api url must hold no control characters")]


@pytest.mark.parametrize("key", ["re_123", "SG.abc-_.xyz", "a/b+c=", "!#$%&()*,:;<>?@[]^`{|}~\\"])
def test_a_key_of_visible_ascii_is_taken(key: str) -> None:
    """Whatever a vendor makes keys of fits into a header."""
    assert problems(api_key=Secret(key)) == []


@pytest.mark.parametrize(
    "key",
    ["sk 1", " sk1", "sk1 ", "sk1\r\nX-Evil: 1", "sk1\t", '"sk1"', "'sk1'", '"sk1"\n', "sk1é", "sk1\u200b"],
)
def test_a_key_that_fits_no_header_is_refused(key: str) -> None:
    """Remains of a copy or a quotation are said when the settings are read, without the key."""
    wrong = problems(api_key=Secret(key))
    assert wrong == [
        ("api_key", "api key must be visible ASCII characters, without blanks, quotes or a line end"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_a_key_with_a_line_end_says_where_it_is(end: str) -> None:
    """A key that `echo` has written into a file is right but for its end."""
    assert problems(api_key=Secret(f"sk1{end}")) == [
        ("api_key", "api key ends with a line end: remove it (`echo` adds one)")
    ]


@pytest.mark.parametrize("char", ["\x00", "\x01", "\x1b", "\x7f", "\x85"])
def test_a_key_with_a_control_character_is_refused_once(char: str) -> None:
    """Core refuses it for every provider, and the rule for keys says nothing more."""
    assert problems(api_key=Secret(f"sk{char}1")) == [("api_key", "api key must hold no control characters")]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_at_all_is_refused(seconds: float) -> None:
    """A deadline and a time-out are more than nothing."""
    assert problems(deadline=seconds) == [("deadline", "deadline must be more than 0 and at most 86400 seconds")]
    assert problems(timeout=seconds) == [("timeout", "timeout must be more than 0 and at most 86400 seconds")]


def test_a_ca_file_must_be_there(tmp_path: Path, ca: Any) -> None:
    """A file that is not there, or is a directory, is said before any network."""
    assert problems(ca_file=ca.ca_file) == []
    for path in (tmp_path, tmp_path / "none.pem"):
        assert problems(ca_file=str(path)) == [("ca_file", "ca file does not exist here")]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """An operator corrects all settings in one go, by the names of the variables, and no value is quoted."""
    config = {
        "api_key": "sk 1",
        "api_url": "http://user:pass-word@example.com",
        "deadline": "0",
        "timeout": "soon",
        "ca_file": "/does/not/exist.pem",
        "api_uri": "x",
    }
    with pytest.raises(MailSettingsError) as caught:
        MailSenderFactory.create_sender("resend", config)
    assert str(caught.value) == (
        "resend: unknown setting 'api_uri', did you mean 'api_url'?; "
        "timeout must be a number: set timeout (RESEND_TIMEOUT); "
        "api url must hold no user name and no password: set api_url (RESEND_API_URL); "
        "deadline must be more than 0 and at most 86400 seconds: set deadline (RESEND_DEADLINE); "
        "ca file does not exist here: set ca_file (RESEND_CA_FILE); "
        "api key must be visible ASCII characters, without blanks, quotes or a line end: set api_key (RESEND_API_KEY)"
    )


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("resend", "RESEND_API_KEY is not set: set api_key (RESEND_API_KEY)"),
        (
            "sendgrid",
            "SENDGRID_API_KEY is required for SendGrid mail type: set api_key (SENDGRID_API_KEY)",
        ),
    ],
)
@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_missing_key_is_said(provider: str, text: str, key: str | None) -> None:
    """The key is the one setting that has no default, and is asked for in the words that Dify has for it."""
    with pytest.raises(MailSettingsError) as caught:
        MailSenderFactory.create_sender(provider, {"api_key": key})
    assert str(caught.value) == f"{provider}: {text}"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_time_is_a_number(value: str) -> None:
    """What no clock can measure is refused."""
    with pytest.raises(MailSettingsError, match="deadline must be a number"):
        MailSenderFactory.create_sender("resend", {"api_key": "k", "deadline": value})


def test_the_repr_shows_no_key() -> None:
    """Settings may be printed."""
    assert "sk1" not in repr(Settings(api_key=Secret("sk1"), api_url=URL))
