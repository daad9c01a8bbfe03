"""What may become of a send, and what a sender must say of it."""

import enum
from collections.abc import Mapping

import attrs

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)


class Case(enum.Enum):
    """Something that happens to a message."""

    ACCEPTED = "accepted"
    """The service takes it."""
    REJECTED = "rejected"
    """The service refuses it, now and later."""
    UNAUTHORIZED = "unauthorized"
    """The service does not know the key or the login."""
    THROTTLED = "throttled"
    """The service wants less at a time."""
    UNAVAILABLE = "unavailable"
    """The service cannot take it now, and says so."""
    REFUSED = "refused"
    """Nobody listens."""
    LOST = "lost"
    """The connection breaks when the whole message has left, before an answer."""
    SILENT = "silent"
    """No answer comes to the whole message."""
    DRIPPING = "dripping"
    """The answer comes octet by octet, and does not end in time."""
    SLOW_HEAD = "answered slowly from the first octet"
    """The answer comes octet by octet from its status line on, and does not end in time."""
    HINTED = "refused after an interim answer"
    """An interim answer comes, as 103 of HTTP, and then the refusal."""
    TWICE = "answered twice"
    """The service takes it and says so, and then says so once more."""
    GARBLED = "garbled"
    """The answer is nothing that the service would say."""


FAILURES = tuple(case for case in Case if case not in (Case.ACCEPTED, Case.HINTED, Case.TWICE))


@attrs.frozen
class Expected:
    """What the error of a case must be; None leaves it open."""

    error: type[MailSendError]
    outcome: Outcome | None = None
    transient: bool | None = None


USUAL: Mapping[Case, Expected] = {
    Case.REJECTED: Expected(MailRejectedError, Outcome.NOT_SENT, transient=False),
    Case.UNAUTHORIZED: Expected(MailAuthError, Outcome.NOT_SENT, transient=False),
    Case.THROTTLED: Expected(MailRateLimitError, Outcome.NOT_SENT, transient=True),
    Case.UNAVAILABLE: Expected(MailUnavailableError, transient=True),
    Case.REFUSED: Expected(MailConnectionError, Outcome.NOT_SENT, transient=True),
    Case.LOST: Expected(MailSendError, Outcome.UNKNOWN),
    Case.SILENT: Expected(MailTimeoutError, Outcome.UNKNOWN),
    Case.DRIPPING: Expected(MailSendError, Outcome.UNKNOWN),
    Case.SLOW_HEAD: Expected(MailTimeoutError, Outcome.UNKNOWN),
    Case.GARBLED: Expected(MailSendError, Outcome.UNKNOWN),
}
"""What a provider must say if its author does not say otherwise in `expected`."""
