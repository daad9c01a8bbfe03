"""What Resend's failures mean: https://resend.com/docs/api-reference/errors.

The reason of an error begins with Resend's name for it. The name decides, since one status stands for several causes.
"""

from postroom import (
    MailAuthError,
    MailQuotaError,
    MailRateLimitError,
    MailRejectedError,
    MailUnavailableError,
    Outcome,
    Rule,
)
from postroom_http.rules import AnswerRule

_ERRORS = "https://resend.com/docs/api-reference/errors"
_IDEMPOTENCY = "https://resend.com/docs/dashboard/emails/idempotency-keys"
_LIMITS = "https://resend.com/docs/api-reference/rate-limit"
_DOMAINS = "https://resend.com/docs/knowledge-base/403-error-domain-mismatch"

_UNKNOWN_KEY = "Resend does not know the key: it was deleted, or not copied as a whole"
_NEW_KEY = "Make a new key at https://resend.com/api-keys, and set {api_key}"
_PLACE = "Check {api_url}"
_AGAIN = "Send the same message again: Resend knows it by its idempotency key"
_VERIFY = (
    "Verify the domain of the sender ({default_from}) at https://resend.com/domains; without one, mail goes from "
    "onboarding@resend.dev to your own address only"
)

_ANSWERS = (
    AnswerRule(
        meaning="The request has no key", remedy="Set {api_key}",
        source=_ERRORS, code="401", text="missing_api_key", kind=MailAuthError,
    ),
    AnswerRule(
        meaning="The key may send, and this is something else", remedy=f"The key may not do this. {_NEW_KEY}",
        source=_ERRORS, code="401", text="restricted_api_key", kind=MailAuthError,
    ),
    AnswerRule(
        meaning=_UNKNOWN_KEY, remedy=_NEW_KEY, source=_ERRORS, code="403", text="invalid_api_key", kind=MailAuthError,
    ),
    # Its page has these as validation_error. A key that is gone is 400 to all requests but those that send.
    *(
        AnswerRule(
            meaning=_UNKNOWN_KEY, remedy=_NEW_KEY,
            source=_ERRORS, code=code, text="API key is invalid", kind=MailAuthError,
        )
        for code in ("400", "401")
    ),
    AnswerRule(
        meaning="Without a domain of your own, Resend sends to your own address only",
        remedy="Verify a domain at https://resend.com/domains, and set {default_from} to an address there",
        source=_DOMAINS, code="403", text="You can only send testing emails", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The domain of the sender is not verified, or lies above or below the one that is",
        remedy="Verify the domain of the sender ({default_from}) at https://resend.com/domains",
        source=_DOMAINS, code="403", text="domain is not verified", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The domain of the sender is not verified, or there is none and the mail is not to yourself",
        remedy=_VERIFY, source=_DOMAINS, code="403", text="validation_error", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="Resend has no such address", remedy=_PLACE,
        source=_ERRORS, code="404", text="not_found", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="Resend does not take this kind of request at this address", remedy=_PLACE,
        source=_ERRORS, code="405", text="method_not_allowed", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The message has a key that Resend does not take",
        remedy="Set idempotency_key to 1 to 256 visible ASCII characters",
        source=_IDEMPOTENCY, code="400", text="invalid_idempotency_key", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="Resend has got another message under the same key",
        remedy="Another message had this idempotency_key within 24 hours: give each message its own",
        source=_IDEMPOTENCY, code="409", text="invalid_idempotent_request", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The first attempt at the same message is still running", remedy=_AGAIN,
        source=_IDEMPOTENCY, code="409", text="concurrent_idempotent_requests",
        kind=MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN,
    ),
    AnswerRule(
        meaning="A field of the message is missing or wrong", remedy="Correct the field that the answer names",
        source=_ERRORS, code="400", text="validation_error", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="An address or another field of the message is wrong; Resend refuses addresses at example.com, too",
        remedy="Correct the field that the answer names; for a test, send to delivered@resend.dev",
        source=_ERRORS, code="422", text="validation_error", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="A field of the message is missing", remedy="Add the field that the answer names",
        source=_ERRORS, code="422", text="missing_required_field", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="Resend cannot read the sender", remedy="Check the sender ({default_from}), and the name in it",
        source=_ERRORS, code="422", text="invalid_from_address", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="Resend does not take an attachment", remedy="Give the attachment a name and content, or leave it out",
        source=_ERRORS, code="422", text="invalid_attachment", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="Resend does not take the value of a field", remedy="Correct the field that the answer names",
        source=_ERRORS, code="422", text="invalid_parameter", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The key has rights that Resend does not know", remedy=_NEW_KEY,
        source=_ERRORS, code="422", text="invalid_access", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The domain of the sender is in a region that Resend does not know",
        remedy="Add the domain again at https://resend.com/domains",
        source=_ERRORS, code="422", text="invalid_region", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="More requests come than Resend takes from one team in a second",
        remedy="Wait; many messages at once go best by deliver_many",
        source=_LIMITS, code="429", text="rate_limit_exceeded", kind=MailRateLimitError, transient=True,
    ),
    AnswerRule(
        meaning="The account has sent what its plan allows in a day",
        remedy="Wait until tomorrow, or take a larger plan",
        source=_LIMITS, code="429", text="daily_quota_exceeded", kind=MailQuotaError, transient=True,
    ),
    AnswerRule(
        meaning="The account has sent what its plan allows in a month",
        remedy="Wait until next month, or take a larger plan",
        source=_LIMITS, code="429", text="monthly_quota_exceeded", kind=MailQuotaError, transient=True,
    ),
    AnswerRule(
        meaning="Resend takes the message for dangerous",
        remedy="Resend sees a risk in the message: ask its support",
        source=_ERRORS, code="451", text="security_error", kind=MailRejectedError,
    ),
    *(
        AnswerRule(
            meaning="Resend has failed", remedy="Try again later; https://resend-status.com says how Resend is",
            source=_ERRORS, code="500", text=name,
            kind=MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN,
        )
        for name in ("application_error", "internal_server_error")
    ),
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *_ANSWERS,
    Rule(
        meaning="The domain of the sender is not verified",
        remedy="Verify it at https://resend.com/domains, or set {default_from} to one that is",
        source=_DOMAINS, stage="sender", text="is not verified at Resend",
    ),
    Rule(
        meaning="Resend has refused one message of a batch", remedy="Correct the field that the answer names",
        source="https://resend.com/docs/api-reference/emails/send-batch-emails", text="refused it",
    ),
)  # fmt: skip
"""The more exact ones first."""
