"""`smtp-basic` end to end: from what an operator sets to a mail in a real server."""

import email
import email.policy
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from postroom import Attachment, Capability, MailMessage, MailMessageError, MailSenderFactory, MailSettingsError
from postroom_smtp_basic.plugin import postroom_provider
from postroom_testing import Certificates
from smtp_checks import PASSWORD, USER, message, sender
from smtp_servers import RealServer


def variables(server: RealServer, ca: Certificates) -> dict[str, str]:
    """Return Dify's variables for a submission server; the last three are due to the test's port, CA and sender."""
    return {
        "MAIL_TYPE": "smtp",
        "SMTP_SERVER": server.host,
        "SMTP_PORT": str(server.port),
        "SMTP_USERNAME": USER,
        "SMTP_PASSWORD": PASSWORD,
        "SMTP_USE_TLS": "true",
        "SMTP_AUTH_TYPE": "basic",
        "SMTP_TLS_MODE": "starttls",
        "SMTP_CA_FILE": ca.ca_file,
        "MAIL_DEFAULT_SEND_FROM": "Dify <noreply@example.com>",
    }


@pytest.fixture
def submission(real_server: Callable[..., RealServer], ca: Certificates) -> RealServer:
    """A server that takes a message only over TLS, and only from whom it knows."""
    return real_server(tls=ca.good, login=(USER, PASSWORD))


def assert_arrived(server: RealServer) -> None:
    """Assert that the message of these tests is there, once, encrypted and logged in."""
    (delivered,) = server.messages
    assert (delivered.tls, delivered.user) == (True, USER)
    assert (delivered.mail_from, delivered.rcpt_tos) == ("noreply@example.com", ["ada@example.com"])
    arrived = email.message_from_bytes(delivered.content, policy=email.policy.default)
    assert (arrived["From"], arrived["To"]) == ("Dify <noreply@example.com>", "ada@example.com")
    assert arrived["Subject"] == "Willkommen, schöne Grüße"
    assert arrived.get_content() == "<p>Hallo</p>\r\n"


MESSAGE = MailMessage(to="ada@example.com", subject="Willkommen, schöne Grüße", html="<p>Hallo</p>")


def test_difys_variables_in_the_environment_send_a_mail(
    submission: RealServer, ca: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`create_from_dify_config(None)` reads the process's environment."""
    for name, value in variables(submission, ca).items():
        monkeypatch.setenv(name, value)
    made = MailSenderFactory.create_from_dify_config(None)
    assert made is not None
    with made:
        assert made.is_configured()
        assert made.test_connection()
        made.send(MESSAGE)
    assert_arrived(submission)
    assert MESSAGE.from_ is None


@pytest.mark.parametrize("typed", [False, True])
def test_difys_config_object_sends_a_mail(submission: RealServer, ca: Certificates, typed: bool) -> None:
    """The same variables as attributes, as text or with the types that Dify's configuration gives them."""
    config = SimpleNamespace(**variables(submission, ca), SMTP_OPPORTUNISTIC_TLS=None, RESEND_API_KEY=None)
    if typed:
        config.SMTP_PORT, config.SMTP_USE_TLS, config.SMTP_OPPORTUNISTIC_TLS = submission.port, True, False
    made = MailSenderFactory.create_from_dify_config(config, environ={})
    assert made is not None
    with made:
        made.send(MESSAGE)
    assert_arrived(submission)


def test_settings_by_field_name_send_a_mail(submission: RealServer, ca: Certificates) -> None:
    """`create_sender` takes a mapping."""
    config = {
        "server": submission.host,
        "port": submission.port,
        "username": USER,
        "password": PASSWORD,
        "use_tls": True,
        "auth_type": "basic",
        "default_from": "Dify <noreply@example.com>",
        "tls_mode": "starttls",
        "ca_file": ca.ca_file,
    }
    with MailSenderFactory.create_sender("smtp", config) as made:
        made.send(MESSAGE)
    assert_arrived(submission)


def test_implicit_tls_needs_no_tls_mode_on_a_port_of_its_own(
    real_server: Callable[..., RealServer], ca: Certificates
) -> None:
    """`use_tls` alone, on any port but 25 and 587, begins with TLS."""
    server = real_server(tls=ca.good, implicit=True, login=(USER, PASSWORD))
    config = variables(server, ca)
    del config["SMTP_TLS_MODE"]
    made = MailSenderFactory.create_from_dify_config(None, environ=config)
    assert made is not None
    with made:
        made.send(MESSAGE)
    assert_arrived(server)


def test_a_relay_without_tls_and_login_is_two_settings(real_server: Callable[..., RealServer]) -> None:
    """What many deployments have."""
    server = real_server()
    with sender(server.settings()) as made:
        made.send(message())
    (delivered,) = server.messages
    assert (delivered.tls, delivered.user, delivered.mail_from) == (False, None, "grace@example.com")


def test_everything_that_it_declares_arrives(real_server: Callable[..., RealServer]) -> None:
    """Attachments, inline images and headers."""
    server = real_server()
    with sender(server.settings()) as made:
        made.send(
            message(
                html='<img src="cid:logo">',
                attachments=[
                    Attachment("logo.png", b"\x89PNG", content_id="logo", inline=True),
                    Attachment("übersicht.txt", b"a\nb"),
                ],
                headers={"List-Unsubscribe": "<https://example.com/u>"},
            )
        )
    arrived = email.message_from_bytes(server.messages[0].content, policy=email.policy.default)
    assert arrived["List-Unsubscribe"] == "<https://example.com/u>"
    assert [part.get_content_type() for part in arrived.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "text/plain",
    ]
    assert [(part.get_filename(), part.get_content()) for part in arrived.iter_attachments()] == [
        ("übersicht.txt", "a\nb")
    ]


@pytest.mark.parametrize(("field", "value"), [("tags", ["a"]), ("metadata", {"a": "b"})])
def test_what_smtp_cannot_carry_is_refused(real_server: Callable[..., RealServer], field: str, value: object) -> None:
    """It is not dropped in silence."""
    server = real_server()
    with sender(server.settings()) as made, pytest.raises(MailMessageError, match=f"smtp-basic cannot carry {field}"):
        made.send(message(**{field: value}))
    assert server.messages == []


@pytest.mark.parametrize("auth_type", ["oauth2", "plain"])
def test_another_auth_type_is_a_contradiction(auth_type: str) -> None:
    """Whoever names this provider and another way to log in means one of them."""
    config = {"server": "localhost", "port": 25, "auth_type": auth_type}
    with pytest.raises(MailSettingsError, match="auth type must be basic for smtp-basic"):
        MailSenderFactory.create_sender("smtp-basic", config)


def test_it_registers_under_its_name() -> None:
    """The registration that the registry reads."""
    provider = postroom_provider()
    assert (provider.name, provider.title, provider.env_prefix) == ("smtp-basic", "SMTP", "SMTP_")
    assert provider.capabilities == {Capability.ATTACHMENTS, Capability.INLINE_ATTACHMENTS, Capability.HEADERS}
