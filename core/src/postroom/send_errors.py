"""The errors of a send, which say what became of the message.

They cross task queues, so that who retries knows the outcome there, too: see `errors`.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from postroom.errors import MailError
from postroom.receipt import Outcome, Receipt, Refusal

VENDOR_TEXT_LIMIT = 200  # characters; some servers answer with a page


class MailSendError(MailError):
    """A send did not simply succeed. `outcome` says what became of the message."""

    def __init__(
        self,
        reason: str,
        details: Mapping[str, Any] | None = None,
        *,
        remedy: str | None = None,
        provider: str | None = None,
        stage: str | None = None,
        code: int | None = None,
        enhanced_code: str | None = None,
        transient: bool = False,
        retry_after: float | None = None,
        outcome: Outcome = Outcome.NOT_SENT,
        safe_to_retry: bool = False,
    ) -> None:
        """Describe a failed send.

        Args:
            reason: What failed and where, in one line.
            details: The others as plain data, as `args` has them; it goes before them.
            remedy: What the reader can do about it, as a sentence without its full stop.
            provider: Name of the provider; filled in by the sender when None.
            stage: Step of the dialogue that failed, such as `connect`, `auth` or `rcpt`.
            code: SMTP reply code or HTTP status.
            enhanced_code: Enhanced status code (RFC 3463).
            transient: True if the same message may succeed later.
            retry_after: Seconds to wait, where the server said so.
            outcome: `NOT_SENT`, `PARTIAL` or `UNKNOWN`.
            safe_to_retry: True if the service recognises the same message and does not send it twice. `NOT_SENT` is
                safe in any case, `UNKNOWN` at this provider alone: no other service recognises the message.
        """
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.provider = provider
        self.stage = stage
        self.code = code
        self.enhanced_code = enhanced_code
        self.transient = transient
        self.retry_after = retry_after
        self.outcome = outcome
        self.safe_to_retry = safe_to_retry or outcome is Outcome.NOT_SENT
        for name, value in (details or {}).items():
            if name in vars(self):  # another version may know more
                setattr(self, name, _restored(name, value))

    @property
    def args(self) -> tuple[str, dict[str, Any]]:  # type: ignore[override]  # made anew when an error is carried away
        """The reason, and whatever else is known, as plain data."""
        return self.reason, {name: _plain(value) for name, value in vars(self).items() if name != "reason"}

    def __str__(self) -> str:
        text = f"{self.provider}: {self.reason}" if self.provider else self.reason
        return f"{text.rstrip('.')}. {self.remedy}" if self.remedy else text


class MailConnectionError(MailSendError):
    """No usable connection: DNS, a refused or lost connection, TLS."""


class MailAuthError(MailSendError):
    """The server did not accept who we are."""


class MailRecipientsError(MailSendError):
    """Recipients were refused: all of them (`NOT_SENT`), or some of them (`PARTIAL`, with the receipt)."""

    def __init__(
        self,
        reason: str,
        details: Mapping[str, Any] | None = None,
        *,
        refused: Mapping[str, Refusal] | None = None,
        receipt: Receipt | None = None,
        remedy: str | None = None,
        provider: str | None = None,
        stage: str | None = None,
        code: int | None = None,
        enhanced_code: str | None = None,
        transient: bool = False,
        outcome: Outcome = Outcome.NOT_SENT,
    ) -> None:
        """Describe refused recipients.

        Args:
            reason: What failed and where, in one line.
            details: The others as plain data, as `args` has them; it goes before them.
            refused: The refused addresses, and why each was refused.
            receipt: What was accepted, when the outcome is `PARTIAL`.
            remedy: What the reader can do about it.
            provider: Name of the provider; filled in by the sender when None.
            stage: Step of the dialogue.
            code: SMTP reply code, if it is the same for all.
            enhanced_code: Enhanced status code (RFC 3463), if it is the same for all.
            transient: True if every refusal is transient.
            outcome: `NOT_SENT` or `PARTIAL`.
        """
        self.refused: dict[str, Refusal] = dict(refused or {})
        self.receipt = receipt
        super().__init__(
            reason,
            details,
            remedy=remedy,
            provider=provider,
            stage=stage,
            code=code,
            enhanced_code=enhanced_code,
            transient=transient,
            outcome=outcome,
        )


class MailRateLimitError(MailSendError):
    """Too many messages or connections for now; slow down and try again later."""


class MailQuotaError(MailSendError):
    """A quota is used up; waiting minutes does not help."""


class MailUnavailableError(MailSendError):
    """The service cannot take the message now; the same message may be accepted later."""


class MailRejectedError(MailSendError):
    """The service does not take this message, now or later."""


class MailTimeoutError(MailSendError, TimeoutError):
    """The server did not answer in time, or the deadline of the whole send passed."""


def _plain(value: object) -> object:
    """Return an attribute of an error as JSON can hold it."""
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Receipt | Refusal):
        return _plain(attrs.asdict(value))
    return list(value) if isinstance(value, tuple) else value


def _restored(name: str, value: Any) -> object:
    """Return what `_plain` was made of."""
    if name == "outcome":
        return Outcome(value)
    if name == "refused":
        return {address: Refusal(**refusal) for address, refusal in value.items()}
    if name == "receipt" and value is not None:
        return Receipt(
            **{**value, "accepted": tuple(value["accepted"]), "refused": _restored("refused", value["refused"])}
        )
    return value
