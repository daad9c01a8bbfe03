"""What Exchange Online replies becomes the right error, with the command that helps."""

import logging
from collections.abc import Callable

import pytest

from postroom import (
    MailAuthError,
    MailQuotaError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailUnavailableError,
    Outcome,
)
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.microsoft import explain, is_microsoft
from postroom_smtp.replies import Reply
from postroom_smtp_basic.plugin import postroom_provider
from postroom_testing.smtp import SmtpServer
from smtp_checks import PASSWORD, USER, error_of, sender

WHERE = "[XX1PR01CA0001.example.PROD.OUTLOOK.COM 2026-11-20T10:00:00.000Z 08DE2775]"
PASSWORDS = "SMTP_AUTH_TYPE=oauth2"
SWITCH = "Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false"
SEND_AS = "-AccessRights SendAs"

REPLIES: list[tuple[str, str, type[MailSendError], bool, str]] = [
    ("AUTH", "535 5.7.3 Authentication unsuccessful", MailAuthError, False, "SMTP_USERNAME"),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://x",
        MailAuthError, False, "Set-TransportConfig -SmtpClientAuthenticationDisabled $false",
    ),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://x",
        MailAuthError, False, SWITCH,
    ),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
        MailAuthError, False, "conditional access",
    ),
    (
        "AUTH",
        "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated.",
        MailAuthError, False, SWITCH,
    ),
    (
        "AUTH", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        MailAuthError, False, PASSWORDS,
    ),
    (
        "AUTH", "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
        MailAuthError, False, "SMTP_PASSWORD",
    ),
    ("AUTH", "550 5.7.30 Basic authentication is not supported for Client Submission", MailAuthError, False, PASSWORDS),
    ("AUTH", "454 4.7.0 Temporary authentication failure", MailAuthError, True, ""),
    ("MAIL", "530 5.7.57 Client not authenticated to send mail.", MailAuthError, False, "port 587 with STARTTLS"),
    (
        "MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        MailRejectedError, False, SEND_AS,
    ),
    (
        ".", "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        MailRejectedError, False, SEND_AS,
    ),
    (".", "554 5.2.252 SendAsDenied; a@x not allowed to send as b@x", MailRejectedError, False, SEND_AS),
    (
        ".", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed",
        MailRejectedError, False, SEND_AS,
    ),
    (
        ".", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message",
        MailQuotaError, True, "Wait a day",
    ),
    (
        ".", "554 5.2.2 STOREDRV.Submission.Exception:QuotaExceededException; Failed", MailQuotaError, False,
        "Sent Items",
    ),
    (
        "DATA", "550 5.5.105 External sending is not supported for High Volume Email accounts",
        MailRejectedError, False, "outside recipients",
    ),
    ("MAIL", "432 4.3.2 Concurrent connections limit exceeded.", MailRateLimitError, True, "3 connections"),
    ("AUTH", "432 4.3.2 Concurrent connections limit exceeded.", MailRateLimitError, True, "3 connections"),
    ("greeting", "432 4.3.2 Concurrent connections limit exceeded", MailRateLimitError, True, "3 connections"),
    (".", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", MailRateLimitError, True, "30 messages"),
    ("MAIL", "421 4.3.2 Service not available", MailUnavailableError, True, ""),
    ("AUTH", "421 4.7.66 TLS 1.0 and 1.1 are not supported", MailRateLimitError, True, ""),
    ("MAIL", "451 4.7.500 Server busy. Please try again later", MailRateLimitError, True, ""),
    ("MAIL", "452 4.3.1 Insufficient system resources", MailUnavailableError, True, ""),
]  # fmt: skip


@pytest.mark.parametrize(("moment", "reply", "kind", "transient", "remedy"), REPLIES)
def test_a_reply_of_exchange_becomes_its_error(
    smtp_server: Callable[..., SmtpServer],
    moment: str,
    reply: str,
    kind: type[MailSendError],
    transient: bool,
    remedy: str,
) -> None:
    """Class, whether it may pass, and what to do; code, enhanced code and words of the server stay for support."""
    server = smtp_server({moment: f"{reply} {WHERE}\r\n".encode()})
    error = error_of(server.settings(username=USER, password=PASSWORD, timeout=10))
    code, enhanced_code, words = reply.split(" ", 2)
    assert (type(error), error.transient, error.outcome) == (kind, transient, Outcome.NOT_SENT)
    assert (error.code, error.enhanced_code) == (int(code), enhanced_code)
    assert words[:40] in error.reason
    assert remedy in (error.remedy or "")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (535, "5.7.8 SmtpClientAuthentication is disabled for the Tenant"),
        (550, "5.7.139 basic authentication is disabled"),
        (554, "5.2.0 STOREDRV.Submission.Exception:SomethingElse"),
        (554, "5.2.2 mailbox full"),
        (550, "5.7.1 Relaying denied"),
        (432, "4.7.12 A password transition is needed"),
        (550, "Client does not have permissions to send as this sender"),
    ],
)
def test_what_only_resembles_a_known_reply_is_not_explained(code: int, text: str) -> None:
    """Code, enhanced code and words must all be right: another server's reply is not Exchange's."""
    assert explain(Reply(code, (text,)), "mail.example.com:587") is None


def test_the_words_are_found_in_every_line_and_whatever_their_case() -> None:
    """Exchange writes them in either, and over several lines."""
    lines = ("5.7.139 Authentication unsuccessful,", "5.7.139 smtpclientauthentication is DISABLED for the tenant.")
    rule = postroom_provider().diagnose(from_reply(Reply(535, lines), Stage.AUTH, "server:587"))
    assert rule is not None
    assert "Set-TransportConfig" in rule.remedy


@pytest.mark.parametrize(
    "server",
    [
        "smtp.office365.com",
        "SMTP.Office365.com.",
        "smtp-legacy.office365.com",
        "smtp-mail.outlook.com",
        "smtp.office365.us",
        "outlook-dod.office365.us",
        "smtp.partner.outlook.cn",
    ],
)
def test_a_password_for_exchange_warns_once_with_the_date_and_works(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not refused: it still works today."""
    assert is_microsoft(server)
    made = sender({"server": server, "port": 587, "use_tls": True, "username": USER, "password": PASSWORD})
    assert made.is_configured()
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.name == "postroom.factory"
    for words in ("December 2026", "second half of 2027", "SMTP_AUTH_TYPE=oauth2"):
        assert words in warning.getMessage()


@pytest.mark.parametrize(
    ("server", "login"),
    [
        ("smtp.example.com", {"username": USER, "password": PASSWORD}),
        ("smtp.office365.com.example.com", {"username": USER, "password": PASSWORD}),
        ("smtp.office365.com", {}),
    ],
)
def test_other_servers_and_no_password_do_not_warn(
    server: str, login: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A relay that logs nobody in is not affected."""
    sender({"server": server, "port": 587, "use_tls": True, **login})
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
