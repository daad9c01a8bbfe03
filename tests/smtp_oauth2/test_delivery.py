"""From Dify's variables to a mail in Postfix, with tokens that Dovecot checks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from mail_stack import MAILBOX, MailStack
from oauth_servers import CLIENT_ID, RESOURCE, OAuthServer, entra_error
from postroom import DeliveringSender, MailAuthError, MailConfigError, MailMessage

Make = Callable[..., DeliveringSender]
Failure = Callable[[DeliveringSender], Any]

MESSAGE = MailMessage("one@example.com", "Hello", text="Hello, Ada.")


@pytest.fixture
def sender(mail: MailStack, make: Make) -> DeliveringSender:
    """A sender whose server is like Microsoft's."""
    return make(SMTP_PORT=str(mail.port))


def assert_arrived(mail: MailStack, count: int = 1) -> None:
    stored = mail.stored(count)
    assert len(stored) == count
    for each in stored:
        assert (each.mail_from, each.rcpt_to, each.user) == (MAILBOX, "one@example.com", MAILBOX)
        assert b"Subject: Hello\n" in each.content


class TestLogin:
    @pytest.mark.parametrize("offer", ["microsoft", "google", "bearer"])
    @pytest.mark.parametrize("size", [0, 2048, 4096])
    def test_difys_variables_deliver(
        self, mail: MailStack, oauth: OAuthServer, make: Make, offer: str, size: int
    ) -> None:
        """Tokens of every size log in by XOAUTH2, and by OAUTHBEARER where only that is offered."""
        oauth.tokens.size = size
        receipt = make(SMTP_PORT=str(mail.ports[offer])).deliver(MESSAGE)
        assert (receipt.provider, receipt.accepted) == ("smtp-oauth2", ("one@example.com",))
        assert_arrived(mail)
        assert len(oauth.issued[-1]) >= size
        assert [(asked.credential, asked.scope) for asked in oauth.asked if asked.endpoint == "token"] == [
            ("client_secret", f"{RESOURCE}/.default")
        ]

    def test_twenty_sends_make_one_token_request(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender
    ) -> None:
        """The token is kept between sends."""
        for _ in range(20):
            sender.deliver(MESSAGE)
        assert_arrived(mail, 20)
        assert oauth.count() == 1

    def test_many_messages_arrive_over_one_login(
        self, mail: MailStack, oauth: OAuthServer, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Real Postfix takes thirty messages by PIPELINING and CHUNKING over one connection, each of them once."""
        messages = [MailMessage("one@example.com", "Hello", text=f"Hello, {number}.") for number in range(30)]
        with (
            caplog.at_level("DEBUG", "postroom.smtp.session"),
            make(SMTP_PORT=str(mail.port), SMTP_POOL_IDLE="8") as sender,
        ):
            receipts = list(sender.deliver_many(messages))
        assert [getattr(receipt, "message_id", receipt) for receipt in receipts] == [
            f"<{message.id}@{MAILBOX.partition('@')[2]}>" for message in messages
        ]
        said = [record.getMessage().partition(" -> ")[2].split(" ")[0] for record in caplog.records]
        assert (said.count("AUTH"), said.count("BDAT"), said.count("MAIL")) == (1, 30, 30)
        assert_arrived(mail, 30)

    def test_sixteen_threads_make_one_token_request(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender
    ) -> None:
        """On a cold cache one thread asks and the others wait for its answer."""
        barrier = threading.Barrier(16)

        def send(_: int) -> None:
            barrier.wait(10)
            sender.deliver(MESSAGE)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(send, range(16)))
        assert_arrived(mail, 16)
        assert oauth.count() == 1

    def test_a_token_that_ends_soon_is_replaced_before_it_is_used_again(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender
    ) -> None:
        """Within five minutes of its end a token is not kept."""
        oauth.tokens.lifetime = 200
        sender.deliver(MESSAGE)
        oauth.tokens.lifetime = 3600
        for _ in range(3):
            sender.deliver(MESSAGE)
        assert_arrived(mail, 4)
        assert oauth.count() == 2


class TestRefusedTokens:
    def test_a_revoked_token_is_replaced_once(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender
    ) -> None:
        """535 for a token that was good forces exactly one fresh token and one retry."""
        sender.deliver(MESSAGE)
        oauth.revoke_all()
        sender.deliver(MESSAGE)
        sender.deliver(MESSAGE)
        assert_arrived(mail, 3)
        assert oauth.count() == 2

    def test_sixteen_threads_get_over_a_revoked_token(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender
    ) -> None:
        """All deliver, and they do not each ask for a token of their own."""
        sender.deliver(MESSAGE)
        oauth.revoke_all()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: sender.deliver(MESSAGE), range(16)))
        assert_arrived(mail, 17)
        assert oauth.count() < 10

    def test_a_token_that_expired_without_our_knowing_is_replaced(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender, failure: Failure
    ) -> None:
        """A service that is wrong about the lifetime costs one send, not an hour of them."""
        oauth.tokens.lifetime, oauth.tokens.expires_in = -5, 3600
        assert isinstance(failure(sender), MailAuthError)
        oauth.tokens.lifetime = 3600
        sender.deliver(MESSAGE)
        assert_arrived(mail)
        assert oauth.count() == 2

    def test_a_permanent_refusal_does_not_loop(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender, failure: Failure
    ) -> None:
        """A fresh token that is refused is not replaced; a kept one is, once for each send."""
        oauth.tokens.roles = ("Mail.Send",)
        counts = []
        for _ in range(3):
            error = failure(sender)
            assert (type(error), error.code, error.stage, error.transient) == (MailAuthError, 535, "auth", False)
            assert "postroom doctor" in error.remedy
            counts.append(oauth.count())
        assert counts == [1, 2, 3]
        assert mail._paths() == []

    def test_the_challenge_is_in_the_error(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender, failure: Failure
    ) -> None:
        """Dovecot says in JSON what is wrong, before it says 535."""
        oauth.tokens.audience = "https://graph.microsoft.com"
        assert '"status":' in str(failure(sender))

    def test_a_refusal_of_the_fresh_token_by_the_identity_service_is_the_error(
        self, mail: MailStack, oauth: OAuthServer, sender: DeliveringSender, failure: Failure
    ) -> None:
        """Whose secret has ended learns that, and not that a token was refused."""
        sender.deliver(MESSAGE)
        oauth.revoke_all()
        oauth.fail("token", entra_error(7000222))
        error = failure(sender)
        assert (type(error), error.stage) == (MailAuthError, "token")
        assert "new client secret" in error.remedy


def pfx(path: Path, leaf: trustme.LeafCert, password: bytes | None) -> str:
    """Write certificate and key as Azure's portal takes and gives them."""
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    assert isinstance(key, pkcs12.PKCS12PrivateKeyTypes)
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, lock))
    return str(path)


