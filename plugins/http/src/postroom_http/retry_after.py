"""How long a service asks to wait: `Retry-After` (RFC 9110 section 10.2.3), as a number or as a date of any form."""

import datetime
import email.utils
import time

from postroom import whole_number

_DIGITS = 9  # of the longest wait, in seconds


def seconds(value: str | None) -> float | None:
    """Return how long a `Retry-After` (RFC 9110 section 10.2.3) asks to wait; None if it is no number and no date.

    None as well for more than thirty years, which nobody means.
    """
    if value is None or not value.isascii():
        return None
    if (number := whole_number(value, _DIGITS)) is not None:
        return float(number)
    try:
        until = email.utils.parsedate_to_datetime(value)
        if until.tzinfo is None:  # one of the three forms names no zone; all are in GMT (RFC 9110 section 5.6.7)
            until = until.replace(tzinfo=datetime.UTC)
        left = max(0.0, until.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
    return left if left < 10**_DIGITS else None
