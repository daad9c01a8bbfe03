"""What Resend's answers mean: https://resend.com/docs/api-reference/errors.

A failure is `{"statusCode", "name", "message"}`. The name decides, since one status stands for several causes.
"""

from typing import Any

from postroom import (
    MailAuthError,
    MailQuotaError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailUnavailableError,
    Outcome,
)
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Lost, Peer, Rule

SAFE = Lost("Send the same message again within 24 hours: Resend knows it by its idempotency key", safe_to_retry=True)
"""One message under its own key (https://resend.com/docs/dashboard/emails/idempotency-keys)."""

_NEW_KEY = "Make a new key at https://resend.com/api-keys, and set RESEND_API_KEY"
_BY_NAME = {
    "missing_api_key": Rule(MailAuthError, "Set RESEND_API_KEY"),
    "invalid_api_key": Rule(MailAuthError, _NEW_KEY),
    "restricted_api_key": Rule(MailAuthError, f"The key may not do this. {_NEW_KEY}"),
    "invalid_idempotency_key": Rule(MailRejectedError, "Set idempotency_key to 1 to 256 visible ASCII characters"),
    "invalid_idempotent_request": Rule(
        MailRejectedError, "Another message had this idempotency_key within 24 hours: give each message its own"
    ),
    "concurrent_idempotent_requests": Rule(MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN),
    "rate_limit_exceeded": Rule(
        MailRateLimitError, "Wait; many messages at once go best by deliver_many", transient=True
    ),
    "daily_quota_exceeded": Rule(MailQuotaError, "Wait until tomorrow, or take a larger plan", transient=True),
    "monthly_quota_exceeded": Rule(MailQuotaError, "Wait until next month, or take a larger plan", transient=True),
    "security_error": Rule(MailRejectedError, "Resend sees a risk in the message: ask its support"),
}
_BY_STATUS_AND_NAME = {
    (403, "validation_error"): Rule(
        MailRejectedError,
        "Verify the domain of the sender (MAIL_DEFAULT_SEND_FROM) at https://resend.com/domains; without one, mail "
        "goes from onboarding@resend.dev to your own address only",
    ),
}


def accepted_id(answer: Answer) -> str | None:
    """Return the id of the mail that Resend has accepted, or None."""
    return mail_id(answer.json()) if answer.status == 200 else None


def mail_id(said: Any) -> str | None:
    """Return the id in `{"id": …}`, or None."""
    found = said.get("id") if isinstance(said, dict) else None
    return found if isinstance(found, str) and found else None


def error_name(answer: Answer) -> str | None:
    """Return Resend's name for the failure, or None if this is not such an answer."""
    said = answer.json()
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) else None


def explain(answer: Answer, peer: Peer, if_lost: Lost | None) -> MailSendError:
    """Return the error for an answer that accepts nothing. `if_lost` is None where nothing was being sent."""
    name = error_name(answer)
    if name is None or answer.status < 300:
        return failures.from_answer(answer, peer, if_lost)
    rule = _BY_STATUS_AND_NAME.get((answer.status, name)) or _BY_NAME.get(name)
    return failures.from_answer(answer, peer, if_lost, said=f"{name}, {answer.json().get('message')}", rule=rule)
