"""The entry point `smtp`: routes to `smtp-basic`, `smtp-oauth2` or whatever `SMTP_AUTH_TYPE` names.

A third party's `smtp-ntlm` works by `SMTP_AUTH_TYPE=ntlm` with no change here.
"""

from postroom import Lookup, hookimpl


@hookimpl
def postroom_route(config: Lookup) -> str:
    """Return `smtp-` and the auth type; unset, a client id without a password means oauth2."""
    auth_type = str(config.get("auth_type") or "").strip().lower()
    if not auth_type:
        auth_type = "oauth2" if config.get("client_id") and not config.get("password") else "basic"
    return f"smtp-{auth_type}"
