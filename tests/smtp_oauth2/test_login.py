"""The dialogue of a login with a token, what servers say against it, and what the connection test makes of that."""

import base64
import logging
import urllib.parse
import urllib.request
from collections.abc import Callable
from ssl import create_default_context
from typing import Any

import pytest

from mail_stack import MAILBOX, MailStack
from oauth_servers import CLIENT_ID, CLIENT_SECRET, SCOPE, TENANT, OAuthServer
from postroom import (
    DeliveringSender,
    MailAuthError,
    MailError,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Provider,
    ProviderRegistry,
    SenderSettings,
)
from postroom_smtp.sender import SmtpSender
from postroom_smtp.settings import SmtpSettings
from postroom_smtp_oauth2 import CachedTokenSource, OAuth2Login, Token
from postroom_smtp_oauth2.plugin import postroom_provider
from postroom_testing import Certificates
from postroom_testing.smtp import Close, SmtpServer

Make = Callable[..., DeliveringSender]

TOKEN = "a-token-that-is-nowhere-else"
MESSAGE = MailMessage("one@example.com", "Hello", text="Hello, Ada.", from_=MAILBOX)
REFUSED = b"535 5.7.3 Authentication unsuccessful [XX1PR01CA0001.example.PROD.OUTLOOK.COM]\r\n"


