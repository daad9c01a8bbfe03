"""Tokens from Microsoft's identity service, by MSAL: client secret, certificate, federated token, managed identity.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postroom import MailAuthError, MailConfigError, MailError, whole_number
from postroom_smtp_oauth2.settings import SmtpOAuth2Settings
from postroom_smtp_oauth2.tokens import Token

_CONNECT = 10.0  # seconds
_TOTAL = 30.0  # seconds for a whole request
_NO_CREDENTIAL = "Check SMTP_TENANT_ID, SMTP_CLIENT_ID and the credential"
_NO_IDENTITY = "This host has no such managed identity: switch one on, or check SMTP_CLIENT_ID"
_SHORT_LIFE = 600.0  # seconds, where the service does not say


class MicrosoftTokens:
    """Asks for a token at each call. MSAL and the application are made at the first: making it asks the network."""

    def __init__(self, settings: SmtpOAuth2Settings) -> None:
        self._settings = settings
        self._application: Callable[[], dict[str, Any]] | None = None

    def __call__(self) -> Token:
        """Ask for a new token.

        Raises:
            MailConfigError: The certificate or the federated token cannot be read.
            MailSendError: None can be had.
        """
        made = self._ask()
        if isinstance(made, Token):
            return made
        # Raised here: the frames of MSAL, and what it raises, hold the secret in clear.
        raise made.with_traceback(None)

    def _ask(self) -> Token | MailError:
        asked_at = time.time()
        try:
            if self._application is None:
                self._application = self._build()
            result = self._application()
        except MailError as error:
            error.__context__ = error.__cause__ = None
            return error
        value, seconds = result.get("access_token"), result.get("expires_in")
        if not isinstance(value, str) or not value:
            # An error that only MSAL knows, such as a field that it misses. What the service said has been raised.
            self._application = None
            return MailAuthError("the identity service gave no token", stage="token")
        return Token(value, asked_at + (whole_number(str(seconds), 9) or _SHORT_LIFE))

    def _build(self) -> Callable[[], dict[str, Any]]:
        import msal  # noqa: PLC0415  with requests it costs 0.2 s, which boot does not pay

        from postroom_smtp_oauth2.http import TokenHttp  # noqa: PLC0415

        settings = self._settings
        seconds = settings.timeout
        http = TokenHttp(
            settings.oauth2_ca_file,
            seconds or _CONNECT,
            min(seconds or _TOTAL, settings.deadline),
            remedy=_NO_IDENTITY if settings.managed_identity else _NO_CREDENTIAL,
        )
        if settings.managed_identity:
            identity = (
                msal.UserAssignedManagedIdentity(client_id=settings.client_id)
                if settings.client_id
                else msal.SystemAssignedManagedIdentity()
            )
            resource = settings.scope.removesuffix("/.default")
            # A new client for each token: this one has a cache that cannot be told to forget.
            return lambda: _plain(
                msal.ManagedIdentityClient(identity, http_client=http).acquire_token_for_client(resource=resource)
            )
        try:
            application = msal.ConfidentialClientApplication(
                settings.client_id,
                client_credential=self._credential(),
                authority=settings.authority,
                http_client=http,
                # Both would ask hosts that nobody named: one that an egress rule may forbid, one from the environment.
                instance_discovery=False,
                azure_region=False,
            )
        except MailError:  # first: MailTimeoutError is an OSError, MailConfigError a ValueError
            raise
        except (ValueError, TypeError, OSError) as error:  # a PFX is read here, a malformed authority refused
            field = (
                "SMTP_CLIENT_CERTIFICATE and its password" if settings.client_certificate else "SMTP_OAUTH2_AUTHORITY"
            )
            raise MailConfigError(f"{field} cannot be used ({type(error).__name__})") from None

        def ask() -> dict[str, Any]:
            application.remove_tokens_for_client()  # its cache would return the token that is to be replaced
            return _plain(application.acquire_token_for_client([settings.scope]))

        return ask

    def _credential(self) -> str | dict[str, Any]:
        settings = self._settings
        if settings.client_secret:
            return settings.client_secret.reveal()
        if settings.client_certificate is not None:
            password = settings.client_certificate_password
            credential = {"private_key_pfx_path": settings.client_certificate, "public_certificate": True}
            return {**credential, "passphrase": password.reveal()} if password else credential
        return {"client_assertion": self._federated_token}

    def _federated_token(self) -> str:
        # Read each time: the platform replaces the file's content before the token in it ends.
        path = str(self._settings.federated_token_file)
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise MailConfigError(f"SMTP_FEDERATED_TOKEN_FILE cannot be read ({type(error).__name__})") from None


def _plain(result: Any) -> dict[str, Any]:
    return result if isinstance(result, dict) else {}
