"""What Postmark's answers mean: https://postmarkapp.com/developer/api/overview#error-codes.

A failure is `{"ErrorCode", "Message"}`. The code decides, since 422 stands for many causes.
"""

from postroom import MailAuthError, MailQuotaError, MailRejectedError, MailSendError
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Lost, Peer, Rule

IF_LOST = Lost("Look for it in the activity of Postmark's server before you send it again")

_BY_CODE = {
    10: Rule(MailAuthError, "Copy the token from the tab API Tokens of the server, and set POSTMARK_SERVER_TOKEN"),
    400: Rule(MailRejectedError, "Confirm the sender (MAIL_DEFAULT_SEND_FROM), or verify its domain, at Postmark"),
    405: Rule(MailQuotaError, "Take a larger plan: the account may send no more", transient=True),
    406: Rule(MailRejectedError, "The recipient has bounced or complained: reactivate the address at Postmark"),
    412: Rule(MailRejectedError, "The account is not approved yet: it may send to the sender's own domain only"),
}


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
    rule = _BY_CODE.get(code) if answer.status in (401, 422) else None
    return failures.from_answer(answer, peer, if_lost, said=f"{code}, {said.get('Message')}", rule=rule)
