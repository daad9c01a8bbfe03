"""The servers that the tests of `smtp-oauth2` stand on do what they promise."""

import base64
import contextlib
import json
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import oauth_servers
from mail_stack import MAILBOX, PASSWORD, MailStack
from oauth_servers import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE,
    ROLE,
    SCOPE,
    TENANT,
    Answer,
    Drip,
    Drop,
    OAuthServer,
    Stall,
    entra_error,
    need,
)
from postroom_testing import Certificates

FEDERATED_TOKEN = "a.federated.token"  # as in conftest.py
OTHER_TENANT = "00000000-0000-0000-0000-000000000000"


class Http(requests.Session):
    """A session that trusts the tests' authority, whatever the environment says."""

    def __init__(self, ca_file: str) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = ca_file

    def request(self, *args: Any, **options: Any) -> requests.Response:
        return super().request(*args, **{"timeout": 5, **options})

    def token(self, oauth: OAuthServer, **fields: str | None) -> requests.Response:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        return self.post(f"{oauth.url}/{TENANT}/oauth2/v2.0/token", data={**form, "scope": SCOPE, **fields})


class Submission(smtplib.SMTP):
    """An SMTP client that is told what to say."""

    def __init__(self, mail: MailStack, offer: str, ca_file: str) -> None:
        super().__init__(mail.host, mail.ports[offer], local_hostname="localhost", timeout=10)
        self._mail_host = mail.host
        self._ca_file = ca_file

    def encrypt(self) -> None:
        # smtplib checks the certificate for the name that it was given.
        self._host = self._mail_host
        self.starttls(context=ssl.create_default_context(cafile=self._ca_file))
        self.ehlo()

    def log_in(self, mechanism: str, response: bytes) -> tuple[int, bytes]:
        """Log in in two steps; return the code and the text of the reply to the second one."""
        assert self.docmd("AUTH", mechanism) == (334, b"")
        return self.docmd(base64.b64encode(response).decode())


@pytest.fixture
def http(ca: Certificates) -> Iterator[Http]:
    with Http(ca.ca_file) as session:
        yield session


@pytest.fixture
def token(oauth: OAuthServer, http: Http) -> Callable[[], str]:
    """Get a token like those that `oauth.tokens` describes."""
    return lambda: str(http.token(oauth).json()["access_token"])


