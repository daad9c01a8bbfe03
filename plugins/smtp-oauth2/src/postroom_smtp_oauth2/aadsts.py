"""Microsoft's error codes for token requests, each in one line, and what to do.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Known:
    """What an error code means for whoever configures mail."""

    remedy: str
    transient: bool = False


CODES: dict[int, Known] = {
    7000215: Known("The client secret is wrong: set SMTP_CLIENT_SECRET to the secret's value, not its ID"),
    7000222: Known("The client secret has expired: make a new one and set SMTP_CLIENT_SECRET"),
    700016: Known("This tenant does not know the application: check SMTP_CLIENT_ID and SMTP_TENANT_ID"),
    90002: Known("There is no such tenant: check SMTP_TENANT_ID, and SMTP_OAUTH2_CLOUD for a sovereign cloud"),
    900023: Known("SMTP_TENANT_ID is neither the ID nor a domain of a tenant"),
    700027: Known("The certificate is not the application's: upload it, or check SMTP_CLIENT_CERTIFICATE"),
    500011: Known("The tenant does not know what the token is for: check SMTP_OAUTH2_SCOPE and SMTP_OAUTH2_CLOUD"),
    70011: Known("The scope is malformed: SMTP_OAUTH2_SCOPE ends with /.default"),
    53003: Known("Conditional access blocks the application: ask for an exception"),
    50126: Known("User name or password is wrong"),
    700213: Known("No federated credential of the application matches the token's subject: check its configuration"),
    70021: Known("No federated credential of the application matches the token: check issuer, subject and audience"),
    50196: Known("The service saw too many equal requests: wait", transient=True),
    90033: Known("The service has a passing fault: wait", transient=True),
}
_TRANSIENT = ("temporarily_unavailable", "server_error")  # RFC 6749 section 4.1.2.1


def explain(fields: Mapping[str, Any]) -> Known | None:
    """Return what is known about an OAuth2 error response (RFC 6749 section 5.2), or None."""
    found = re.search(r"AADSTS(\d{4,9})", str(fields.get("error_description", "")))
    if found and int(found[1]) in CODES:
        return CODES[int(found[1])]
    return Known("Wait", transient=True) if fields.get("error") in _TRANSIENT else None
