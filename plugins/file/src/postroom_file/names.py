"""The names of what is written: no part of them is text that somebody else has chosen freely."""

import datetime
import hashlib
import re

from postroom import MailMessage

_PLAIN_ID = re.compile(r"[a-z0-9.-]{1,64}")  # in lower case: some file systems do not tell the cases apart
_STEM = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z-[a-z0-9._-]+")
_LONGEST = 80  # characters of an attachment's name; a file system takes 255 octets


def stem(message: MailMessage) -> str:
    """Return what the names of a message's files begin with: its date in UTC, and its id.

    The same message has the same one, so that a second attempt replaces the first.
    """
    utc = message.date.astimezone(datetime.UTC)
    moment = f"{utc.year:04}{utc:%m%dT%H%M%SZ}"  # %Y has no zeros in front everywhere
    plain = _PLAIN_ID.fullmatch(message.id)
    # The underscore keeps hashes apart from ids that look like one.
    return f"{moment}-{message.id if plain else '_' + hashlib.sha256(message.id.encode()).hexdigest()[:32]}"


def moment_of(stem: str) -> str | None:
    """Return the date in such a stem, for people; None if it is none."""
    found = _STEM.fullmatch(stem)
    return "{}-{}-{} {}:{}:{} UTC".format(*found.groups()) if found else None


def attached(number: int, filename: str) -> str:
    """Return the name of a saved attachment: its number in the message, and what is harmless in its own name."""
    return f"{number}-{re.sub(r'[^A-Za-z0-9._-]', '_', filename)[-_LONGEST:]}"