@pytest.fixture
def submission(mail: MailStack, ca: Certificates) -> Iterator[Callable[..., Submission]]:
    """Connect to the port with an offer, with TLS on unless told otherwise."""
    clients: list[Submission] = []

    def connect(offer: str = "microsoft", *, tls: bool = True) -> Submission:
        clients.append(Submission(mail, offer, ca.ca_file))
        clients[-1].ehlo()
        if tls:
            clients[-1].encrypt()
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def claims(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return decoded


def xoauth2(token: str, user: str = MAILBOX) -> bytes:
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


def oauthbearer(token: str, user: str = MAILBOX) -> bytes:
    return f"n,a={user},\x01host=localhost\x01port=587\x01auth=Bearer {token}\x01\x01".encode()


RESPONSES = {"XOAUTH2": ("microsoft", xoauth2, b""), "OAUTHBEARER": ("bearer", oauthbearer, b"\x01")}
"""For each mechanism: whose offer has it, the response with a token, the answer to the challenge that follows."""


def in_base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def assertion(certificate: trustme.LeafCert, oauth: OAuthServer, **changes: object) -> str:
    """Sign a client assertion as Entra wants it (PS256, named by the SHA-256 of the certificate)."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    loaded = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": in_base64url(loaded.fingerprint(hashes.SHA256()))}
    body = {
        "aud": f"{oauth.url}/{TENANT}/oauth2/v2.0/token",
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "exp": time.time() + 60,
        **changes,
    }
    signed = ".".join(in_base64url(json.dumps(part).encode()) for part in (header, body))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return f"{signed}.{in_base64url(key.sign(signed.encode(), pss, hashes.SHA256()))}"


class TestNeed:
    def test_nothing_happens_if_nothing_is_missing(self) -> None:
        """Tests whose servers are installed run."""
        assert need([]) is None  # type: ignore[func-returns-value]  # that is the point

    def test_a_test_is_left_out_with_the_names_of_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A plain pytest skips, and its summary tells what to install."""
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="postfix, node"):
            need(["postfix", "node"])

    def test_a_missing_part_is_a_failure_in_ci(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With CI=true nothing is left out silently."""
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="postfix"):
            need(["postfix"])


class TestMetadata:
    def test_it_names_the_paths_of_entra_on_this_server(self, oauth: OAuthServer, http: Http) -> None:
        """A client that follows the metadata stays here, and finds the issuer that stands in the tokens."""
        found = http.get(f"{oauth.url}/{TENANT}/v2.0/.well-known/openid-configuration").json()
        assert found["token_endpoint"] == f"{oauth.url}/{TENANT}/oauth2/v2.0/token"
        assert found["jwks_uri"] == f"{oauth.url}/{TENANT}/discovery/v2.0/keys"
        assert found["issuer"] == oauth.issuer == f"{oauth.url}/{TENANT}/v2.0"
        assert oauth.count("metadata") == 1

    def test_the_published_key_is_that_of_the_tokens(self, oauth: OAuthServer, http: Http) -> None:
        """The key set has the key whose id stands in every token."""
        (key,) = http.get(f"{oauth.url}/{TENANT}/discovery/v2.0/keys").json()["keys"]
        assert (key["kid"], key["kty"], "d" in key) == (oauth.key_id, "RSA", False)

    @pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration", "oauth2/v2.0/token"])
    def test_another_tenant_is_unknown(self, oauth: OAuthServer, http: Http, path: str) -> None:
        """A tenant that is not this server's gets AADSTS90002, with status 400."""
        url = f"{oauth.url}/{OTHER_TENANT}/{path}"
        answer = http.post(url) if path.endswith("token") else http.get(url)
        assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])

    def test_a_client_with_another_authority_does_not_connect(self, oauth: OAuthServer, tmp_path: Path) -> None:
        """The certificate is one of this run's authority, and of no other."""
        another = Certificates(tmp_path)
        with Http(another.ca_file) as session, pytest.raises(requests.exceptions.SSLError):
            session.get(oauth.url)

    def test_it_can_have_a_bad_certificate(self, ca: Certificates) -> None:
        """With the context of another host, a client that trusts the authority does not connect either."""
        need(oauth_servers.missing_parts())
        with (
            OAuthServer(ca, tls=ca.wrong_host) as server,
            Http(ca.ca_file) as session,
            pytest.raises(requests.exceptions.SSLError),
        ):
            session.get(server.url)


