"""What Resend's answers mean: https://resend.com/docs/api-reference/errors.

A failure is `{"statusCode", "name", "message"}`. The name decides, since one status stands for several causes.
"""

from typing import Any

from postroom import MailSendError
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Lost, Peer
from postroom_resend.rules import RULES

SAFE = Lost("Send the same message again within 24 hours: Resend knows it by its idempotency key", safe_to_retry=True)
"""One message under its own key (https://resend.com/docs/dashboard/emails/idempotency-keys)."""


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
    return failures.from_answer(answer, peer, if_lost, said=f"{name}, {answer.json().get('message')}", rules=RULES)
