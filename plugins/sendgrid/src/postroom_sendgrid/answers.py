"""What SendGrid's answers mean: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses.

A failure is `{"errors": [{"message", "field", "help"}]}`.
"""

import time
from typing import Any

from postroom import MailMessage, MailSendError, whole_number
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Lost, Peer
from postroom_sendgrid.payload import ID
from postroom_sendgrid.rules import RULES


def lost(message: MailMessage) -> Lost:
    """Return what a lost answer means. SendGrid knows no idempotency key."""
    return Lost(
        f"The message may have been sent: look for {ID}={message.id} in SendGrid's events before you send it again"
    )


def explain(answer: Answer, peer: Peer, if_lost: Lost | None) -> MailSendError:
    """Return the error for an answer that accepts nothing. `if_lost` is None where nothing was being sent."""
    # The field goes first: its texts may be longer than what is kept of them.
    words = [f"{each['field']}: {each['message']}" if each["field"] else each["message"] for each in _errors(answer)]
    return failures.from_answer(
        answer, peer, if_lost, said="; ".join(filter(None, words)), rules=RULES, retry_after=_until_reset(answer)
    )


def _errors(answer: Answer) -> list[dict[str, str]]:
    said: Any = answer.json()
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
    reset = whole_number(answer.headers.get("X-RateLimit-Reset", ""), 11)
    return max(0.0, reset - time.time()) if answer.status == 429 and reset is not None else None