class TestTokens:
    def test_a_token_is_for_resource_and_application(self, oauth: OAuthServer, token: Callable[[], str]) -> None:
        """The claims are those of an app-only token of Entra."""
        found = claims(token())
        wanted = {"aud": RESOURCE, "roles": [ROLE], "tid": TENANT, "appid": CLIENT_ID, "iss": oauth.issuer}
        assert {name: found[name] for name in wanted} == wanted
        assert found["oid"] == found["sub"]
        assert "scope" not in found

    def test_a_token_is_signed_with_the_published_key(self, oauth: OAuthServer, token: Callable[[], str]) -> None:
        """The signature is RS256 with the public key that the server tells."""
        signed, _, signature = token().rpartition(".")
        key = serialization.load_pem_public_key(oauth.public_key.encode())
        assert isinstance(key, rsa.RSAPublicKey)
        octets = base64.urlsafe_b64decode(signature + "==")
        key.verify(octets, signed.encode(), padding.PKCS1v15(), hashes.SHA256())  # raises if it is not

    def test_no_token_is_like_another(self, oauth: OAuthServer, token: Callable[[], str]) -> None:
        """Two tokens of the same second differ, and the server remembers both."""
        assert [token(), token()] == oauth.issued[-2:]
        assert oauth.issued[-2] != oauth.issued[-1]

    @pytest.mark.parametrize("size", [2048, 4096])
    def test_a_token_has_the_size_that_was_asked_for(
        self, oauth: OAuthServer, token: Callable[[], str], size: int
    ) -> None:
        """A filler makes a token as large as real ones, give or take base64."""
        oauth.tokens.size = size
        assert size <= len(token()) <= size + 3

    def test_lifetime_and_what_is_said_about_it_can_differ(self, oauth: OAuthServer, http: Http) -> None:
        """A client can be led to believe in a token that has expired."""
        oauth.tokens.lifetime, oauth.tokens.expires_in = -5, 3600
        answer = http.token(oauth).json()
        assert answer["expires_in"] == 3600
        assert claims(answer["access_token"])["exp"] < time.time()

    def test_audience_roles_and_any_claim_can_be_set(self, oauth: OAuthServer, http: Http) -> None:
        """Tokens for another resource, without roles, with or without any other claim; and more in the answer."""
        oauth.tokens = oauth_servers.Tokens(
            audience="https://graph.microsoft.com",
            roles=(),
            claims={"upn": "me@example.org", "oid": None},
            answer={"refresh_in": 60},
        )
        answer = http.token(oauth).json()
        found = claims(answer["access_token"])
        assert (found["aud"], found["upn"]) == ("https://graph.microsoft.com", "me@example.org")
        assert found.keys().isdisjoint({"roles", "oid"})
        assert answer["refresh_in"] == 60


class TestCredentials:
    @pytest.mark.parametrize(
        ("fields", "status", "code"),
        [
            ({"client_secret": "wrong"}, 401, 7000215),
            ({"client_secret": None}, 401, 7000216),
            ({"client_id": "another"}, 400, 700016),
            ({"scope": RESOURCE}, 400, 1002012),
            ({"grant_type": "password"}, 400, 70003),
        ],
    )
    def test_a_wrong_request_is_refused_as_entra_does(
        self, oauth: OAuthServer, http: Http, fields: dict[str, str | None], status: int, code: int
    ) -> None:
        """Each mistake has its status and its AADSTS code, and costs no token."""
        issued = len(oauth.issued)
        answer = http.token(oauth, **fields)
        body = answer.json()
        assert (answer.status_code, body["error_codes"]) == (status, [code])
        assert body["error_description"].startswith(f"AADSTS{code}: ")
        assert len(oauth.issued) == issued

    def test_an_assertion_signed_with_the_certificate_is_as_good_as_a_secret(
        self, oauth: OAuthServer, http: Http, application: trustme.LeafCert
    ) -> None:
        """The server checks the signature, and records what the assertion said."""
        answer = http.token(oauth, client_secret=None, client_assertion=assertion(application, oauth))
        assert answer.status_code == 200
        asked = oauth.asked[-1]
        assert (asked.credential, asked.status) == ("client_assertion", 200)
        assert asked.assertion is not None
        assert asked.assertion["iss"] == CLIENT_ID

    @pytest.mark.parametrize("changes", [{"aud": "https://elsewhere.example"}, {"exp": 1}, {"iss": "another"}])
    def test_an_assertion_for_something_else_is_refused(
        self, oauth: OAuthServer, http: Http, application: trustme.LeafCert, changes: dict[str, object]
    ) -> None:
        """Audience, time and issuer count, not only the signature."""
        answer = http.token(oauth, client_secret=None, client_assertion=assertion(application, oauth, **changes))
        assert answer.json()["error_codes"] == [700027]

    def test_an_assertion_of_another_certificate_is_refused(self, oauth: OAuthServer, http: Http) -> None:
        """A certificate that is not the application's gets AADSTS700027."""
        stranger = trustme.CA().issue_cert("stranger.example.org", key_type=trustme.KeyType.RSA)
        answer = http.token(oauth, client_secret=None, client_assertion=assertion(stranger, oauth))
        assert (answer.status_code, answer.json()["error_codes"]) == (401, [700027])

    def test_an_assertion_with_a_changed_body_is_refused(
        self, oauth: OAuthServer, http: Http, application: trustme.LeafCert
    ) -> None:
        """The right certificate named over a signature of something else does not count."""
        head, body, _ = assertion(application, oauth).split(".")
        signature = assertion(application, oauth, jti="another").rpartition(".")[2]
        answer = http.token(oauth, client_secret=None, client_assertion=f"{head}.{body}.{signature}")
        assert answer.json()["error_codes"] == [700027]

    @pytest.mark.parametrize(("given", "status"), [(FEDERATED_TOKEN, 200), ("an.other.token", 401)])
    def test_only_the_token_of_the_trusted_issuer_is_taken(
        self, oauth: OAuthServer, http: Http, given: str, status: int
    ) -> None:
        """A federated token counts as a credential if it is the one that the application trusts."""
        assert http.token(oauth, client_secret=None, client_assertion=given).status_code == status

    def test_what_is_recorded_has_no_secret(self, oauth: OAuthServer, http: Http) -> None:
        """The record tells what was asked for and how it was answered, and nothing that must stay secret."""
        issued = http.token(oauth).json()["access_token"]
        (asked,) = oauth.asked
        assert (asked.scope, asked.credential, asked.status) == (SCOPE, "client_secret", 200)
        assert CLIENT_SECRET not in repr(asked)
        assert issued not in repr(asked)


