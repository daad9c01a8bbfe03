"""The Flask extension: where its settings come from, what it sends, and what it says."""

import logging
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest
from flask import Flask

from postroom import (
    MailConfigError,
    MailConnectionError,
    MailMessage,
    MailMessageError,
    MailSettingsError,
    UnknownProviderError,
)
from postroom_flask import Client, Mail
from smtp_servers import RealServer

SENDER = "no-reply@example.com"


def settings(server: RealServer, **more: object) -> dict[str, object]:
    """Return the variables that lead to a server."""
    return {
        "MAIL_TYPE": "smtp",
        "MAIL_DEFAULT_SEND_FROM": SENDER,
        "SMTP_SERVER": server.host,
        "SMTP_PORT": server.port,
        **more,
    }


def app_with(**config: object) -> Flask:
    """Return an app with this configuration."""
    app = Flask("pigeon")
    app.config.update(config)
    return app


def test_an_app_sends_by_its_own_configuration(real_server: Callable[..., RealServer]) -> None:
    """`Mail(app)` reads `app.config`, and `send` sends an HTML mail from the default sender."""
    server = real_server()
    app = app_with(**settings(server))
    mail = Mail(app)
    assert mail.is_inited()
    assert app.extensions["postroom"] is mail
    mail.send(to="a@example.com, b@example.com", subject="Your code", html="<p>1234</p>")
    mail.sender.close()
    (message,) = server.messages
    assert (message.mail_from, message.rcpt_tos) == (SENDER, ["a@example.com", "b@example.com"])
    assert b"<p>1234</p>" in message.content


