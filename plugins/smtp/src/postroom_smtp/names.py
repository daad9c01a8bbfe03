"""The name that we introduce ourselves with (RFC 5321 section 4.1.1.1)."""

import functools
import re
import socket


@functools.cache
def own_name() -> str | None:
    """Return this host's name if it is a full one, looked up once; None if an address must stand for it."""
    name = socket.gethostname()
    if "." not in name:
        name = socket.getfqdn(name)
    return name if "." in name and re.fullmatch(r"[A-Za-z0-9.-]+", name) else None


def literal(address: str) -> str:
    """Return an address as it stands for a name (RFC 5321 section 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