class TestManagedIdentity:
    @pytest.mark.parametrize("kind", ["vm", "app_service"])
    def test_a_token_comes_from_the_endpoint_that_the_environment_names(
        self, oauth: OAuthServer, http: Http, kind: Any
    ) -> None:
        """Both kinds answer a GET for a resource, with their own header, and write numbers as strings."""
        environment = oauth.managed_identity_environment(kind)
        if kind == "vm":
            url = environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] + "/metadata/identity/oauth2/token"
            headers = {"Metadata": "true"}
        else:
            url, headers = environment["IDENTITY_ENDPOINT"], {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}
        answer = http.get(url, headers=headers, params={"resource": RESOURCE, "client_id": "mine"}).json()
        found = claims(answer["access_token"])
        assert (found["aud"], found["appid"]) == (RESOURCE, "mine")
        assert int(answer["expires_on"]) > time.time()
        assert ("expires_in" in answer) == (kind == "vm")
        assert (oauth.count("managed_identity"), oauth.count("token")) == (1, 0)

    @pytest.mark.parametrize(("path", "status"), [("metadata/identity/oauth2/token", 400), ("msi/token", 401)])
    def test_a_request_without_the_header_is_refused(
        self, oauth: OAuthServer, http: Http, path: str, status: int
    ) -> None:
        """The header keeps a redirected browser from getting a token, so it is demanded."""
        assert http.get(f"{oauth.url}/{path}", params={"resource": RESOURCE}).status_code == status


