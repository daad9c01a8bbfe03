"""A Celery application whose tasks raise our errors and take our messages, to see what arrives on the other side."""

import os
from typing import Any

from celery import Celery

from postroom import (
    MailAuthError,
    MailConfigError,
    MailError,
    MailMessage,
    MailMessageError,
    MailRecipientsError,
    MailSettingsError,
    MailTimeoutError,
    Outcome,
    ProviderConflictError,
    ProviderLoadError,
    Receipt,
    Refusal,
    SettingProblem,
    UnknownProviderError,
)

REFUSED = {"a@example.com": Refusal(550, "5.1.1", "no such user", transient=False)}
RECEIPT = Receipt("<1@example.com>", "pigeon", "queued as 1", ("b@example.com",), REFUSED, 2)
ERRORS: list[MailError] = [
    MailError("what"),
    MailConfigError("what"),
    MailSettingsError(
        "pigeon",
        [SettingProblem("loft", "PIGEON_LOFT", "loft is required"), SettingProblem("x", None, "unknown setting 'x'")],
    ),
    UnknownProviderError("what", name="pigeon", installed=["a", "b"]),
    ProviderConflictError("what", name="pigeon", distributions=["a", "b"]),
    ProviderLoadError("what", name="pigeon", distribution="acme-pigeon"),
    MailMessageError("what"),
    MailAuthError("refused", provider="pigeon", stage="auth", code=535, enhanced_code="5.7.8", remedy="Log in"),
    MailTimeoutError("lost", transient=True, retry_after=1.5, outcome=Outcome.UNKNOWN),
    MailTimeoutError("lost", outcome=Outcome.UNKNOWN, safe_to_retry=True),
    MailRecipientsError("some", refused=REFUSED, receipt=RECEIPT, outcome=Outcome.PARTIAL),
]

url, serializer = os.environ.get("CARRIED_URL", "memory://"), os.environ.get("CARRIED_SERIALIZER", "json")
app = Celery("carried", broker=url, backend=url if "redis" in url else None)
app.conf.update(task_serializer=serializer, result_serializer=serializer, accept_content=["json", "pickle"])


@app.task  # type: ignore[untyped-decorator]
def fail(number: int) -> None:
    """Raise one of the errors."""
    raise ERRORS[number]


@app.task  # type: ignore[untyped-decorator]
def identify(data: Any) -> str:
    """Return what a message is, whether it comes as itself or as plain data."""
    message = data if isinstance(data, MailMessage) else MailMessage.from_dict(data)
    return f"{message!r} {message.date} {message.idempotency_key}"
