"""SMTP with OAuth2. A source of tokens of your own needs `TokenSource`, `CachedTokenSource` and `OAuth2Login`."""

from postroom_smtp_oauth2.login import OAuth2Login
from postroom_smtp_oauth2.tokens import CachedTokenSource, Token, TokenSource

__all__ = ["CachedTokenSource", "OAuth2Login", "Token", "TokenSource"]
