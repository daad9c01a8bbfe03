"""What SendGrid's answers mean: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses.

A failure is `{"errors": [{"message", "field", "help"}]}`.
"""

import time
from typing import Any

from postroom import MailAuthError, MailMessage, MailQuotaError, MailRejectedError, MailSendError
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Lost, Peer, Rule
from postroom_sendgrid.payload import ID

_KEY = (
    "Make a new key with the scope mail.send at https://app.sendgrid.com/settings/api_keys, and set SENDGRID_API_KEY; "
    "a subuser in the EU needs SENDGRID_API_URL=https://api.eu.sendgrid.com"
)
_CREDITS = "Maximum credits exceeded"  # https://github.com/sendgrid/sendgrid-nodejs/issues/1032


def lost(message: MailMessage) -> Lost:
    """Return what a lost answer means. SendGrid knows no idempotency key."""
    return Lost(
        f"The message may have been sent: look for {ID}={message.id} in SendGrid's events before you send it again"
    )


def explain(answer: Answer, peer: Peer, if_lost: Lost | None) -> MailSendError:
    """Return the error for an answer that accepts nothing. `if_lost` is None where nothing was being sent."""
    errors = _errors(answer.json())
    words = [f"{each['message']} ({each['field']})" if each["field"] else each["message"] for each in errors]
    rule = _rule(answer.status, errors[0]) if errors else None
    return failures.from_answer(
        answer, peer, if_lost, said="; ".join(filter(None, words)), rule=rule, retry_after=_until_reset(answer)
    )


def _rule(status: int, error: dict[str, str]) -> Rule | None:
    if status not in (401, 403):
        return None
    if _CREDITS in error["message"]:
        return Rule(MailQuotaError, "Wait until the credits renew, or take a larger plan", transient=True)
    if error["field"].startswith("from"):
        return Rule(
            MailRejectedError,
            "Verify the sender (MAIL_DEFAULT_SEND_FROM), or its domain, at "
            "https://app.sendgrid.com/settings/sender_auth",
        )
    return Rule(MailAuthError, _KEY)


def _errors(said: Any) -> list[dict[str, str]]:
    found = said.get("errors") if isinstance(said, dict) else None
    if not isinstance(found, list):
        return []
    return [
        {"message": str(each.get("message") or ""), "field": str(each.get("field") or "")}
        for each in found
        if isinstance(each, dict)
    ]


def _until_reset(answer: Answer) -> float | None:
    """Return the seconds until the limit is reset. SendGrid says when that is, in seconds of the epoch."""
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.status != 429 or not reset.isdecimal() or len(reset) > 11:
        return None
    return max(0.0, float(reset) - time.time())
