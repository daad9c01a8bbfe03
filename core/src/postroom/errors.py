"""Every error that postroom raises. Each is one line: what failed, where, and what to do about it.

All of them survive pickling, since task queues carry them between processes. None shows a secret or a message's body.
"""

from collections.abc import Iterable, Mapping

import attrs

from postroom.receipt import Outcome, Receipt, Refusal

VENDOR_TEXT_LIMIT = 200  # characters; some servers answer with a page


class MailError(Exception):
    """Anything that postroom raises on purpose."""


class MailConfigError(MailError, ValueError):
    """The configuration is wrong. Nothing has touched the network."""


@attrs.frozen
class SettingProblem:
    """One thing that is wrong with the settings. It never holds the value."""

    field: str
    """Name of the field in the provider's settings class, or the unknown key."""
    variable: str | None
    """The environment variable that sets the field; None for an unknown key."""
    reason: str
    """What is wrong, for the operator."""


class MailSettingsError(MailConfigError):
    """Settings are missing, malformed, unknown or contradict each other; `problems` has all of them at once."""

    def __init__(self, provider: str, problems: Iterable[SettingProblem] = ()) -> None:
        super().__init__(provider, tuple(problems))
        self.provider = provider
        self.problems: tuple[SettingProblem, ...] = self.args[1]

    def __str__(self) -> str:
        # Two fields that share a reason are one sentence: "SMTP server and port are required: set server
        # (SMTP_SERVER) and port (SMTP_PORT)".
        places: dict[str, list[str]] = {}
        for problem in self.problems:
            where = places.setdefault(problem.reason, [])
            if problem.variable is not None:
                where.append(f"{problem.field} ({problem.variable})")
        said = [f"{why}: set {' and '.join(where)}" if where else why for why, where in places.items()]
        return f"{self.provider}: {'; '.join(said)}"


class UnknownProviderError(MailConfigError, LookupError):
    """No installed distribution offers a provider of this name."""

    def __init__(self, message: str, *, name: str = "", installed: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.installed = tuple(installed)


class ProviderConflictError(MailConfigError):
    """Several distributions offer a provider of this name; none is chosen over another."""

    def __init__(self, message: str, *, name: str = "", distributions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.distributions = tuple(distributions)


class ProviderLoadError(MailConfigError, ImportError):
    """A provider is installed and does not work; `__cause__` says why."""

    def __init__(self, message: str, *, name: str | None = None, distribution: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.distribution = distribution


class MailMessageError(MailError, ValueError):
    """The message cannot be sent as it is: refused here, before or without the server. Nothing was sent."""


class MailSendError(MailError):
    """A send did not simply succeed. `outcome` says what became of the message."""

    def __init__(
        self,
        reason: str,
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
            remedy: What the reader can do about it, as a sentence without its full stop.
            provider: Name of the provider; filled in by the sender when None.
            stage: Step of the dialogue that failed, such as `connect`, `auth` or `rcpt`.
            code: SMTP reply code or HTTP status.
            enhanced_code: Enhanced status code (RFC 3463).
            transient: True if the same message may succeed later.
            retry_after: Seconds to wait, where the server said so.
            outcome: `NOT_SENT`, `PARTIAL` or `UNKNOWN`.
            safe_to_retry: True if the service recognises the same message and does not send it twice. `NOT_SENT` is
                safe in any case.
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
        *,
        refused: Mapping[str, Refusal] | None = None,
        receipt: Receipt | None = None,
        remedy: str | None = None,
        provider: str | None = None,
        stage: str | None = None,
        transient: bool = False,
        outcome: Outcome = Outcome.NOT_SENT,
    ) -> None:
        """Describe refused recipients.

        Args:
            reason: What failed and where, in one line.
            refused: The refused addresses, and why each was refused.
            receipt: What was accepted, when the outcome is `PARTIAL`.
            remedy: What the reader can do about it.
            provider: Name of the provider; filled in by the sender when None.
            stage: Step of the dialogue.
            transient: True if every refusal is transient.
            outcome: `NOT_SENT` or `PARTIAL`.
        """
        super().__init__(reason, remedy=remedy, provider=provider, stage=stage, transient=transient, outcome=outcome)
        self.refused: dict[str, Refusal] = dict(refused or {})
        self.receipt = receipt


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
