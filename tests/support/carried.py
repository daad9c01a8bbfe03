"""A Celery application whose tasks raise our errors and take our messages, to see what arrives on the other side.

    python -m carried

asks a worker for all of it, and prints what has come back, as JSON.
"""

import json
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

MESSAGE = MailMessage("grace@example.com", "Your code", "<p>1234</p>", id="one", idempotency_key="a-key")
PATIENCE = 30.0  # seconds

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
    return f"{message!r} {message.idempotency_key}"


def described(error: object) -> list[str]:
    """Return class, text and all that an error knows."""
    return [type(error).__name__, str(error), repr(sorted(vars(error).items()))]


def main() -> None:
    """Ask for each error, and what the message is on the other side."""
    errors = [fail.delay(number).get(timeout=PATIENCE, propagate=False) for number in range(len(ERRORS))]
    message = identify.delay(MESSAGE if serializer == "pickle" else MESSAGE.to_dict()).get(timeout=PATIENCE)
    print(json.dumps({"errors": [described(each) for each in errors], "message": message}))


if __name__ == "__main__":
    main()