class Source:
    """Gives `TOKEN`, and a new one when it has to."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    def token(self, force_refresh: bool = False) -> Token:
        self.asked.append(force_refresh)
        return Token(f"{TOKEN}{sum(self.asked)}", 4e9)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def start(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> Callable[..., SmtpServer]:
    """Start a server that offers these mechanisms once TLS is on."""

    def run(*auth: Any, offer: str = "AUTH LOGIN XOAUTH2") -> SmtpServer:
        script = {"AUTH": list(auth)} if auth else {}
        return smtp_server(script, tls=ca.good, extensions=(), extensions_in_tls=(offer,))

    return run


def sender(server: SmtpServer | MailStack, ca: Certificates, source: Any, **more: Any) -> SmtpSender:
    port = server.ports["google"] if isinstance(server, MailStack) else server.port
    # No connection is kept, so that every message logs in.
    options = {"server": server.host, "port": port, "use_tls": True, "tls_mode": "starttls", "pool_idle": 0, **more}
    return SmtpSender(SmtpSettings(ca_file=ca.ca_file, **options), "mine", OAuth2Login(MAILBOX, source))


def refusal(made: SmtpSender) -> MailSendError:
    with pytest.raises(MailSendError) as caught:
        made.deliver(MESSAGE)
    assert TOKEN not in str(caught.value) + repr(caught.value.__dict__)
    return caught.value


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("offer", "mechanism", "response"),
    [
        ("AUTH LOGIN XOAUTH2 OAUTHBEARER", "XOAUTH2", f"user={MAILBOX}\x01auth=Bearer {TOKEN}0\x01\x01"),
        ("AUTH PLAIN OAUTHBEARER", "OAUTHBEARER", f"n,a={MAILBOX},\x01auth=Bearer {TOKEN}0\x01\x01"),
        ("AUTH=LOGIN xoauth2", "XOAUTH2", f"user={MAILBOX}\x01auth=Bearer {TOKEN}0\x01\x01"),
    ],
)
def test_the_token_goes_in_two_steps_and_nothing_between_login_and_mail(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source, offer: str, mechanism: str, response: str
) -> None:
    """A token is longer than a command may be; and EHLO after AUTH makes Exchange forget the login."""
    server = start(offer=offer)
    sender(server, ca, source).deliver(MESSAGE)
    commands = server.wait().commands
    at = commands.index(f"AUTH {mechanism}")
    assert commands[at + 1] == encoded(response)
    assert server.verbs[:3] == ["EHLO", "STARTTLS", "EHLO"]
    assert server.verbs[at + 2] == "MAIL"


@pytest.mark.parametrize(("mechanism", "last"), [("XOAUTH2", ""), ("OAUTHBEARER", encoded("\x01"))])
def test_a_challenge_is_answered_and_is_in_the_error(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source, mechanism: str, last: str
) -> None:
    """The server says 535 only after that; a fresh token from the source is not replaced."""
    said = '{"status":"401","schemes":"bearer"}'
    challenge = f"334 {encoded(said)}\r\n".encode()
    server = start(b"334 \r\n", challenge, REFUSED, offer=f"AUTH {mechanism}")
    error = refusal(sender(server, ca, source))
    assert (type(error), error.code, error.enhanced_code, error.transient) == (MailAuthError, 535, "5.7.3", False)
    assert said in error.reason
    assert server.wait().commands[-1] == last
    assert source.asked == [False]


def test_a_bare_535_is_an_error_without_a_challenge(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source
) -> None:
    """That is how Exchange does it."""
    error = refusal(sender(start(b"334 \r\n", REFUSED), ca, source))
    assert (type(error), error.code, error.stage) == (MailAuthError, 535, "auth")


def test_a_kept_token_that_is_refused_is_replaced_once_on_the_same_connection(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source
) -> None:
    """One fresh token and one retry, without EHLO between."""
    server = start(b"334 \r\n", b"235 ok\r\n", b"334 \r\n", REFUSED, b"334 \r\n", b"235 ok\r\n")
    made = sender(server, ca, source)
    made.deliver(MESSAGE)
    made.deliver(MESSAGE)
    assert source.asked == [False, False, False, True]
    assert (server.wait().connections, server.verbs.count("EHLO"), len(server.bodies)) == (2, 4, 2)


def test_a_server_that_hangs_up_after_its_refusal_leaves_the_refusal_as_the_error(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source
) -> None:
    """That the retry found no connection is not what matters."""
    made = sender(start(b"334 \r\n", b"235 ok\r\n", b"334 \r\n", (REFUSED, Close())), ca, source)
    made.deliver(MESSAGE)
    assert refusal(made).code == 535


@pytest.mark.parametrize("reply", [b"454 4.7.0 Temporary authentication failure\r\n", b"421 4.3.0 closing\r\n"])
def test_a_passing_refusal_costs_no_fresh_token(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source, reply: bytes
) -> None:
    """The token is not what is wrong."""
    made = sender(start(b"334 \r\n", b"235 ok\r\n", b"334 \r\n", reply), ca, source)
    made.deliver(MESSAGE)
    assert refusal(made).transient
    assert source.asked == [False, False]


def test_a_server_that_quotes_the_token_does_not_get_it_into_the_error(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither from its challenge nor from its reply, as it is or encoded."""
    caplog.set_level(logging.DEBUG)
    quoted = encoded(f"user={MAILBOX}\x01auth=Bearer {TOKEN}0\x01\x01")
    challenge = f"334 {encoded(f'no to {TOKEN}0')}\r\n".encode()
    server = start(b"334 \r\n", challenge, f"535 5.7.3 no to {TOKEN}0 or {quoted}\r\n".encode())
    assert quoted not in str(refusal(sender(server, ca, source)))
    assert TOKEN not in caplog.text
    assert quoted not in caplog.text


@pytest.mark.parametrize("offer", ["AUTH XOAUTH2", "AUTH OAUTHBEARER"])
@pytest.mark.parametrize("char", ["\x01", "\x00", "\n", "\r\n", "\t", " ", "\x7f", "\x85", "é", "\ud800"], ids=ascii)
def test_a_source_that_gives_what_is_no_token_sends_nothing(
    start: Callable[..., SmtpServer], ca: Certificates, offer: str, char: str
) -> None:
    """U+0001 would begin a second field of the login, and a file has a line end: refused before AUTH."""

    class Leaky(Source):
        def token(self, force_refresh: bool = False) -> Token:
            found = super().token(force_refresh)
            return Token(f"{found.value}{char}auth=Bearer other", found.expires_at)

    server = start(offer=offer)
    error = refusal(sender(server, ca, Leaky()))
    assert (type(error), error.stage, error.transient, error.outcome) == (
        MailAuthError,
        "token",
        False,
        Outcome.NOT_SENT,
    )
    assert error.reason == (
        "the source of tokens gave what is no token: it holds blanks, line ends or other than ASCII"
    )
    assert "AUTH" not in server.wait().verbs


