"""TLS: the mode that the settings ask for, and a context that verifies (RFC 8314, RFC 3207)."""

from typing import TYPE_CHECKING, Literal

from postroom import MailConfigError

if TYPE_CHECKING:
    import ssl

TlsMode = Literal["none", "starttls", "implicit"]

_SES = "https://docs.aws.amazon.com/ses/latest/dg/smtp-connect.html"
_SMTP2GO = "https://developers.smtp2go.com/docs/smtp-relay"
_NETEASE = "https://support.websoft9.com/docs/smtps"
_SUBMISSION = "https://www.rfc-editor.org/rfc/rfc8314#section-3.3"
BEGINS_WITH_TLS = {465: _SUBMISSION, 994: _NETEASE, 2465: _SES, 443: _SMTP2GO, 8465: _SMTP2GO}
"""Ports on which every known server begins with TLS, and who says so."""
BEGINS_PLAIN = {
    25: "https://www.rfc-editor.org/rfc/rfc5321#section-4.5.4.2",
    587: _SUBMISSION,
    2525: _SMTP2GO,
    2587: _SES,
    8025: _SMTP2GO,
    80: "https://www.alibabacloud.com/help/doc-detail/57780.html",
}
"""Ports on which every known server begins in plain text, whether it offers STARTTLS or not, and who says so."""
_STARTTLS_PORTS = (25, 587)  # what TLS means there without a further word


def mode(use_tls: bool, opportunistic_tls: bool, port: int) -> TlsMode:
    """Return the mode of Dify's two switches. STARTTLS is required where it is the mode, never optional."""
    if not use_tls:
        return "none"
    return "starttls" if opportunistic_tls or port in _STARTTLS_PORTS else "implicit"


def mismatch(mode: TlsMode, port: int) -> TlsMode | None:
    """Return the mode for a port on which no known server speaks as `mode` says; None if one may."""
    if mode != "implicit" and port in BEGINS_WITH_TLS:
        return "implicit"
    return "starttls" if mode == "implicit" and port in BEGINS_PLAIN else None


def context(ca_file: str | None, verify: bool) -> "ssl.SSLContext":
    """Return a client context: TLS 1.2 or newer, certificate and host name verified unless `verify` is False.

    Args:
        ca_file: PEM file with a CA to trust besides the system's.
        verify: False trusts anybody.

    Raises:
        MailConfigError: The CA file cannot be read.
    """
    import ssl  # noqa: PLC0415  the settings are listed without it

    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            made.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise MailConfigError(f"SMTP_CA_FILE {ca_file!r} cannot be used: {error.strerror or error}") from error
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
