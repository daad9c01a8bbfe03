"""Microsoft's error codes for token requests, each in one line, and what to do.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from collections.abc import Mapping
from typing import Any

import attrs

from postroom import Rule, Symptom, find_rule


@attrs.frozen(kw_only=True)
class TokenRule(Rule):
    """What an error code means for whoever configures mail."""

    source: str = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
    stage: str | None = "token"
    transient: bool = False


RULES = (
    TokenRule(
        text="AADSTS7000215", meaning="The client secret is wrong",
        remedy="Set {client_secret} to the secret's value, not its ID",
    ),
    TokenRule(
        text="AADSTS7000222", meaning="The client secret has expired",
        remedy="Make a new client secret and set {client_secret}",
    ),
    TokenRule(
        text="AADSTS700016", meaning="The tenant does not know the application",
        remedy="Check {client_id} and {tenant_id}",
    ),
    TokenRule(
        text="AADSTS90002", meaning="There is no such tenant",
        remedy="Check {tenant_id}, and {oauth2_cloud} for a sovereign cloud",
    ),
    TokenRule(
        text="AADSTS900023", meaning="What is set is no tenant",
        remedy="Set {tenant_id} to the ID of the tenant, or to a domain of it",
    ),
    TokenRule(
        text="AADSTS700027", meaning="The certificate is not the application's",
        remedy="Upload it to the application, or check {client_certificate}",
    ),
    TokenRule(
        text="AADSTS500011", meaning="The tenant does not know what the token is for",
        remedy="Check {oauth2_scope} and {oauth2_cloud}",
    ),
    TokenRule(
        text="AADSTS70011", meaning="The scope is malformed",
        remedy="Set {oauth2_scope} to a scope that ends with /.default",
    ),
    TokenRule(
        text="AADSTS53003", meaning="Conditional access blocks the application",
        remedy="Ask for an exception for the application",
    ),
    TokenRule(
        text="AADSTS50126", meaning="User name or password is wrong", remedy="Check user name and password",
    ),
    TokenRule(
        text="AADSTS700213", meaning="No federated credential of the application matches the token's subject",
        remedy="Check the subject of the application's federated credential",
    ),
    TokenRule(
        text="AADSTS70021", meaning="No federated credential of the application matches the token",
        remedy="Check issuer, subject and audience of the application's federated credential",
    ),
    TokenRule(
        text="AADSTS50196", meaning="The identity service saw too many equal requests",
        remedy="Wait", transient=True,
    ),
    TokenRule(
        text="AADSTS90033", meaning="The identity service has a passing fault",
        remedy="Wait", transient=True,
    ),
    TokenRule(
        text=("temporarily_unavailable", "server_error"), meaning="The identity service cannot answer now",
        remedy="Wait", transient=True, source="https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1",
    ),
)  # fmt: skip


def explain(fields: Mapping[str, Any]) -> TokenRule | None:
    """Return what is known about an OAuth2 error response (RFC 6749 section 5.2), or None."""
    # The code says more than the error's name, which stands for several.
    for said in (fields.get("error_description"), fields.get("error")):
        symptom = Symptom(text=str(said or ""), stage="token")
        known = find_rule(RULES, symptom)
        if known is not None:
            return known
    return None
