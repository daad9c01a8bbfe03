"""What a server offers: the extensions that its reply to EHLO names (RFC 5321 section 4.1.1.1)."""

import re
from collections.abc import Mapping

from postroom import whole_number
from postroom_smtp.replies import Reply

_AUTH_WITH_EQUALS = re.compile(r"^AUTH=", re.IGNORECASE)  # some old servers write "AUTH=LOGIN PLAIN"
_LONGEST_SIZE = 20  # digits, RFC 1870 section 3


def extensions(reply: Reply) -> dict[str, str]:
    """Return the parameters of each keyword, which is in capitals. What is offered in several lines is joined."""
    found: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = _AUTH_WITH_EQUALS.sub("AUTH ", line, count=1).partition(" ")
        known = found.get(keyword.upper(), "")
        found[keyword.upper()] = f"{known} {parameters}".strip()
    return found


def size_limit(offered: Mapping[str, str]) -> int | None:
    """Return the octets that a message may have (SIZE); 0 is no limit, None is no number."""
    return whole_number(offered.get("SIZE", ""), _LONGEST_SIZE)
