"""The settings of `smtp-oauth2`."""

import os
import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

import attrs

from postroom import Secret, setting
from postroom_http import proxies
from postroom_http.settings import wrong_url
from postroom_smtp.settings import SmtpSettings
from postroom_smtp_oauth2.clouds import CLOUDS, Cloud, CloudName

# An ID or a domain name: it becomes a part of an address. `common` and its like name no one tenant.
_TENANT = re.compile(
    r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def _server(settings: "SmtpOAuth2Settings") -> str:
    return settings.cloud.server


@attrs.frozen(kw_only=True)
class SmtpOAuth2Settings(SmtpSettings):
    """Log in with a token that is had for exactly one of: secret, certificate, federated token, managed identity."""

    oauth2_provider: Literal["microsoft"] = attrs.field(default="microsoft", metadata=setting("who gives the tokens"))
    oauth2_cloud: CloudName = attrs.field(
        default="commercial", metadata=setting("which of Microsoft's clouds; presets for server, authority and scope")
    )
    server: str = attrs.field(
        default=attrs.Factory(_server, takes_self=True),
        metadata=setting("host name of the server; unset: the cloud's"),
    )
    port: int = attrs.field(default=587, metadata=setting("port"))
    use_tls: bool = attrs.field(default=True, metadata=setting("encrypt the connection; no token is sent without"))
    username: str = attrs.field(metadata=setting("mailbox that sends", missing="SMTP username is required"))
    tenant_id: str | None = attrs.field(default=None, metadata=setting("directory (tenant) ID"))
    client_id: str | None = attrs.field(default=None, metadata=setting("application (client) ID"))
    client_secret: Secret | None = attrs.field(
        default=None, metadata=setting("value of the client secret, not its ID", secret=True)
    )
    client_certificate: str | None = attrs.field(
        default=None, metadata=setting("PFX file with certificate and key, instead of a secret")
    )
    client_certificate_password: Secret | None = attrs.field(
        default=None, metadata=setting("password of the PFX file", secret=True)
    )
    federated_token_file: str | None = attrs.field(
        default=None, metadata=setting("file with a federated token (workload identity), instead of a secret")
    )
    managed_identity: bool = attrs.field(
        default=False, metadata=setting("use the managed identity of the Azure host, instead of a secret")
    )
    oauth2_authority: str | None = attrs.field(
        default=None, metadata=setting("address of the identity service, https://…; unset: the cloud's")
    )
    oauth2_scope: str | None = attrs.field(default=None, metadata=setting("scope of the token; unset: the cloud's"))
    oauth2_ca_file: str | None = attrs.field(
        default=None,
        metadata=setting("PEM file with the CAs to trust for the identity service, in place of the usual"),
    )

    @property
    def cloud(self) -> Cloud:
        """The presets."""
        return CLOUDS[self.oauth2_cloud]

    @property
    def authority(self) -> str:
        """The identity service with the tenant, as MSAL wants it."""
        url = _without_version(self.oauth2_authority or self.cloud.authority)
        return url if urlsplit(url).path else f"{url}/{self.tenant_id}"

    @property
    def scope(self) -> str:
        """What the token is for."""
        return self.oauth2_scope or self.cloud.scope

    @property
    def auth(self) -> str:
        """A token."""
        return "oauth2"

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield what is suspicious about the connection, and the variable of a proxy by which no token can be had."""
        yield from super().doubts()
        doubt = None if self.managed_identity else proxies.doubt(self.authority)
        if doubt is not None:
            yield doubt

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between the fields."""
        yield from super().check()
        if (self.auth_type or "oauth2").lower() != "oauth2":
            yield "auth_type", "auth type must be oauth2 for smtp-oauth2"
        # os.environ shows as surrogates what it cannot decode.
        if any("\ud800" <= char <= "\udfff" for char in self.username):
            yield "username", "username must be valid UTF-8"
        if self.mode == "none":
            yield "use_tls", "a token is never sent in plain text"
        yield from self._check_credential()
        wrong = _wrong_authority(self.oauth2_authority) if self.oauth2_authority is not None else None
        if wrong is not None:
            yield "oauth2_authority", f"oauth2 authority {wrong}"
        if self.tenant_id is not None and not _TENANT.fullmatch(self.tenant_id):
            yield "tenant_id", "tenant id must name one tenant, by its ID (a GUID) or a domain name of it"
        for field in ("client_certificate", "federated_token_file", "oauth2_ca_file"):
            path = getattr(self, field)
            if path is not None and not os.path.isfile(path):  # noqa: PTH113  Path raises at a long name
                yield field, f"{field.replace('_', ' ')} does not exist here"

    def _check_credential(self) -> Iterator[tuple[str, str]]:
        given = {
            "client_secret": bool(self.client_secret),
            "client_certificate": self.client_certificate is not None,
            "federated_token_file": self.federated_token_file is not None,
            "managed_identity": self.managed_identity,
        }
        if sum(given.values()) != 1:
            names = [f"{name} (SMTP_{name.upper()})" for name, there in given.items() if there] or ["none"]
            kinds = "client_secret, client_certificate, federated_token_file or managed_identity"
            yield "client_secret", f"exactly one credential is needed, {kinds}, but there is {' and '.join(names)}"
        if self.managed_identity:
            return
        for field in ("tenant_id", "client_id"):
            if getattr(self, field) is None:
                yield field, "tenant id and client id are required"


def _without_version(authority: str) -> str:
    return authority.rstrip("/").removesuffix("/v2.0")


def _wrong_authority(authority: str) -> str | None:
    """Return what is wrong with the address of an identity service. It never quotes it."""
    wrong = wrong_url(authority)
    if wrong is not None:
        return wrong
    parts = urlsplit(_without_version(authority))
    if parts.scheme != "https":
        return "must begin with https://"
    if parts.path not in ("", "/adfs") and not _TENANT.fullmatch(parts.path.removeprefix("/")):
        return "must end with its host, or with one tenant behind it, by its ID or domain"
    return None
