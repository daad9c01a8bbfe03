"""The provider for Google Workspace that the docs show, with Google's own library and a service account's key."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from mail_stack import MAILBOX, MailStack
from oauth_servers import CLIENT_ID, CLIENT_SECRET, SCOPE, TENANT, OAuthServer
from postroom import MailAuthError, MailMessage, MailSenderFactory, MailUnavailableError, ProviderRegistry
from postroom_testing import Certificates

PAGE = Path(__file__).parents[2] / "docs" / "microsoft365.md"
AUDIENCE = "https://oauth2.googleapis.com/token"  # whatever the key's token_uri says
MESSAGE = MailMessage("one@example.com", "Hello", "<p>Hello</p>", MAILBOX)


class TokenEndpoint(HTTPServer):
    """Takes a service account's signed assertion (RFC 7523), as Google does, and gives a token that Dovecot takes."""

    def __init__(self, oauth: OAuthServer, ca_file: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/token"
        self.oauth, self.ca_file = oauth, ca_file
        self.asked: list[dict[str, Any]] = []
        self.status = 200

    def answer(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """Check the assertion and return what is given for it."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.asked.append(dict(jwt.decode(form["assertion"][0], certs=public, audience=AUDIENCE)))
        if self.status != 200:
            return {"error": "unauthorized_client", "error_description": "Client is unauthorized"}
        with requests.Session() as session:
            session.trust_env = False
            fields = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            given = session.post(
                f"{self.oauth.url}/{TENANT}/oauth2/v2.0/token",
                data={**fields, "scope": SCOPE},
                verify=self.ca_file,
                timeout=10,
            ).json()
        return {"access_token": given["access_token"], "expires_in": 3600, "token_type": "Bearer"}

    def write_key(self, path: Path) -> None:
        """Write the key as Google's console hands it out."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "client_email": "postroom@example.iam.gserviceaccount.com",
            "private_key_id": "one",
            "private_key": pem.decode(),
            "token_uri": self.url,
        }
        path.write_text(json.dumps(account), encoding="utf-8")


class _Handler(BaseHTTPRequestHandler):
    server: TokenEndpoint

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        body = json.dumps(self.server.answer(form)).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name there
        pass


@pytest.fixture
def google(oauth: OAuthServer, ca: Certificates) -> Iterator[TokenEndpoint]:
    with TokenEndpoint(oauth, ca.ca_file) as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever)
        thread.start()
        yield endpoint
        endpoint.shutdown()
        thread.join(10)


@pytest.fixture
def config(google: TokenEndpoint, mail: MailStack, ca: Certificates, tmp_path: Path) -> dict[str, Any]:
    google.write_key(tmp_path / "key.json")
    return {
        "server": "localhost",
        "port": mail.ports["google"],
        "tls_mode": "starttls",
        "ca_file": ca.ca_file,
        "username": MAILBOX,
        "key_file": str(tmp_path / "key.json"),
    }


@pytest.fixture
def registry() -> ProviderRegistry:
    """Return a registry with the provider as the page has it."""
    (code,) = re.findall(r"```python\n(import datetime.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    page: dict[str, Any] = {"__name__": "page"}
    exec(code, page)
    registry = ProviderRegistry()
    registry.add(page["postroom_provider"]())
    return registry


def test_a_service_account_of_google_delivers(
    registry: ProviderRegistry, config: dict[str, Any], google: TokenEndpoint, mail: MailStack
) -> None:
    """One assertion, signed for the mailbox, serves several messages by SMTP."""
    sender = MailSenderFactory.create_sender("smtp-google", config, registry=registry)
    for _ in range(3):
        assert sender.deliver(MESSAGE).accepted == ("one@example.com",)
    assert len(mail.stored(3)) == 3
    (asked,) = google.asked
    assert (asked["sub"], asked["scope"]) == (MAILBOX, "https://mail.google.com/")


@pytest.mark.parametrize(("status", "kind"), [(401, MailAuthError), (503, MailUnavailableError)])
def test_a_service_account_that_gets_no_token_says_so(
    registry: ProviderRegistry, config: dict[str, Any], google: TokenEndpoint, status: int, kind: type[Exception]
) -> None:
    """A refusal is for good, a fault of the service may pass; neither shows the key."""
    google.status = status
    sender = MailSenderFactory.create_sender("smtp-google", config, registry=registry)
    with pytest.raises(kind, match="Google gave no token") as caught:
        sender.deliver(MESSAGE)
    assert "PRIVATE KEY" not in repr(caught.value)
