"""Numbers in what others write, such as a reply, a header or a setting.

Python takes the digits of every script for digits (`int("٣٣")` is 33), and underscores between them. In mail, HTTP and
settings, a digit is one of 0 to 9.
"""

import re

_WHOLE = re.compile("[0-9]+")


def whole_number(text: str, digits: int) -> int | None:
    """Return the number that a text is, or None if it is anything else: no sign, no blank, no digit of other scripts.

    Args:
        text: What somebody else has written.
        digits: How many there may be.
    """
    return int(text) if len(text) <= digits and _WHOLE.fullmatch(text) else None
