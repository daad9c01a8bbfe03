"""What Postmark's codes mean: https://postmarkapp.com/developer/api/overview#error-codes."""

from postroom import MailAuthError, MailQuotaError, MailRejectedError
from postroom_http.rules import AnswerRule

_CODES = "https://postmarkapp.com/developer/api/overview#error-codes"

# The code decides, since 422 stands for many causes. `answers` writes it into the reason of an error.
RULES = (
    AnswerRule(
        meaning="Postmark does not know the token",
        remedy="Copy the token from the tab API Tokens of the server, and set {server_token}",
        source=_CODES,
        code="401",
        text="ErrorCode 10",
        kind=MailAuthError,
    ),
    AnswerRule(
        meaning="The sender is not confirmed",
        remedy="Confirm the sender ({default_from}), or verify its domain, at Postmark",
        source=_CODES,
        code="422",
        text="ErrorCode 400",
        kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The account may send no more",
        remedy="Take a larger plan",
        source=_CODES,
        code="422",
        text="ErrorCode 405",
        kind=MailQuotaError,
        transient=True,
    ),
    AnswerRule(
        meaning="The recipient has bounced or complained",
        remedy="Reactivate the address at Postmark",
        source=_CODES,
        code="422",
        text="ErrorCode 406",
        kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The account is not approved yet",
        remedy="Send to the sender's own domain only, until Postmark has approved the account",
        source=_CODES,
        code="422",
        text="ErrorCode 412",
        kind=MailRejectedError,
    ),
)
