"""What SendGrid's answers mean: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses.

A failure is `{"errors": [{"message", "field", "help"}]}`.
"""

import time
from typing import Any

from postroom import MailAuthError, MailMessage, MailQuotaError, MailRejectedError, MailSendError
from postroom_http import failures
from postroom_http.client import Answer
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
    rule = _rule(answer.status, errors, peer)
    said = "; ".join(f"{each['message']} ({each['field']})" if each["field"] else each["message"] for each in errors)
    said = said or "not an answer of SendGrid's"
    return failures.from_answer(answer.status, said, rule, peer, if_lost, retry_after=_retry_after(answer))


def _rule(status: int, errors: list[dict[str, str]], peer: Peer) -> Rule:
    first = errors[0] if errors else {"message": "", "field": ""}
    if status in (401, 403) and errors:
        if _CREDITS in first["message"]:
            return Rule(MailQuotaError, "Wait until the credits renew, or take a larger plan", transient=True)
        if first["field"].startswith("from"):
            return Rule(
                MailRejectedError,
                "Verify the sender (MAIL_DEFAULT_SEND_FROM), or its domain, at "
                "https://app.sendgrid.com/settings/sender_auth",
            )
        return Rule(MailAuthError, _KEY)
    return failures.by_status(status, peer, understood=bool(errors))


def _errors(said: Any) -> list[dict[str, str]]:
    found = said.get("errors") if isinstance(said, dict) else None
    if not isinstance(found, list):
        return []
    return [
        {"message": str(each.get("message") or ""), "field": str(each.get("field") or "")}
        for each in found
        if isinstance(each, dict)
    ]


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds to wait. SendGrid says when, in seconds of the epoch."""
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if answer.status == 429 and reset.isdecimal() and len(reset) < 12:
        return max(0.0, float(reset) - time.time())
    return failures.seconds(answer.headers.get("Retry-After"))