class TestFaults:
    def test_the_next_requests_fail_one_after_the_other(self, oauth: OAuthServer, http: Http) -> None:
        """Each fault is used up by one request; then all is well again."""
        throttled = Answer(429, {"error": "temporarily_unavailable"}, {"Retry-After": "7"})
        oauth.fail_next("token", entra_error(7000222), throttled, Answer(503, "<h1>Service Unavailable</h1>"))
        answers = [http.token(oauth) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 429, 503, 200]
        assert answers[1].headers["Retry-After"] == "7"
        assert answers[2].headers["Content-Type"].startswith("text/html")
        assert [asked.status for asked in oauth.asked] == [401, 429, 503, 200]
        assert oauth.count() == 4

    def test_a_fault_can_last_until_recovery(self, oauth: OAuthServer, http: Http) -> None:
        """An outage of one endpoint leaves the others alone."""
        oauth.fail("token", Answer(500))
        assert [http.token(oauth).status_code for _ in range(2)] == [500, 500]
        assert http.get(f"{oauth.url}/{TENANT}/v2.0/.well-known/openid-configuration").status_code == 200
        oauth.recover()
        assert http.token(oauth).status_code == 200

    @pytest.mark.parametrize("after", [0, 30, 400])
    def test_the_connection_can_be_dropped_anywhere(self, oauth: OAuthServer, after: int, ca: Certificates) -> None:
        """The client gets so many octets of the answer and then the end."""
        oauth.fail_next("token", Drop(after))
        context = ssl.create_default_context(cafile=ca.ca_file)
        form = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&scope={SCOPE}"
        head = f"POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(form)}\r\n\r\n"
        with (
            socket.create_connection(("127.0.0.1", oauth.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True) as sock,
        ):
            sock.sendall((head + form).encode())
            received = b""
            while more := sock.recv(4096):
                received += more
        assert len(received) == after
        assert b"HTTP/1.1 200 OK".startswith(received[:15])

    def test_a_stall_lasts_as_long_as_the_client_waits(self, oauth: OAuthServer, http: Http) -> None:
        """Nothing comes, and the record says that nothing was answered."""
        oauth.fail_next("token", Stall())
        with pytest.raises(requests.exceptions.ReadTimeout):
            http.post(f"{oauth.url}/{TENANT}/oauth2/v2.0/token", data={}, timeout=0.2)
        assert [asked.status for asked in oauth.asked] == [None]

    def test_a_drip_defeats_a_time_out_between_octets(self, oauth: OAuthServer, http: Http) -> None:
        """Every octet comes in time, and the whole takes longer than the time-out."""
        oauth.fail_next("token", Drip(0.001))
        begun = time.monotonic()
        answer = http.post(f"{oauth.url}/{TENANT}/oauth2/v2.0/token", data={"client_id": "x"}, timeout=0.2)
        assert answer.json()["error_codes"] == [700016]
        assert time.monotonic() - begun > 0.2

    def test_metadata_and_managed_identity_can_fail_as_well(self, oauth: OAuthServer, http: Http) -> None:
        """The faults are there for each endpoint."""
        oauth.fail("metadata", Answer(500))
        oauth.fail("managed_identity", Answer(410))
        assert http.get(f"{oauth.url}/{TENANT}/v2.0/.well-known/openid-configuration").status_code == 500
        assert http.get(f"{oauth.url}/msi/token").status_code == 410

    def test_the_server_ends_although_clients_hang(self, ca: Certificates) -> None:
        """Neither a stalled request, nor an idle connection, nor one without a handshake holds it up."""
        need(oauth_servers.missing_parts())
        with Http(ca.ca_file) as session:
            with OAuthServer(ca) as server, socket.create_connection(("127.0.0.1", server.port), 5):
                session.get(f"{server.url}/{TENANT}/v2.0/.well-known/openid-configuration")
                server.fail_next("token", Stall())
                ended: list[type[Exception]] = []

                def ask() -> None:
                    try:
                        session.token(server)
                    except requests.exceptions.ConnectionError as error:
                        ended.append(type(error))

                hanging = threading.Thread(target=ask)
                hanging.start()
                while server.count() == 0:
                    time.sleep(0.01)
                begun = time.monotonic()
            hanging.join(5)
            assert time.monotonic() - begun < 5
            assert ended == [requests.exceptions.ConnectionError]
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port), 5)


class TestRevocation:
    def test_introspection_tells_whether_a_token_is_still_good(
        self, oauth: OAuthServer, http: Http, token: Callable[[], str]
    ) -> None:
        """A token is active until it is revoked; one that was never issued is not."""

        def is_active(value: str) -> bool:
            return bool(http.post(oauth.introspection_url, data={"token": value}).json()["active"])

        first, second = token(), token()
        oauth.revoke(first)
        assert [is_active(first), is_active(second), is_active("made up")] == [False, True, False]
        oauth.revoke_all()
        assert not is_active(second)
        assert is_active(token())


