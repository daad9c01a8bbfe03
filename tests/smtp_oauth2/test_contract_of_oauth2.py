"""Our provider for Microsoft 365 keeps the contract, with tokens from a real OAuth2 server."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from oauth_servers import CLIENT_ID, CLIENT_SECRET, TENANT, OAuthServer
from postroom_testing.contract import Place, SenderContract, SmtpService


class TestSmtpOAuth2(SenderContract):
    """`smtp-oauth2` at a server that takes every token."""

    provider = "smtp-oauth2"
    server = SmtpService(extensions=("PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "AUTH LOGIN XOAUTH2"), tls=True)
    tokens: ClassVar[OAuthServer]

    @pytest.fixture(autouse=True)
    def _tokens(self, oauth: OAuthServer) -> None:
        """Have tokens."""
        type(self).tokens = oauth

    def settings(self, place: Place) -> Mapping[str, object]:
        """Get tokens from the OAuth2 server by a client secret."""
        return {
            "server": place.host,
            "port": place.port,
            "tls_mode": "starttls",
            "ca_file": place.ca_file,
            "username": "sender@example.com",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "tenant_id": TENANT,
            "oauth2_authority": self.tokens.url,
            "oauth2_ca_file": self.tokens.ca_file,
        }
