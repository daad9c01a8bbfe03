"""TLS: the mode that the settings ask for, and a context that verifies (RFC 8314, RFC 3207)."""

from typing import TYPE_CHECKING, Literal

from postroom import MailConfigError

if TYPE_CHECKING:
    import ssl

TlsMode = Literal["none", "starttls", "implicit"]

STARTTLS_PORTS = (25, 587)  # such a port cannot speak TLS first
IMPLICIT_PORT = 465  # RFC 8314 section 7.3


def mode(use_tls: bool, opportunistic_tls: bool, port: int) -> TlsMode:
    """Return the mode of Dify's two switches. STARTTLS is required where it is the mode, never optional."""
    if not use_tls:
        return "none"
    return "starttls" if opportunistic_tls or port in STARTTLS_PORTS else "implicit"


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
