"""What Dify's own tests demand of `extensions.ext_mail`, in our words. Runs inside the patched miniature.

Their configuration is a mock: whatever is not set is a truthy object.
"""

from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock, patch

import pytest
from extensions.ext_mail import Mail

SMTP = {
    "MAIL_TYPE": "smtp",
    "MAIL_DEFAULT_SEND_FROM": "no-reply@example.com",
    "SMTP_SERVER": "smtp.example.com",
    "SMTP_PORT": 465,
    "SMTP_USERNAME": "user@example.com",
    "SMTP_PASSWORD": "a password",
    "SMTP_USE_TLS": True,
    "SMTP_OPPORTUNISTIC_TLS": False,
}
RESEND = {"MAIL_TYPE": "resend", "MAIL_DEFAULT_SEND_FROM": "no-reply@example.com", "RESEND_API_KEY": "re_a_key"}


@pytest.fixture
def config() -> Iterator[MagicMock]:
    """Put a mock in the place of `dify_config`."""
    with patch("extensions.ext_mail.dify_config") as mock:
        yield mock


def made(config: MagicMock, values: dict[str, Any], **changes: object) -> Mail:
    """Return a `Mail` that has been initialised."""
    for name, value in {**values, **changes}.items():
        setattr(config, name, value)
    mail = Mail()
    mail.init_app(MagicMock())
    return mail


def test_smtp(config: MagicMock) -> None:
    """Settings of an SMTP server make a client."""
    mail = made(config, SMTP)
    assert mail.is_inited() is True
    assert mail._client is not None


def test_resend(config: MagicMock) -> None:
    """A key of Resend's makes a client, with and without an address of the API."""
    assert made(config, RESEND, RESEND_API_URL=None).is_inited() is True
    assert made(config, RESEND, RESEND_API_URL="https://resend.example.com").is_inited() is True


def test_sendgrid(config: MagicMock) -> None:
    """A key of SendGrid's makes a client, also in the spelling of Dify's field description."""
    assert made(config, RESEND, MAIL_TYPE="sendGrid", SENDGRID_API_KEY="SG.a-key").is_inited() is True


def test_no_mail_type(config: MagicMock) -> None:
    """Without MAIL_TYPE there is no client, and no error."""
    assert made(config, {}, MAIL_TYPE=None).is_inited() is False


@pytest.mark.parametrize(
    ("values", "changes", "text"),
    [
        (SMTP, {"SMTP_SERVER": None}, "SMTP_SERVER and SMTP_PORT are required for smtp mail type"),
        (SMTP, {"SMTP_PORT": None}, "SMTP_SERVER and SMTP_PORT are required for smtp mail type"),
        (
            SMTP,
            {"SMTP_USE_TLS": False, "SMTP_OPPORTUNISTIC_TLS": True},
            "SMTP_OPPORTUNISTIC_TLS is not supported without enabling SMTP_USE_TLS",
        ),
        (SMTP, {"MAIL_TYPE": "unsupported_provider"}, "Unsupported mail type"),
        (RESEND, {"RESEND_API_KEY": None}, "RESEND_API_KEY is not set"),
        (
            RESEND,
            {"MAIL_TYPE": "sendgrid", "SENDGRID_API_KEY": ""},
            "SENDGRID_API_KEY is required for SendGrid mail type",
        ),
    ],
)
def test_what_is_wrong(config: MagicMock, values: dict[str, Any], changes: dict[str, Any], text: str) -> None:
    """Wrong settings are a ValueError, in the words that Dify has for them."""
    with pytest.raises(ValueError, match=text):
        made(config, values, **changes)


def test_not_initialised() -> None:
    """A mail before `init_app` is a ValueError."""
    with pytest.raises(ValueError, match="Mail client is not initialized"):
        Mail().send(to="grace@example.com", subject="Test", html="<p>Test</p>")


@pytest.mark.parametrize("missing", ["from", "to", "subject", "html"])
def test_what_a_mail_needs(missing: str) -> None:
    """A mail without one of its parts is a ValueError, and no client is asked."""
    mail = Mail()
    mail._client = MagicMock()
    mail._default_send_from = "" if missing == "from" else "no-reply@example.com"
    parts = {"to": "grace@example.com", "subject": "Test", "html": "<p>Test</p>"} | {missing: ""}
    parts.pop("from", None)
    with pytest.raises(ValueError, match=f"mail {missing} is not set"):
        mail.send(**parts)
    mail._client.send.assert_not_called()


@pytest.mark.parametrize("from_", [None, "", "other@example.com"])
def test_the_sender(from_: str | None) -> None:
    """The client gets one dict, with the sender that is given, or else with the default."""
    mail = Mail()
    mail._client = MagicMock()
    mail._default_send_from = "default@example.com"
    mail.send(to="not an address", subject="测试 🎉", html="<p>你好</p>", from_=from_)
    (given,), _ = mail._client.send.call_args
    assert given == {
        "from": from_ or "default@example.com",
        "to": "not an address",
        "subject": "测试 🎉",
        "html": "<p>你好</p>",
    }
