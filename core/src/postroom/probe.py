"""The way to a service, step by step, for whoever looks for what is wrong with it."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    import ssl

_SOON = 14  # days; a certificate that nobody has renewed by then is likely to be forgotten
_DAY = 86_400.0  # seconds


@attrs.frozen
class Step:
    """One step that was taken."""

    name: str
    """As `MailSendError.stage` would have it if it had failed: `dns`, `connect`, `tls`, `auth`, …"""
    said: str
    """What was found, in one line for people. It holds no secret."""
    facts: Mapping[str, object] = attrs.field(factory=dict)
    """The same as plain data that JSON can hold."""
    warning: str | None = None
    """What will go wrong, or may: one line that says what to do."""

    @classmethod
    def of_tls(cls, sock: "ssl.SSLSocket") -> Self:
        """Return what a TLS handshake has agreed on, and when the certificate of the server ends.

        An unverified certificate is not read: the standard library decodes none (`ssl.SSLSocket.getpeercert`).
        """
        import ssl  # noqa: PLC0415  whoever calls has it; core is imported without

        version = sock.version() or "TLS"
        certificate: dict[str, Any] = dict(sock.getpeercert() or {})
        if not certificate:
            return cls("tls", f"{version}, unverified", {"version": version, "verified": False})
        days = int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / _DAY)
        names = [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
        issuer = _common_name(certificate.get("issuer", ()))
        left = f"ends in {days} day{'' if days == 1 else 's'}"
        return cls(
            "tls",
            f"{version}, certificate for {', '.join(names[:3]) or 'no name'} by {issuer}, {left}",
            {"version": version, "verified": True, "names": names, "issuer": issuer, "days_left": days},
            f"the server's certificate {left}: have it renewed" if days < _SOON else None,
        )


def _common_name(issuer: object) -> str:
    """Return what people call an issuer: its name, or else its organisation."""
    pairs = {str(key): str(value) for part in issuer for key, value in part} if isinstance(issuer, tuple) else {}
    return pairs.get("commonName") or pairs.get("organizationName") or "an issuer without a name"