class TestCredentials:
    @pytest.mark.parametrize("password", ["open sesame", None])
    def test_a_certificate_delivers(
        self,
        mail: MailStack,
        oauth: OAuthServer,
        make: Make,
        application: trustme.LeafCert,
        tmp_path: Path,
        password: str | None,
    ) -> None:
        """A PFX file, with password or without, signs the token request, and no secret goes out."""
        path = pfx(tmp_path / "app.pfx", application, password.encode() if password else None)
        sender = make(
            SMTP_PORT=str(mail.port),
            SMTP_CLIENT_SECRET=None,
            SMTP_CLIENT_CERTIFICATE=path,
            SMTP_CLIENT_CERTIFICATE_PASSWORD=password,
        )
        sender.deliver(MESSAGE)
        oauth.revoke_all()
        sender.deliver(MESSAGE)
        assert_arrived(mail, 2)
        tokens = [asked for asked in oauth.asked if asked.endpoint == "token"]
        assert [asked.credential for asked in tokens] == ["client_assertion"] * 2
        assert "x5t#S256" in (tokens[0].assertion or {})

    @pytest.mark.parametrize("flaw", ["wrong password", "not a PFX file", "gone"])
    def test_a_certificate_that_cannot_be_used_is_a_configuration_error(
        self,
        oauth: OAuthServer,
        make: Make,
        failure: Failure,
        application: trustme.LeafCert,
        tmp_path: Path,
        flaw: str,
    ) -> None:
        """The error names the variable and not the password."""
        path = tmp_path / "app.pfx"
        pfx(path, application, b"open sesame")
        if flaw == "not a PFX file":
            path.write_bytes(b"so be it")
        sender = make(
            SMTP_CLIENT_SECRET=None, SMTP_CLIENT_CERTIFICATE=str(path), SMTP_CLIENT_CERTIFICATE_PASSWORD="wrong-word"
        )
        if flaw == "gone":
            path.unlink()
        error = failure(sender)
        assert isinstance(error, MailConfigError)
        assert "SMTP_CLIENT_CERTIFICATE" in str(error)
        assert "wrong-word" not in str(error)

    def test_a_federated_token_delivers(
        self, mail: MailStack, oauth: OAuthServer, make: Make, failure: Failure, tmp_path: Path
    ) -> None:
        """The file is read at each request, since the platform replaces its content."""
        path = tmp_path / "token"
        path.write_text("an.old.token\n")
        sender = make(SMTP_PORT=str(mail.port), SMTP_CLIENT_SECRET=None, SMTP_FEDERATED_TOKEN_FILE=str(path))
        error = failure(sender)
        assert (type(error), error.stage) == (MailAuthError, "token")
        assert "federated credential" in error.remedy
        path.write_text(f"{oauth.federated_token}\n")
        sender.deliver(MESSAGE)
        assert_arrived(mail)

    def test_a_federated_token_that_is_gone_is_a_configuration_error(
        self, make: Make, failure: Failure, tmp_path: Path
    ) -> None:
        """It was there at boot, and is not when it is needed."""
        path = tmp_path / "token"
        path.write_text("a")
        sender = make(SMTP_CLIENT_SECRET=None, SMTP_FEDERATED_TOKEN_FILE=str(path))
        path.unlink()
        error = failure(sender)
        assert isinstance(error, MailConfigError)
        assert "SMTP_FEDERATED_TOKEN_FILE" in str(error)

    @pytest.mark.parametrize("kind", ["vm", "app_service"])
    @pytest.mark.parametrize("client_id", [None, CLIENT_ID])
    def test_a_managed_identity_delivers(
        self,
        mail: MailStack,
        oauth: OAuthServer,
        make: Make,
        monkeypatch: pytest.MonkeyPatch,
        kind: Any,
        client_id: str | None,
    ) -> None:
        """The host's own identity, or one that is assigned to it by client id, needs no secret and no tenant."""
        for name, value in oauth.managed_identity_environment(kind).items():
            monkeypatch.setenv(name, value)
        sender = make(
            SMTP_PORT=str(mail.port),
            SMTP_CLIENT_SECRET=None,
            SMTP_TENANT_ID=None,
            SMTP_CLIENT_ID=client_id,
            SMTP_MANAGED_IDENTITY="true",
        )
        for _ in range(3):
            sender.deliver(MESSAGE)
        oauth.revoke_all()
        sender.deliver(MESSAGE)
        assert_arrived(mail, 4)
        assert (oauth.count("managed_identity"), oauth.count()) == (2, 0)
        assert {(asked.scope, asked.client_id) for asked in oauth.asked if asked.endpoint == "managed_identity"} == {
            (RESOURCE, client_id)
        }
