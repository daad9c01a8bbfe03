"""SMTP with OAuth2. A source of tokens of your own needs `TokenSource`, `CachedTokenSource` and `OAuth2Login`."""

from typing import TYPE_CHECKING

from postroom_smtp_oauth2.tokens import CachedTokenSource, Token, TokenSource

if TYPE_CHECKING:
    from postroom_smtp_oauth2.login import OAuth2Login

__all__ = ["CachedTokenSource", "OAuth2Login", "Token", "TokenSource"]


def __getattr__(name: str) -> object:
    """Load the login for whoever asks for it: the plugin is listed without the network."""
    if name != "OAuth2Login":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from postroom_smtp_oauth2.login import OAuth2Login  # noqa: PLC0415

    return OAuth2Login