class TestSubmission:
    def test_auth_is_offered_only_with_tls(self, submission: Callable[..., Submission]) -> None:
        """As at Microsoft, EHLO in plain text has STARTTLS and no AUTH, and MAIL is refused."""
        client = submission(tls=False)
        assert client.has_extn("starttls")
        assert not client.has_extn("auth")
        assert client.docmd("MAIL", f"FROM:<{MAILBOX}>")[0] == 530

    @pytest.mark.parametrize(
        ("offer", "mechanisms"),
        [
            ("microsoft", {"LOGIN", "XOAUTH2"}),
            ("google", {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}),
            ("bearer", {"OAUTHBEARER"}),
            ("password", {"PLAIN", "LOGIN"}),
        ],
    )
    def test_each_port_offers_its_own_mechanisms(
        self, submission: Callable[..., Submission], offer: str, mechanisms: set[str]
    ) -> None:
        """A client that chooses by what EHLO offers finds each situation."""
        assert set(submission(offer).esmtp_features["auth"].split()) == mechanisms

    def test_mail_without_a_login_is_refused(self, submission: Callable[..., Submission]) -> None:
        """MAIL before AUTH gets Microsoft's code."""
        code, text = submission().docmd("MAIL", f"FROM:<{MAILBOX}>")
        assert (code, text[:6]) == (530, b"5.7.57")

    @pytest.mark.parametrize("mechanism", RESPONSES)
    @pytest.mark.parametrize("size", [0, 2048, 4096])
    def test_a_token_of_any_size_logs_in_and_sends(
        self,
        mail: MailStack,
        oauth: OAuthServer,
        submission: Callable[..., Submission],
        token: Callable[[], str],
        mechanism: str,
        size: int,
    ) -> None:
        """Two steps take tokens of 4 kB; the message is stored as it was sent, with who sent it to whom."""
        oauth.tokens.size = size
        offer, response, _ = RESPONSES[mechanism]
        client = submission(offer)
        assert client.log_in(mechanism, response(token()))[0] == 235
        client.sendmail(
            "from@example.org", ["one@example.com"], b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\n.\r\n..\r\nend\r\n"
        )
        (stored,) = mail.stored()
        assert (stored.mail_from, stored.rcpt_to, stored.user) == ("from@example.org", "one@example.com", MAILBOX)
        assert stored.content == b"Subject: Gr\xc3\xbc\xc3\x9fe\n\n.\n..\nend\n"

    def test_a_long_token_in_the_command_itself_is_refused(
        self, oauth: OAuthServer, submission: Callable[..., Submission], token: Callable[[], str]
    ) -> None:
        """Postfix takes lines of 2048 octets, so a client that sends a large token in one step does not log in."""
        oauth.tokens.size = 2048
        code, _ = submission().docmd("AUTH", "XOAUTH2 " + base64.b64encode(xoauth2(token())).decode())
        assert code == 535

    @pytest.mark.parametrize("mechanism", RESPONSES)
    @pytest.mark.parametrize("flaw", ["expired", "revoked", "audience", "role", "signature", "mailbox"])
    def test_a_token_that_is_not_good_gets_a_challenge_and_535(
        self,
        oauth: OAuthServer,
        submission: Callable[..., Submission],
        token: Callable[[], str],
        mechanism: str,
        flaw: str,
    ) -> None:
        """The challenge is JSON with a status; once it is answered, the login has failed."""
        if flaw == "expired":
            oauth.tokens.lifetime = -5
        elif flaw == "audience":
            oauth.tokens.audience = "https://graph.microsoft.com"
        elif flaw == "role":
            oauth.tokens.roles = ("Mail.Send",)
        value = token()
        if flaw == "revoked":
            oauth.revoke(value)
        elif flaw == "signature":
            value = value.rpartition(".")[0] + "." + token().rpartition(".")[2]
        offer, response, last = RESPONSES[mechanism]
        client = submission(offer)
        user = "other@example.org" if flaw == "mailbox" else MAILBOX
        code, challenge = client.log_in(mechanism, response(value, user))
        assert (code, "status" in json.loads(base64.b64decode(challenge))) == (334, True)
        code, text = client.docmd(base64.b64encode(last).decode())
        assert (code, text[:5]) == (535, b"5.7.8")
        assert client.docmd("MAIL", f"FROM:<{MAILBOX}>")[0] == 530

    def test_without_the_oauth_server_there_is_535_and_no_challenge(
        self, oauth: OAuthServer, submission: Callable[..., Submission], token: Callable[[], str]
    ) -> None:
        """That is how Microsoft refuses tokens, and a client has to cope with both."""
        value = token()
        oauth.fail("introspection", Answer(503))
        assert submission().log_in("XOAUTH2", xoauth2(value))[0] == 535
        oauth.recover()
        assert submission().log_in("XOAUTH2", xoauth2(value))[0] == 235

    @pytest.mark.parametrize(("password", "code"), [(PASSWORD, 235), ("wrong", 535)])
    def test_passwords_work_where_they_are_offered(
        self, submission: Callable[..., Submission], password: str, code: int
    ) -> None:
        """PLAIN is there for a client that has no token."""
        assert submission("password").log_in("PLAIN", f"\0{MAILBOX}\0{password}".encode())[0] == code

    def test_every_recipient_has_a_copy(
        self, mail: MailStack, submission: Callable[..., Submission], token: Callable[[], str]
    ) -> None:
        """What is stored tells the recipients of the envelope, whatever the headers say."""
        client = submission()
        client.log_in("XOAUTH2", xoauth2(token()))
        client.sendmail(MAILBOX, ["one@example.com", "two@example.net"], "Subject: x\r\n\r\nx\r\n")
        assert {stored.rcpt_to for stored in mail.stored(2)} == {"one@example.com", "two@example.net"}

    def test_sixteen_clients_are_served_at_once(
        self, mail: MailStack, submission: Callable[..., Submission], token: Callable[[], str]
    ) -> None:
        """There is no limit of connections from one address."""
        value = token()
        clients = [submission() for _ in range(16)]

        def send(client: Submission) -> None:
            client.log_in("XOAUTH2", xoauth2(value))
            client.sendmail(MAILBOX, ["one@example.com"], "Subject: x\r\n\r\nx\r\n")

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(send, clients))
        assert len(mail.stored(16)) == 16


class TestMailStack:
    def test_it_takes_settings_and_leaves_nothing_behind(
        self, mail: MailStack, oauth: OAuthServer, ca: Certificates, token: Callable[[], str]
    ) -> None:
        """A second stack runs beside the first, with other mailboxes and roles; its end ends its processes."""
        oauth.tokens.roles = ()
        with MailStack(ca, oauth, mailboxes=["other@example.org"], role="", parameters={"myhostname": "mx"}) as other:
            client = Submission(other, "microsoft", ca.ca_file)
            assert client.ehlo()[1].startswith(b"mx\n")
            client.encrypt()
            assert client.log_in("XOAUTH2", xoauth2(token(), "other@example.org"))[0] == 235
            client.close()
            assert len(processes_in(other.folder)) > 2
            assert other.folder != mail.folder
        until = time.monotonic() + 5
        while processes_in(other.folder) and time.monotonic() < until:  # being killed takes its time
            time.sleep(0.01)
        assert not processes_in(other.folder)
        assert not other.folder.exists()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other.host, other.port), 5)


def processes_in(folder: Path) -> list[str]:
    """Return the ids of the processes whose working directory is there; what has ended has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if path.readlink().is_relative_to(folder):
                found.append(path.parent.name)
    return found
