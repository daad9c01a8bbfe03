"""What an access token says about itself, for people: decoded, not verified (that is the server's business)."""

import base64
import json
import time
from typing import Any

import attrs

from postroom_smtp.replies import clean

_ROLE = "SMTP.SendAsApp"


@attrs.frozen
class Claims:
    """The claims that decide whether Exchange takes a token (RFC 7519 section 4.1, and Microsoft's own)."""

    aud: str | None
    """What it is for."""
    roles: tuple[str, ...]
    """The application permissions that were consented to."""
    tid: str | None
    """The tenant."""
    oid: str | None
    """The object ID of the service principal, as `New-ServicePrincipal -ObjectId` wants it."""
    appid: str | None
    """The application (client) ID."""
    exp: float | None
    """When it ends, in seconds since the epoch."""

    def __str__(self) -> str:
        ends = "unknown" if self.exp is None else f"in {(self.exp - time.time()) / 60:.0f} minutes"
        roles = " ".join(self.roles) or "none"
        return f"aud={self.aud} roles={roles} tid={self.tid} appid={self.appid} oid={self.oid} ends {ends}"

    @property
    def has_role(self) -> bool:
        """True if the application may send by SMTP as any mailbox that it is given."""
        return _ROLE in self.roles


def read(token: str) -> Claims | None:
    """Return the claims of a token, or None if it is not a JSON Web Token."""
    try:
        payload = token.split(".")[1]
        found: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        roles, exp = found.get("roles") or [], found.get("exp")
        return Claims(
            aud=_text(found.get("aud")),
            roles=tuple(_text(role) or "" for role in roles) if isinstance(roles, list) else (),
            tid=_text(found.get("tid")),
            oid=_text(found.get("oid")),
            appid=_text(found.get("appid") or found.get("azp")),
            exp=float(exp) if isinstance(exp, int | float) else None,
        )
    except (IndexError, ValueError, AttributeError, OverflowError, RecursionError):
        return None


def _text(value: object) -> str | None:
    # It is shown to people, and nobody has verified it.
    return None if value is None else clean(str(value).encode("utf-8", "replace"))[:200]


def advice(claims: Claims | None, mailbox: str) -> str:
    """Return what is missing when Exchange refuses a token, with the commands that give it; one line.

    Exchange says the same 535 5.7.3 to everything, so the token has to tell.
    https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
    """
    app, oid = (claims.appid, claims.oid) if claims else (None, None)
    app, oid = app or "APPLICATION_ID", oid or "OBJECT_ID"
    principal = f"New-ServicePrincipal -AppId {app} -ObjectId {oid}"
    lacks = "" if claims is None or claims.has_role else f"The token lacks the role {_ROLE}. "
    return (
        f"{lacks}Either grant the application the permission Office 365 Exchange Online > {_ROLE} with admin "
        f"consent, and run: {principal}; "
        f"Add-MailboxPermission -Identity {mailbox} -User {oid} -AccessRights FullAccess; "
        f"Add-RecipientPermission {mailbox} -Trustee {oid} -AccessRights SendAs. Or grant no permission, and run: "
        f"{principal}; New-ManagementScope -Name postroom "
        f"-RecipientRestrictionFilter \"PrimarySmtpAddress -eq '{mailbox}'\"; "
        f"New-ManagementRoleAssignment -Role 'Application {_ROLE}' -App {app} -CustomResourceScope postroom"
    )
