"""Whether replies fit the commands: what shows that a group was not read as a group, or that a reply was surplus."""

import re

from postroom_smtp.replies import Reply
from postroom_smtp.session import Session

OUT_OF_ORDER = 503
"""A command came at the wrong time, RFC 5321 section 4.2.3."""
# To MAIL or RCPT in a group: a command was not understood, or the one before it was lost.
_OUT_OF_STEP = (500, 502, OUT_OF_ORDER)
_NO_GROUPS = re.compile(r"pipelin|synchroni[sz]", re.IGNORECASE)


def may_be_another(reply: Reply, session: Session) -> bool:
    """Return True if an acceptance may be of an earlier command: with BDAT, no silence comes before the message.

    2.1.x is about an address (RFC 3463 section 3.2), and a further reply may be the one to the message.
    """
    return reply.lines[0].startswith("2.1.") or session.has_surplus


def is_out_of_step(reply: Reply) -> bool:
    """Return True if a refusal of MAIL, RCPT or DATA says that the server did not read the group as it was written."""
    return reply.code in _OUT_OF_STEP or (reply.code >= 400 and is_against_groups(reply))


def is_against_groups(reply: Reply) -> bool:
    """Return True if a refusal is about commands that came together."""
    return _NO_GROUPS.search(reply.text) is not None
