"""The settings of `smtp-basic`."""

from collections.abc import Iterator

import attrs

from postroom import Secret, setting
from postroom_smtp import microsoft
from postroom_smtp.settings import SmtpSettings


@attrs.frozen(kw_only=True)
class SmtpBasicSettings(SmtpSettings):
    """Log in if user name and password are both there; a relay that knows us by our address needs neither."""

    password: Secret | None = attrs.field(default=None, metadata=setting("password to log in with", secret=True))

    @property
    def auth(self) -> str | None:
        """A password, if there is one to log in with."""
        return "password" if self.username and self.password else None

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield what is suspicious about the login."""
        yield from super().doubts()
        if bool(self.username) != bool(self.password):
            missing = "password" if self.username else "username"
            yield (
                missing,
                "not set, so there is no login; a login needs user name and password, a relay without login neither",
            )
        if self.auth and microsoft.is_microsoft(self.server):
            yield "auth_type", microsoft.PASSWORDS_END

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between the fields."""
        yield from super().check()
        if (self.auth_type or "basic").lower() != "basic":
            yield "auth_type", "auth type must be basic for smtp-basic"
        # os.environ shows as surrogates what it cannot decode.
        if any("\ud800" <= char <= "\udfff" for char in self.username or ""):
            yield "username", "username must be valid UTF-8"
