"""What a server offers: the extensions that its reply to EHLO names (RFC 5321 section 4.1.1.1)."""

import re

from postroom_smtp.replies import Reply

_AUTH_WITH_EQUALS = re.compile(r"^AUTH=", re.IGNORECASE)  # some old servers write "AUTH=LOGIN PLAIN"


def extensions(reply: Reply) -> dict[str, str]:
    """Return the parameters of each keyword, which is in capitals. What is offered in several lines is joined."""
    found: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = _AUTH_WITH_EQUALS.sub("AUTH ", line, count=1).partition(" ")
        known = found.get(keyword.upper(), "")
        found[keyword.upper()] = f"{known} {parameters}".strip()
    return found