def test_a_source_whose_token_ends_with_a_line_end_says_so(start: Callable[..., SmtpServer], ca: Certificates) -> None:
    """As read from a file: what to do is to strip it."""

    class File(Source):
        def token(self, force_refresh: bool = False) -> Token:
            found = super().token(force_refresh)
            return Token(f"{found.value}\n", found.expires_at)

    server = start()
    error = refusal(sender(server, ca, File()))
    rule = postroom_provider().diagnose(error)
    assert rule is not None
    assert "strip" in rule.remedy
    assert "AUTH" not in server.wait().verbs


@pytest.mark.parametrize(
    ("offer", "words"), [("AUTH PLAIN LOGIN", "only PLAIN LOGIN"), ("SIZE 1000000", "offers no login")]
)
def test_without_a_login_by_token_none_is_asked_for(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source, offer: str, words: str
) -> None:
    """The error says what is offered instead."""
    error = refusal(sender(start(offer=offer), ca, source))
    assert (type(error), error.stage) == (MailAuthError, "auth")
    assert words in error.reason
    assert source.asked == []


def test_no_token_goes_over_a_connection_in_plain_text(
    smtp_server: Callable[..., SmtpServer], ca: Certificates, source: Source
) -> None:
    """Even a sender of one's own making refuses, before it asks for a token."""
    server = smtp_server(extensions=("AUTH XOAUTH2",))
    error = refusal(sender(server, ca, source, use_tls=False, tls_mode="none"))
    assert (type(error), error.stage) == (MailAuthError, "auth")
    assert "no token is sent" in error.reason
    assert (source.asked, "AUTH" in server.wait().verbs) == ([], False)


def test_a_token_source_of_ones_own_logs_in(mail: MailStack, oauth: OAuthServer, ca: Certificates) -> None:
    """As one for Google's service accounts would: a function that asks, behind the cache."""

    def fetch() -> Token:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        data = urllib.parse.urlencode({**form, "scope": SCOPE}).encode()
        url, trust = f"{oauth.url}/{TENANT}/oauth2/v2.0/token", create_default_context(cafile=ca.ca_file)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        with opener.open(url, data, 5):
            return Token(oauth.issued[-1], 4e9)

    made = sender(mail, ca, CachedTokenSource(fetch))
    made.deliver(MESSAGE)
    made.check_connection()
    oauth.revoke_all()
    assert made.deliver(MESSAGE).provider == "mine"
    assert [stored.user for stored in mail.stored(2)] == [MAILBOX, MAILBOX]
    assert oauth.count() == 2


