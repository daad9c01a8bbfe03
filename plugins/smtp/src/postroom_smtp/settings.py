"""The settings that every SMTP provider has."""

import ipaddress
import os
import re
from collections.abc import Iterator

import attrs

from postroom import Capability, SenderSettings, setting
from postroom_smtp import tls
from postroom_smtp.grouping import PipeliningMode
from postroom_smtp.names import is_domain
from postroom_smtp.tls import TlsMode

PREFIX = "SMTP_"
"""What the variables of our own SMTP providers begin with."""
CAPABILITIES = frozenset({Capability.ATTACHMENTS, Capability.INLINE_ATTACHMENTS, Capability.HEADERS})
"""What every provider that builds on `SmtpSender` carries. Tags, metadata and send_at have no place in SMTP."""

_NEEDED = "SMTP server and port are required"
_HOST = re.compile(
    r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?"  # a name or an IPv4 address
    r"|[0-9A-Fa-f.]*(:[0-9A-Fa-f.]*){2,}(%[A-Za-z0-9_.-]+)?"  # an IPv6 address
)
_EHLO_LITERAL = re.compile(r"\[[0-9A-Za-z:.]+\]")  # RFC 5321 section 4.1.3


@attrs.frozen(kw_only=True)
class SmtpSettings(SenderSettings):
    """Where the server is and how to talk to it. A provider adds how to log in."""

    server: str = attrs.field(metadata=setting("host name or address of the server", missing=_NEEDED))
    port: int = attrs.field(metadata=setting("port: 587 or 465 for submission, 25 for a relay", missing=_NEEDED))
    username: str | None = attrs.field(default=None, metadata=setting("name to log in with; unset: no login"))
    use_tls: bool = attrs.field(default=False, metadata=setting("encrypt the connection"))
    opportunistic_tls: bool = attrs.field(
        default=False, metadata=setting("begin in plain text and switch by STARTTLS, which is then required")
    )
    tls_mode: TlsMode | None = attrs.field(
        default=None, metadata=setting("say the mode outright; overrides use_tls and opportunistic_tls")
    )
    ca_file: str | None = attrs.field(
        default=None, metadata=setting("PEM file with a CA to trust besides the system's")
    )
    tls_verify: bool = attrs.field(
        default=True, metadata=setting("verify certificate and host name; false trusts anybody who answers")
    )
    local_hostname: str | None = attrs.field(
        default=None, metadata=setting("name to introduce ourselves with (EHLO); unset: this host's name")
    )
    deadline: float = attrs.field(default=180.0, metadata=setting("seconds that a whole send may take"))
    pool_size: int = attrs.field(
        default=4, metadata=setting("connections at a time; a further message waits (Exchange Online takes 3 at most)")
    )
    pool_idle: float = attrs.field(
        default=8.0, metadata=setting("seconds to keep a connection for the next message; 0 keeps none")
    )
    pool_max_messages: int = attrs.field(default=100, metadata=setting("messages that go over one connection"))
    pipelining: PipeliningMode = attrs.field(
        default="full",
        metadata=setting(
            "what goes at once where the server offers it: commands and message, commands only, or one by one (off)"
        ),
    )
    auth_type: str | None = attrs.field(
        default=None,
        metadata=setting(
            "chooses the provider under MAIL_TYPE=smtp: basic is smtp-basic, oauth2 is smtp-oauth2",
            env="SMTP_AUTH_TYPE",  # the family's variable, whatever the prefix of a member
        ),
    )

    @property
    def mode(self) -> TlsMode:
        """How the connection is encrypted."""
        return self.tls_mode or tls.mode(self.use_tls, self.opportunistic_tls, self.port)

    @property
    def tls_name(self) -> str:
        """The name that TLS is for: without the dot of a name that is absolute (RFC 6066 section 3)."""
        return self.server.removesuffix(".")

    @property
    def auth(self) -> str | None:
        """How we log in, in a word for the operator; None: not at all."""
        return "login" if self.username else None

    def summary(self) -> dict[str, object]:
        """Return the server, how the connection is encrypted, and how we log in."""
        verified = "" if self.mode == "none" or self.tls_verify else " unverified"
        return {"server": self.server, "port": self.port, "tls": self.mode + verified, "auth": self.auth or "none"}

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield what is suspicious about the connection."""
        yield from super().doubts()
        right = tls.mismatch(self.mode, self.port)
        if right is not None:
            begins = "with TLS and may never answer plain text" if right == "implicit" else "in plain text"
            field, value = self._switch(right)
            yield field, f"port {self.port} begins {begins}: set it to {value}"
        elif self.mode == "none" and self.auth and not _is_local(self.server):
            yield (
                "use_tls",
                f"the login goes to {self.server}:{self.port} in plain text: set it to true, if it has TLS",
            )
        if self.mode != "none" and not self.tls_verify:
            yield "tls_verify", f"false trusts whoever answers for {self.server}:{self.port}"

    def _switch(self, right: TlsMode) -> tuple[str, str]:
        """Return the field that has to change for another mode, and its value."""
        if self.tls_mode is not None:
            return "tls_mode", right
        if not self.use_tls:
            return "use_tls", "true"
        return "opportunistic_tls", "true" if right == "starttls" else "false"

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between the fields."""
        yield from super().check()
        if not 1 <= self.port <= 65535:
            yield "port", "port must be from 1 to 65535"
        if not _HOST.fullmatch(self.server):
            yield "server", "server must be a host name or address in ASCII, without scheme, user, port or brackets"
        if self.opportunistic_tls and not self.use_tls and self.tls_mode is None:
            yield "use_tls", "Opportunistic TLS requires TLS to be enabled"
        if self.ca_file is not None and not os.path.isfile(self.ca_file):  # noqa: PTH113  pathlib costs a start much
            yield "ca_file", "ca file does not exist here"
        name = self.local_hostname
        if name is not None and not (is_domain(name) or _EHLO_LITERAL.fullmatch(name)):
            yield "local_hostname", "local hostname must be a host name in ASCII or an address in [brackets]"
        if not 0 < self.deadline <= 86400:
            yield "deadline", "deadline must be more than 0 and at most 86400 seconds"
        if self.pool_size < 1:
            yield "pool_size", "pool size must be at least 1"
        if self.pool_idle < 0:
            yield "pool_idle", "pool idle must be 0 or more seconds"
        if self.pool_max_messages < 1:
            yield "pool_max_messages", "pool max messages must be at least 1"


def _is_local(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return server.lower() == "localhost"
