"""The part behind the @: a domain as A-labels (IDNA 2008, RFC 5891), or an address literal (RFC 5321 section 4.1.3)."""

import re

from postroom.errors import MailMessageError
from postroom.injection import check_text

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST = 254  # octets, RFC 5321 section 4.5.3.1.3
_LITERAL = re.compile(r"\[(?:(?P<four>[0-9.]+)|IPv6:(?P<six>[0-9A-Fa-f:.]+))\]")


def to_ascii(value: str) -> str:
    """Return a domain in lower case as A-labels, or an address literal as it is.

    Raises:
        MailMessageError: It is neither, or no domain and no host can have this name.
    """
    check_text(value, "domain")
    if value.startswith("["):
        _check_literal(value)
        return value
    domain = value.lower() if value.isascii() else _encoded(value)
    if not _DOMAIN.fullmatch(domain):
        raise _refused(domain)
    if "xn--" in domain and len(domain) <= _LONGEST:  # a longer one is too long for an address anyway
        _check_a_labels(domain)
    return domain


def _encoded(value: str) -> str:
    # The codec in the standard library is IDNA 2003: it turns "straße.de" into "strasse.de", somebody else's domain.
    import idna  # noqa: PLC0415  only a domain that is not plain ASCII pays for its tables

    try:
        return idna.encode(value, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise MailMessageError(f"{value[:100]!r} is not a domain (IDNA): {str(error)[:200]}") from None


def _check_a_labels(domain: str) -> None:
    """Raise if a label that claims to be encoded stands for nothing, or for what is encoded in another way."""
    import idna  # noqa: PLC0415

    for label in domain.split("."):
        try:
            sound = not label.startswith("xn--") or idna.alabel(idna.ulabel(label)).decode("ascii") == label
        except UnicodeError:
            sound = False
        if not sound:
            reason = f"{label!r} is not what IDNA 2008 makes of any name. Write the domain in its own letters"
            raise _refused(domain, reason)


def _check_literal(value: str) -> None:
    found = _LITERAL.fullmatch(value)
    if found is None:
        raise _refused(value)
    import ipaddress  # noqa: PLC0415  nearly no address has one

    try:
        ipaddress.IPv4Address(found["four"]) if found["four"] else ipaddress.IPv6Address(found["six"])
    except ValueError:
        version = "4" if found["four"] else "6"
        raise _refused(value, f"no host has this address of IPv{version}") from None


def _refused(value: str, reason: str = "") -> MailMessageError:
    return MailMessageError(f"{value[:100]!r} is not a domain{': ' * bool(reason)}{reason}")
