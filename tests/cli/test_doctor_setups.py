"""Set-ups that are broken, each in one way: the doctor's first line names the cause, and its last the remedy."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from mail_stack import MAILBOX
from oauth_servers import Answer, entra_error
from postroom_testing.http import Reply
from postroom_testing.smtp import Close, Pause, Reset, Silence
from setups import PASSWORD, SECRETS, USER, Bench, Setup, Variables

EXPLAINED = {"name": "invalid_api_key", "message": "API key is invalid", "statusCode": 403}
PORTAL = Reply(200, "<html><body>Welcome to the hotel. Please log in.</body></html>")
DOMAINS = {"data": [{"name": "example.org", "status": "verified"}], "has_more": False}
NO_SENDER = {"MAIL_DEFAULT_SEND_FROM": ""}


def smtp(bench: Bench, **variables: str) -> Variables:
    """Return variables of a server that takes everything, with changes on top."""
    return bench.scripted() | variables


def refused(moment: str, reply: str) -> Callable[[Bench], Variables]:
    """Return what starts a server that says this at one moment."""
    return lambda bench: bench.scripted({moment: reply.encode() + b"\r\n"})


def bad_certificate(kind: str, **changes: str) -> Callable[[Bench], Variables]:
    """Return what starts a server with a certificate that is wrong."""
    return lambda bench: bench.scripted(tls=getattr(bench.ca, kind)) | changes


def token_fault(code: int) -> Callable[[Bench], Variables]:
    """Return what makes the identity service refuse with a code."""

    def make(bench: Bench) -> Variables:
        bench.oauth.fail("token", entra_error(code))
        return bench.exchange({})

    return make


def portal_for_tokens(bench: Bench) -> Variables:
    """Return variables of an identity service that somebody else answers for."""
    bench.oauth.fail("token", Answer(200, "<html>Please log in.</html>"))
    return bench.exchange({})


def without_role(bench: Bench) -> Variables:
    """Return variables whose tokens lack the role that Exchange wants."""
    bench.oauth.tokens.roles = ("Mail.Send",)
    return bench.exchange()


def for_graph(bench: Bench) -> Variables:
    """Return variables whose tokens are for something else."""
    bench.oauth.tokens.audience = "https://graph.microsoft.com"
    return bench.exchange()


def to_postfix(bench: Bench, **variables: str) -> Variables:
    """Return variables that lead to Postfix, with a password."""
    return bench.port(bench.mail.ports["password"], "starttls") | {"SMTP_USERNAME": MAILBOX} | variables


def broken_provider(bench: Bench) -> Variables:
    """Return variables of a provider that cannot be imported."""
    bench.install("acme-pigeon", "pigeon", "import a_package_that_nobody_has\n")
    return {"MAIL_TYPE": "pigeon"}


def two_claims(bench: Bench) -> Variables:
    """Return variables of a provider that two distributions bring."""
    bench.install("acme-pigeon", "pigeon", "")
    bench.install("other-pigeon", "pigeon", "")
    return {"MAIL_TYPE": "pigeon"}


CONFIGURATION = [
    Setup("nothing is set", lambda _: {}, "MAIL_TYPE is not set", "Set MAIL_TYPE to one of console, file", 2),
    Setup("MAIL_TYPE is misspelt", lambda _: {"MAILTYPE": "smtp"}, "MAIL_TYPE is not set", "Rename MAILTYPE", 2),
    Setup("a type is misspelt", lambda _: {"MAIL_TYPE": "smpt"}, "Unsupported mail type: smpt", "MAIL_TYPE=smtp", 2),
    Setup(
        "a provider that is not installed", lambda _: {"MAIL_TYPE": "mailgun"},
        "Unsupported mail type: mailgun", "pip install postroom-mailgun", 2,
    ),
    Setup(
        "a login that there is not", lambda bench: smtp(bench, SMTP_AUTH_TYPE="oath2"),
        "Unsupported mail type: smtp-oath2", "Set SMTP_AUTH_TYPE=oauth2", 2,
    ),
    Setup("a broken provider", broken_provider, "ModuleNotFoundError", "Install acme-pigeon anew", 2),
    Setup("two providers of one name", two_claims, "claimed by acme-pigeon", "Uninstall all but one of acme-pigeon", 2),
    Setup(
        "no server", lambda bench: smtp(bench, SMTP_SERVER=" "),
        "SMTP server and port are required", "Set SMTP_SERVER", 2,
    ),
    Setup(
        "a port that is no number", lambda bench: smtp(bench, SMTP_PORT="smtps"),
        "port must be a whole number", "Set SMTP_PORT to a whole number", 2,
    ),
    Setup(
        "a server with a scheme", lambda bench: smtp(bench, SMTP_SERVER="smtp://mail.example.com"),
        "without scheme", "Correct SMTP_SERVER", 2,
    ),
    Setup(  # dify 26529
        "the TLS switches the wrong way round", lambda bench: smtp(bench, SMTP_OPPORTUNISTIC_TLS="true"),
        "Opportunistic TLS requires TLS", "Set SMTP_USE_TLS=true", 2,
    ),
    Setup(
        "a CA file that is not there", lambda bench: smtp(bench, SMTP_CA_FILE="/nowhere/ca.pem"),
        "ca file does not exist", "Correct SMTP_CA_FILE", 2,
    ),
    Setup(
        "no key for Resend", lambda _: {"MAIL_TYPE": "resend", "RESEND_API_KEY": ""},
        "RESEND_API_KEY is not set", "Set RESEND_API_KEY", 2,
    ),
    Setup(
        "a key in quotes", lambda _: {"MAIL_TYPE": "sendgrid", "SENDGRID_API_KEY": '"SG.abcdefghijklmnop.qrstuvwxyz"'},
        "it is in quotes", "Write SENDGRID_API_KEY without quotes", 2,
    ),
    Setup(
        "a switch in quotes", lambda bench: smtp(bench, SMTP_USE_TLS='"true"'),
        "it is in quotes, which docker --env-file keeps", "Write SMTP_USE_TLS without quotes", 2,
    ),
    Setup(
        "a server in quotes", lambda bench: smtp(bench, SMTP_SERVER="'smtp.example.com'"),
        "it is in quotes", "Write SMTP_SERVER without quotes", 2,
    ),
    Setup(
        "a port with a comment", lambda bench: smtp(bench, SMTP_PORT="587 # submission"),
        "a comment follows it", "Write SMTP_PORT without the comment", 2,
    ),
    Setup(
        "a type in quotes", lambda bench: smtp(bench, MAIL_TYPE='"smtp"'),
        "Unsupported mail type", "Write MAIL_TYPE without quotes", 2,
    ),
    Setup(
        "a kind of login in quotes", lambda bench: smtp(bench, SMTP_AUTH_TYPE='"oauth2"'),
        "Unsupported mail type", "Write SMTP_AUTH_TYPE without quotes", 2,
    ),
    Setup(
        "an API by http", lambda bench: bench.resend() | {"RESEND_API_URL": "http://api.resend.com"},
        "must begin with https", "Correct RESEND_API_URL", 2,
    ),
    Setup(
        "no credential", lambda bench: smtp(bench, SMTP_AUTH_TYPE="oauth2", SMTP_TENANT_ID="a", SMTP_CLIENT_ID="b")
        | {"SMTP_USE_TLS": "true"},
        "exactly one credential is needed", "Set SMTP_CLIENT_SECRET", 2,
    ),
    Setup(
        "a tenant that is none",
        lambda bench: smtp(
            bench, SMTP_AUTH_TYPE="oauth2", SMTP_TENANT_ID="common", SMTP_CLIENT_ID="b", SMTP_CLIENT_SECRET=PASSWORD
        )
        | {"SMTP_USE_TLS": "true"},
        "tenant id must name one tenant", "Correct SMTP_TENANT_ID", 2,
    ),
    Setup(  # dify 10880
        "a sender that is no address", lambda bench: smtp(bench, MAIL_DEFAULT_SEND_FROM="dify"),
        "MAIL_DEFAULT_SEND_FROM", "MAIL_DEFAULT_SEND_FROM", 2, send_to=USER,
    ),
    Setup(  # dify 11798
        "no sender", lambda bench: smtp(bench, **NO_SENDER),
        "the message has no sender", "Set MAIL_DEFAULT_SEND_FROM", 2, send_to=USER,
    ),
    Setup(
        "no sender, and nothing is sent", lambda bench: smtp(bench, **NO_SENDER),
        "MAIL_DEFAULT_SEND_FROM is not set", "Set MAIL_DEFAULT_SEND_FROM", 0,
    ),
    Setup(  # dify 11798
        "an invented variable", lambda bench: smtp(bench, SMTP_ENABLE_SSL="true"),
        "SMTP_ENABLE_SSL is none of the settings", "Remove SMTP_ENABLE_SSL", 0,
    ),
    Setup(
        "a misspelt variable", lambda bench: smtp(bench, SMTP_PASSWROD=PASSWORD),
        "did you mean SMTP_PASSWORD?", "Rename SMTP_PASSWROD to SMTP_PASSWORD", 0,
    ),
    Setup(  # dify 11315
        "the blocks of two providers", lambda bench: smtp(bench, RESEND_API_KEY="re_abcdefghijklmnop"),
        "resend is configured as well", "remove RESEND_API_KEY", 0,
    ),
    Setup(
        "a user name without a password", lambda bench: smtp(bench, SMTP_PASSWORD=""),
        "there is no login", "Check SMTP_PASSWORD", 0,
    ),
]  # fmt: skip

WAY = [
    Setup(
        "a server that there is not", lambda bench: smtp(bench, SMTP_SERVER="mail.invalid"),
        "Nobody knows a host of this name", "Check SMTP_SERVER",
    ),
    Setup(
        "a port that nobody listens on", lambda bench: bench.port(bench.closed()),
        "Nothing listens on this port", "Check SMTP_SERVER and SMTP_PORT",
    ),
    Setup(  # dify 4794
        "plain text to a port with TLS",
        lambda bench: bench.real(tls=bench.ca.good, implicit=True)
        | {"SMTP_USE_TLS": "false", "SMTP_TIMEOUT": "1"},
        "The port begins with TLS", "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=false",
    ),
    Setup(
        "STARTTLS to a port with TLS",
        lambda bench: bench.real(tls=bench.ca.good, implicit=True)
        | {"SMTP_OPPORTUNISTIC_TLS": "true", "SMTP_TIMEOUT": "1"},
        "The port begins with TLS", "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=false",
    ),
    Setup(  # dify 32338
        "TLS to a port with STARTTLS",
        lambda bench: bench.real(tls=bench.ca.good) | {"SMTP_OPPORTUNISTIC_TLS": "false"},
        "The port begins in plain text", "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true",
    ),
    Setup(
        "a TLS alert in place of a greeting",
        lambda bench: bench.scripted({"greeting": b"\x15\x03\x01\x00\x02\x02F\n"}),
        "The port begins with TLS", "SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=false",
    ),
    Setup(
        "a server that says nothing", lambda bench: bench.port(bench.says(b"")) | {"SMTP_TIMEOUT": "1"},
        "takes the connection and says nothing", "Check SMTP_SERVER and SMTP_PORT",
    ),
    Setup(
        "a web server on the port", lambda bench: bench.port(bench.http().port) | {"SMTP_TIMEOUT": "1"},
        "A web server, a proxy or a captive portal", "Set SMTP_PORT",
    ),
    Setup(
        "a web server with TLS on the port", lambda bench: bench.port(bench.http(tls=True).port, "implicit")
        | {"SMTP_TIMEOUT": "1"},
        "A web server, a proxy or a captive portal", "Set SMTP_PORT",
    ),
    Setup(
        "an IMAP server on the port", lambda bench: bench.port(bench.says(b"* OK IMAP4rev1 ready\r\n")),
        "no mail server", "Set SMTP_PORT",
    ),
    Setup(
        "an SSH server on the port", lambda bench: bench.port(bench.says(b"SSH-2.0-OpenSSH_9.6\r\n")),
        "no mail server", "Set SMTP_PORT",
    ),
    Setup(
        "a server that hangs up", lambda bench: bench.scripted({"greeting": Close()}),
        "ends it at once", "Check SMTP_SERVER and SMTP_PORT",
    ),
    Setup(
        # Not at once: a reset may come before the client knows that it is connected.
        "a connection that always breaks", lambda bench: bench.scripted({"greeting": (Pause(0.3), Reset())}),
        "greeting: ", "SMTP_SERVER",
    ),
    Setup(  # dify 11734
        "a login that is offered after STARTTLS only",
        lambda bench: bench.scripted(tls=bench.ca.good, extensions=(), extensions_in_tls=("AUTH PLAIN LOGIN",))
        | {"SMTP_USE_TLS": "false", "SMTP_OPPORTUNISTIC_TLS": "false"},
        "a login after TLS only", "SMTP_USE_TLS=true",
    ),
    Setup(  # dify 21335
        "no STARTTLS", lambda bench: bench.scripted() | {"SMTP_USE_TLS": "true", "SMTP_OPPORTUNISTIC_TLS": "true"},
        "offers no TLS on this port", "SMTP_TLS_MODE=none",
    ),
    Setup("an expired certificate", bad_certificate("expired"), "certificate has expired", "needs a new certificate"),
    Setup("a clock that is slow", bad_certificate("not_yet_valid"), "not valid yet", "Compare the clocks"),
    Setup("a name that is in no certificate", bad_certificate("wrong_host"), "for another host", "Set SMTP_SERVER"),
    Setup("a CA that nobody trusts", bad_certificate("unknown_ca"), "Nobody whom this host trusts", "SMTP_CA_FILE"),
    Setup("a certificate of one's own", bad_certificate("self_signed"), "signed by itself", "SMTP_CA_FILE"),
    Setup(
        "a CA that is not named", bad_certificate("good", SMTP_CA_FILE=""),
        "Nobody whom this host trusts", "SMTP_CA_FILE",
    ),
]  # fmt: skip

DIALOGUE = [
    Setup(
        "a wrong password", lambda bench: bench.real(tls=bench.ca.good, login=(USER, "another")),
        "does not take the user name and the password", "Check SMTP_USERNAME and SMTP_PASSWORD",
    ),
    Setup(
        "a wrong password at Postfix", to_postfix,
        "does not take the user name and the password", "Check SMTP_USERNAME and SMTP_PASSWORD",
    ),
    Setup(
        "no login at Postfix", lambda bench: to_postfix(bench, SMTP_USERNAME="", SMTP_PASSWORD=""),
        "Nobody has logged in", "set SMTP_USERNAME",
    ),
    Setup(
        "no login where one is wanted", lambda bench: bench.real(login=(USER, PASSWORD))
        | {"SMTP_USERNAME": "", "SMTP_PASSWORD": ""},
        "wants a login", "Set SMTP_USERNAME",
    ),
    Setup(
        "only logins that we do not know", lambda bench: bench.scripted(extensions=("AUTH GSSAPI NTLM",)),
        "takes no password", "Set SMTP_AUTH_TYPE",
    ),
    Setup(  # dify 20739
        "QQ with the account's password",
        refused("AUTH", "535 Login Fail. Please enter your authorization code to login. More information in http://x"),
        "QQ wants an authorization code", "Make an authorization code",
    ),
    Setup(
        "QQ in GBK",
        lambda bench: bench.scripted({"AUTH": "535 Error: \u6388\u6743\u7801 http://service.mail.qq.com/x\r\n".encode("gbk")}),
        "QQ wants an authorization code", "Make an authorization code",
    ),
    Setup(
        "QQ or Exmail without SMTP",
        refused("AUTH", "535 Login fail. Account is abnormal, service is not open, password is incorrect"),
        "SMTP is not switched on for the mailbox", "Switch SMTP on",
    ),
    Setup(
        "Alibaba with the account's password", refused("AUTH", "526 Authentication failure[0]"),
        "Alibaba Mail does not take the login", "log in with the password that was made for them",
    ),
    Setup(  # dify 10466
        "QQ with another sender", refused("MAIL", "501 mail from address must be same as authorization user."),
        "QQ sends for the account that logs in only", "Set MAIL_DEFAULT_SEND_FROM to the address that logs in",
    ),
    Setup(  # dify 20107
        "163 with another sender", refused("MAIL", "553 Mail from must equal authorized user"),
        "The server sends for the account that logs in only", "Set MAIL_DEFAULT_SEND_FROM to the address that logs in",
    ),
    Setup(
        "Gmail with the account's password",
        refused("AUTH", "534-5.7.9 Application-specific password required.\r\n534 5.7.9 https://support.google.com"),
        "a password that was made for applications", "Make an app password",
    ),
    Setup(  # dify 30957
        "Google's relay and a container's name",
        refused("MAIL", "550-5.7.1 Invalid credentials for relay [203.0.113.7].\r\n550 5.7.1 The IP address"),
        "Google's relay does not know this host", "Set SMTP_LOCAL_HOSTNAME",
    ),
    Setup(
        "a host that is not welcome", refused("greeting", "554 5.7.1 no service for you"),
        "turns this host away", "allowed",
    ),
    Setup(
        "a name that is not welcome", refused("EHLO", "550 5.7.1 who are you"),
        "the name that we introduce ourselves with", "Set SMTP_LOCAL_HOSTNAME",
    ),
    Setup("a busy server", refused("greeting", "421 4.3.2 too busy"), "it is busy", "Wait some minutes"),
    Setup("throttling", refused("MAIL", "451 4.7.1 greylisted"), "holds us back", "Wait some minutes"),
    Setup(
        "a sender that is not welcome", refused("MAIL", "550 5.1.8 no such domain"),
        "does not take mail from this sender", "MAIL_DEFAULT_SEND_FROM",
    ),
    Setup(
        "a relay that does not know us", refused("RCPT", "554 5.7.1 <a@example.org>: Relay access denied"),
        "for its own users only", "Set SMTP_USERNAME", send_to="a@example.org",
    ),
    Setup(
        "a recipient that there is not", refused("RCPT", "550 5.1.1 no such user"),
        "There is no such mailbox", "Check the recipient's address", send_to="nobody@example.com",
    ),
    Setup(
        "a message that is not welcome", refused(".", "554 5.7.1 spam"),
        "for a reason of policy", "Check SPF, DKIM and DMARC", send_to=USER,
    ),
    Setup(
        "no answer to the message", lambda bench: bench.scripted({".": Silence()}) | {"SMTP_TIMEOUT": "1"},
        "did not answer in time", "look for <", 3, send_to=USER,
    ),
]  # fmt: skip

MICROSOFT = [
    Setup("a wrong secret", token_fault(7000215), "The client secret is wrong", "SMTP_CLIENT_SECRET"),
    Setup("an old secret", token_fault(7000222), "The client secret has expired", "SMTP_CLIENT_SECRET"),
    Setup("another tenant", token_fault(90002), "There is no such tenant", "SMTP_TENANT_ID"),
    Setup("another application", token_fault(700016), "does not know the application", "SMTP_CLIENT_ID"),
    Setup("conditional access", token_fault(53003), "Conditional access blocks", "Ask for an exception"),
    Setup("a portal", portal_for_tokens, "A captive portal or a proxy", "check SMTP_OAUTH2_AUTHORITY"),
    Setup(
        "an identity service that cannot be reached",
        lambda bench: bench.exchange({}, SMTP_OAUTH2_AUTHORITY=f"https://localhost:{bench.closed()}"),
        "cannot reach the identity service", "Check SMTP_OAUTH2_AUTHORITY",
    ),
    Setup("a token without the role", without_role, "The server does not take the token", "lacks the role SMTP.Send"),
    Setup("a token for something else", for_graph, "The server does not take the token", "New-ServicePrincipal"),
    Setup(
        "SMTP AUTH is off for the tenant",
        lambda bench: bench.exchange(
            {"AUTH": [b"334 \r\n", b"535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.\r\n"]}
        ),
        "SMTP AUTH is switched off for the tenant", "Set-TransportConfig",
    ),
    Setup(
        "a sender that is not the mailbox's",
        lambda bench: bench.exchange({"MAIL": b"550 5.7.60 SMTP; Client does not have permissions to send as it\r\n"}),
        "may not send as this sender", "Add-RecipientPermission",
    ),
    Setup(
        "a password, where passwords are off",
        refused("AUTH", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."),
        "Passwords are switched off", "set SMTP_AUTH_TYPE=oauth2",
    ),
]  # fmt: skip

APIS = [
    Setup(
        "Resend: a wrong key", lambda bench: bench.resend(Reply(403, EXPLAINED)),
        "does not know the key", "RESEND_API_KEY",
    ),
    Setup(
        "Resend: a domain that is not verified", lambda bench: bench.resend(Reply(200, DOMAINS)),
        "not verified", "https://resend.com/domains",
    ),
    Setup("Resend: a portal", lambda bench: bench.resend(PORTAL), "captive portal", "RESEND_API_URL"),
    Setup(
        "Resend: a redirect", lambda bench: bench.resend(Reply(302, "", {"Location": "https://login.example.com/"})),
        "captive portal", "It redirects: set RESEND_API_URL",
    ),
    Setup(
        "Resend: nobody there", lambda bench: bench.resend() | {"RESEND_API_URL": f"http://127.0.0.1:{bench.closed()}"},
        "connect: ", "RESEND_API_URL",
    ),
    Setup(
        "Resend: a CA that nobody trusts", lambda bench: bench.resend(tls=True),
        "tls: ", "RESEND_CA_FILE",
    ),
    Setup(
        "Resend: the quota is used up",
        lambda bench: bench.resend(
            Reply(200, {"data": [{"name": "example.com", "status": "verified"}], "has_more": False}),
            Reply(429, {"name": "daily_quota_exceeded", "message": "no more", "statusCode": 429}),
        ),
        "what its plan allows in a day", "Wait until tomorrow", send_to=USER,
    ),
    Setup(
        "SendGrid: a wrong key",
        lambda bench: bench.sendgrid(Reply(401, {"errors": [{"message": "invalid", "field": None, "help": None}]})),
        "key", "SENDGRID_API_KEY",
    ),
    Setup(
        "SendGrid: a key that may not send", lambda bench: bench.sendgrid(Reply(200, {"scopes": ["alerts.read"]})),
        "scope", "mail.send",
    ),
    Setup(
        "SendGrid: a sender that is not verified",
        lambda bench: bench.sendgrid(
            Reply(200, {"scopes": ["mail.send"]}), Reply(200, []), Reply(200, {"results": []})
        ),
        "verified", "https://app.sendgrid.com/settings/sender_auth",
    ),
    Setup("SendGrid: a server in trouble", lambda bench: bench.sendgrid(Reply(503)), "overloaded", "Try again later"),
]  # fmt: skip

ALL = [*CONFIGURATION, *WAY, *DIALOGUE, *MICROSOFT, *APIS]


@pytest.mark.parametrize("setup", ALL, ids=lambda setup: setup.name)
def test_a_broken_setup_is_explained(
    setup: Setup,
    run: Callable[..., Result],
    site: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first line names the cause and the last the remedy, in half a minute, without a trace or a secret."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in setup.make(Bench(request, site)).items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    result = run("doctor", *(["--send-to", setup.send_to] if setup.send_to else []))
    assert time.monotonic() - began < 30
    first, *_, last = result.stdout.splitlines()
    assert setup.cause in first, result.stdout
    assert setup.remedy in last, result.stdout
    assert last.startswith("remedy ")
    assert result.exit_code == setup.exit_code
    assert first.startswith("failed" if setup.exit_code else "ok")
    assert result.stderr == ""
    assert "Traceback" not in result.stdout
    assert not [secret for secret in SECRETS if secret in result.stdout]


def test_there_are_enough_of_them() -> None:
    """Forty set-ups at least, no two of which have one name."""
    assert len({setup.name for setup in ALL}) == len(ALL) >= 40
