"""The name that we introduce ourselves with (RFC 5321 section 4.1.1.1)."""

import functools
import re

from postroom import whole_number

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST = 255  # octets, RFC 5321 section 4.5.3.1.2


def is_domain(name: str) -> bool:
    """Return True if `name` is a domain as EHLO takes it (RFC 5321 section 4.1.2): no empty label, no IPv4 address."""
    return (
        _DOMAIN.fullmatch(name) is not None
        and len(name) <= _LONGEST
        and whole_number(name.rpartition(".")[2], _LONGEST) is None
    )


@functools.cache
def own_name() -> str | None:
    """Return this host's name if it is a full one, looked up once; None if an address must stand for it."""
    import socket  # noqa: PLC0415  the settings are listed without it

    name = socket.gethostname()
    if "." not in name.strip("."):
        name = socket.getfqdn(name)
    name = name.removesuffix(".")
    return name if "." in name and is_domain(name) else None


def literal(address: str) -> str:
    """Return an address as it stands for a name (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