class TestCheckConnection:
    def test_it_tells_what_the_token_says(
        self, mail: MailStack, oauth: OAuthServer, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At INFO, without the token; no mail is sent."""
        caplog.set_level(logging.DEBUG)
        make(SMTP_PORT=str(mail.port)).check_connection()
        (record,) = [record for record in caplog.records if record.name == "postroom.smtp.oauth2"]
        assert record.levelno == logging.INFO
        for shown in ("aud=https://outlook.office365.com", "roles=SMTP.SendAsApp", f"tid={TENANT}", "ends in 60 min"):
            assert shown in record.getMessage()
        assert oauth.issued[-1] not in caplog.text
        assert mail._paths() == []

    @pytest.mark.parametrize("roles", [("Mail.Send",), ()])
    def test_a_refused_token_becomes_the_commands_to_run(
        self, mail: MailStack, oauth: OAuthServer, make: Make, roles: tuple[str, ...]
    ) -> None:
        """With the IDs of this application and mailbox, by both ways that Exchange knows."""
        oauth.tokens.roles = roles
        with pytest.raises(MailAuthError) as caught:
            make(SMTP_PORT=str(mail.port)).check_connection()
        remedy = str(caught.value.remedy)
        assert "The token lacks the role SMTP.SendAsApp" in remedy
        for command in (
            f"New-ServicePrincipal -AppId {CLIENT_ID} -ObjectId ",
            f"Add-MailboxPermission -Identity {MAILBOX} -User ",
            f"Add-RecipientPermission {MAILBOX} -Trustee ",
            "New-ManagementScope -Name postroom",
            "New-ManagementRoleAssignment -Role 'Application SMTP.SendAsApp'",
        ):
            assert command in remedy
        assert "APPLICATION_ID" not in remedy
        assert "OBJECT_ID" not in remedy
        assert remedy.isprintable()

    def test_what_the_server_explains_itself_stays(self, start: Callable[..., SmtpServer], make: Make) -> None:
        """A tenant that has SMTP AUTH switched off needs that command and no other."""
        reply = b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.\r\n"
        server = start(b"334 \r\n", reply)
        with pytest.raises(MailAuthError, match="Set-TransportConfig") as caught:
            make(SMTP_PORT=str(server.port)).check_connection()
        assert "New-ServicePrincipal" not in str(caught.value)

    def test_a_failed_token_request_is_raised(self, make: Make) -> None:
        """Before anything is connected."""
        with pytest.raises(MailError, match="SMTP_CLIENT_SECRET"):
            make(SMTP_CLIENT_SECRET="wrong").check_connection()


BASE64_OF_HTTPS = encoded("https://")


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(
    "said", ['{"status":"401","schemes":"bearer","scope":"https://mail.example.com/"}', "https://x"]
)
def test_a_challenge_that_shares_pieces_with_the_token_is_decoded_as_it_came(
    start: Callable[..., SmtpServer], ca: Certificates, mechanism: str, said: str
) -> None:
    """Secrets are hidden in what is shown, never in what is decoded."""

    class Sharing(Source):
        def token(self, force_refresh: bool = False) -> Token:
            """Give a token that holds what the challenge has, too."""
            return Token(f"{encoded(said)[:24]}.{BASE64_OF_HTTPS}.{TOKEN}", 4e9)

    challenge = f"334 {encoded(said)}\r\n".encode()
    server = start(b"334 \r\n", challenge, REFUSED, offer=f"AUTH {mechanism}")
    error = refusal(sender(server, ca, Sharing()))
    assert f"({said})" in error.reason
    server.wait()
    assert server.commands[-1] == ("" if mechanism == "XOAUTH2" else encoded("\x01"))


@pytest.mark.parametrize("prompt", ["не-аscii", "\u4f60\u597d", "ü"])
def test_a_prompt_that_is_not_ascii_is_no_doubt_about_the_message(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source, prompt: str
) -> None:
    """It is taken for what the server has against the token; nothing was sent."""
    server = start(b"334 \r\n", f"334 {prompt}\r\n".encode(), REFUSED)
    error = refusal(sender(server, ca, source))
    assert (type(error), error.code, error.outcome) == (MailAuthError, 535, Outcome.NOT_SENT)


def test_a_mechanism_that_is_refused_is_followed_by_the_other(
    start: Callable[..., SmtpServer], ca: Certificates, source: Source
) -> None:
    """Both take the same token; the one that worked comes first on the next connection."""
    server = start(
        b"504 5.5.4 unrecognized\r\n", b"334 \r\n", b"235 ok\r\n", b"334 \r\n", b"235 ok\r\n",
        offer="AUTH XOAUTH2 OAUTHBEARER",
    )  # fmt: skip
    made = sender(server, ca, source)
    made.deliver(MESSAGE)
    made.deliver(MESSAGE)
    logins = [command for command in server.wait().commands if command.startswith("AUTH")]
    assert logins == ["AUTH XOAUTH2", "AUTH OAUTHBEARER", "AUTH OAUTHBEARER"]


def test_a_source_that_fails_as_nobody_expects_has_sent_nothing(
    start: Callable[..., SmtpServer], ca: Certificates
) -> None:
    """The login comes before the message, and core is told so by the transport."""

    class Broken(Source):
        def token(self, force_refresh: bool = False) -> Token:
            """Fail with what is no error of ours."""
            raise ZeroDivisionError

    transport = sender(start(), ca, Broken())
    registry = ProviderRegistry()
    registry.add(Provider("mine", SenderSettings, lambda _: transport))
    made = MailSenderFactory.create_sender("mine", {}, registry=registry)
    with pytest.raises(MailSendError) as caught:
        made.deliver(MESSAGE)
    assert (caught.value.outcome, "bug of the provider" in str(caught.value)) == (Outcome.NOT_SENT, True)
    found = list(made.deliver_many([MESSAGE, MESSAGE]))
    assert [error.outcome for error in found if isinstance(error, MailSendError)] == [Outcome.NOT_SENT] * 2