def test_what_the_app_does_not_set_is_looked_for_in_the_environment(
    real_server: Callable[..., RealServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`app.config` goes before the environment, and the environment before nothing."""
    server = real_server()
    for name, value in settings(server, SMTP_PORT="1").items():
        monkeypatch.setenv(name, str(value))
    mail = Mail()
    mail.init_app(app_with(SMTP_PORT=server.port))
    mail.send(to="a@example.com", subject="Hello", html="<p>Hello.</p>")
    mail.sender.close()
    assert len(server.messages) == 1


def test_another_object_holds_the_configuration(real_server: Callable[..., RealServer]) -> None:
    """A config object goes in place of `app.config`; an attribute that is no plain value counts as not set."""
    server = real_server()
    config = MagicMock(**settings(server))
    mail = Mail(app_with(MAIL_TYPE="pigeon"), config)
    mail.send(to="a@example.com", subject="Hello", html="<p>Hello.</p>")
    mail.sender.close()
    assert len(server.messages) == 1


def test_a_message_of_any_kind(real_server: Callable[..., RealServer]) -> None:
    """`send_message` takes a `MailMessage`."""
    server = real_server()
    mail = Mail(app_with(**settings(server)))
    mail.send_message(MailMessage("a@example.com", "Hello", text="Hello.", cc="b@example.com"))
    mail.sender.close()
    assert server.messages[0].rcpt_tos == ["a@example.com", "b@example.com"]


def test_without_a_mail_type_there_is_nothing_to_send_with(caplog: pytest.LogCaptureFixture) -> None:
    """The app starts, the log says that no mail will be sent, and whoever sends is told why."""
    mail = Mail(app_with())
    assert not mail.is_inited()
    assert caplog.messages == ["mail: MAIL_TYPE is not set: no mail will be sent"]
    for attempt in (
        lambda: mail.send("a@example.com", "Hello", "<p>Hello.</p>"),
        lambda: mail.send_message(MailMessage("a@example.com", "Hello", "<p>Hello.</p>")),
        lambda: mail.sender,
    ):
        with pytest.raises(MailConfigError, match="Mail client is not initialized: MAIL_TYPE is not set"):
            attempt()


@pytest.mark.parametrize(
    ("config", "error", "text"),
    [
        (
            {"MAIL_TYPE": "smtp"},
            MailSettingsError,
            (
                "smtp-basic: SMTP_SERVER and SMTP_PORT are required for smtp mail type:"
                " set server (SMTP_SERVER) and port (SMTP_PORT)"
            ),
        ),
        (
            {"MAIL_TYPE": "smtp", "SMTP_SERVER": "localhost", "SMTP_PORT": 587, "SMTP_OPPORTUNISTIC_TLS": True},
            MailSettingsError,
            (
                "smtp-basic: SMTP_OPPORTUNISTIC_TLS is not supported without enabling SMTP_USE_TLS:"
                " set use_tls (SMTP_USE_TLS)"
            ),
        ),
        ({"MAIL_TYPE": "resend"}, MailSettingsError, "resend: RESEND_API_KEY is not set: set api_key (RESEND_API_KEY)"),
        (
            {"MAIL_TYPE": "sendgrid"},
            MailSettingsError,
            "sendgrid: SENDGRID_API_KEY is required for SendGrid mail type: set api_key (SENDGRID_API_KEY)",
        ),
        ({"MAIL_TYPE": "pigeon"}, UnknownProviderError, "Unsupported mail type: pigeon. Installed: "),
    ],
)
def test_what_is_wrong_stops_the_app(config: dict[str, object], error: type[Exception], text: str) -> None:
    """Settings that are wrong are a ValueError in the words that Dify has for them, and say what to set."""
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        Mail(app_with(**config))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"to": ""}, "mail to is not set"),
        ({"subject": ""}, "mail subject is not set"),
        ({"html": ""}, "mail html is not set"),
        ({"to": "nobody"}, "'nobody' is not an address"),
    ],
)
def test_a_mail_that_cannot_be_sent(real_server: Callable[..., RealServer], changes: dict[str, str], text: str) -> None:
    """A mail without one of its parts, or to no address, is refused before the server is asked."""
    server = real_server()
    mail = Mail(app_with(**settings(server)))
    with pytest.raises(MailMessageError, match=re.escape(text)):
        mail.send(**{"to": "a@example.com", "subject": "Hello", "html": "<p>Hello.</p>", **changes})
    assert server.messages == []


@pytest.mark.parametrize(
    ("default", "logged", "text"),
    [
        (
            "",
            "mail: smtp-basic: MAIL_DEFAULT_SEND_FROM is not set: a mail that names no sender will be refused",
            "mail from is not set; pass from_, or set MAIL_DEFAULT_SEND_FROM",
        ),
        (
            "dify",
            "mail: smtp-basic: MAIL_DEFAULT_SEND_FROM: this cannot be a sender: 'dify' is not an address: it has no @",
            "MAIL_DEFAULT_SEND_FROM: 'dify' is not an address: it has no @",
        ),
    ],
)
def test_a_default_sender_that_is_none(
    real_server: Callable[..., RealServer], caplog: pytest.LogCaptureFixture, default: str, logged: str, text: str
) -> None:
    """The log says so at boot; a mail is refused with the variable's name, unless it has a sender of its own."""
    server = real_server()
    mail = Mail(app_with(**settings(server, MAIL_DEFAULT_SEND_FROM=default)))
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [logged]
    with pytest.raises(MailMessageError, match=re.escape(text)):
        mail.send(to="a@example.com", subject="Hello", html="<p>Hello.</p>")
    mail.send(to="a@example.com", subject="Hello", html="<p>Hello.</p>", from_="b@example.com")
    mail.sender.close()
    assert [message.mail_from for message in server.messages] == ["b@example.com"]


def test_a_second_call_begins_anew(real_server: Callable[..., RealServer]) -> None:
    """`init_app` may be called again: the new configuration counts, and the old connections are closed."""
    first, second = real_server(), real_server()
    mail = Mail(app_with(**settings(first)))
    mail.send(to="a@example.com", subject="One", html="<p>1</p>")
    mail.init_app(app_with(**settings(second)))
    mail.send(to="a@example.com", subject="Two", html="<p>2</p>")
    assert (len(first.messages), len(second.messages)) == (1, 1)
    mail.init_app(app_with())
    assert not mail.is_inited()


def test_a_failure_keeps_the_old_sender(real_server: Callable[..., RealServer]) -> None:
    """A configuration that is wrong changes nothing."""
    server = real_server()
    mail = Mail(app_with(**settings(server)))
    with pytest.raises(MailConfigError):
        mail.init_app(app_with(MAIL_TYPE="pigeon"))
    mail.send(to="a@example.com", subject="Hello", html="<p>Hello.</p>")
    mail.sender.close()
    assert len(server.messages) == 1


def test_an_error_of_the_server_reaches_the_caller() -> None:
    """`send` raises what the sender raises."""
    mail = Mail(app_with(MAIL_TYPE="smtp", SMTP_SERVER="127.0.0.1", SMTP_PORT=1, MAIL_DEFAULT_SEND_FROM=SENDER))
    with pytest.raises(MailConnectionError):
        mail.send(to="a@example.com", subject="Hello", html="<p>Hello.</p>")


def test_a_client_refuses_what_it_does_not_know(real_server: Callable[..., RealServer]) -> None:
    """A key of a mail's dict that nobody knows is refused by name, and not dropped."""
    mail = Mail(app_with(**settings(real_server())))
    given: dict[str, Any] = {"from": SENDER, "to": "a@example.com", "subject": "Hello", "html": "x", "priority": 1}
    with pytest.raises(MailMessageError, match="a mail has no priority"):
        Client(mail.sender).send(given)
    with pytest.raises(MailMessageError, match="Recipient email address is required"):
        Client(mail.sender).send({"html": "x"})


def test_a_boot_loads_no_other_provider() -> None:
    """With SMTP selected, neither another provider nor what another needs is imported."""
    source = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from postroom_flask import Mail\n"
        "class App: extensions = {}\n"
        "config = {'MAIL_TYPE': 'smtp', 'SMTP_SERVER': 'localhost', 'SMTP_PORT': 25}\n"
        "assert Mail(App(), config).is_inited()\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    modules = set(loaded.stdout.split())
    assert {"postroom", "postroom_smtp", "postroom_smtp_basic"} <= modules
    assert modules.isdisjoint(
        {"postroom_resend", "postroom_sendgrid", "postroom_http", "postroom_smtp_oauth2", "postroom_cli"}
        | {"requests", "urllib3", "msal", "cryptography", "smtplib", "flask"}
    )
