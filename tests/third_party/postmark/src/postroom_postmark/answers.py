"""What Postmark's answers mean: https://postmarkapp.com/developer/api/overview#error-codes.

A failure is `{"ErrorCode", "Message"}`. The code decides, since 422 stands for many causes.
"""

from postroom import MailSendError
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Lost, Peer

from postroom_postmark.rules import RULES

IF_LOST = Lost("Look for it in the activity of Postmark's server before you send it again")


def accepted_id(answer: Answer) -> str | None:
    """Return the id of the message that Postmark has accepted, or None."""
    said = answer.json()
    if answer.status != 200 or not isinstance(said, dict) or said.get("ErrorCode") != 0:
        return None
    return str(said.get("MessageID") or "") or None


def explain(answer: Answer, peer: Peer, if_lost: Lost | None) -> MailSendError:
    """Return the error for an answer that accepts nothing. `if_lost` is None where nothing was being sent."""
    said = answer.json()
    code = said.get("ErrorCode") if isinstance(said, dict) else None
    if not isinstance(code, int) or answer.status < 300:
        return failures.from_answer(answer, peer, if_lost)
    words = f"ErrorCode {code}, {said.get('Message')}"
    return failures.from_answer(answer, peer, if_lost, said=words, rules=RULES)
