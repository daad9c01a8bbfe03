"""What SendGrid's failures mean: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors.

The reason of an error begins with the field that the failure is about, if SendGrid names one.
"""

from postroom import MailAuthError, MailQuotaError, MailRejectedError, Rule
from postroom_http.rules import BY_SOMETHING_ELSE, AnswerRule

_ERRORS = "https://support.sendgrid.com/hc/en-us/articles/18322114821403-4XX-API-Errors-and-Troubleshooting-Suggestions"
_CREDITS = "https://github.com/sendgrid/sendgrid-nodejs/issues/1032"
_SENDER = "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/sender-identity"
_KEYS = "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys"

_NEW_KEY = (
    "Make a new key with the scope mail.send at https://app.sendgrid.com/settings/api_keys, and set {api_key}; "
    "a subuser in the EU needs {api_url}=https://api.eu.sendgrid.com"
)
_UNKNOWN_KEY = "SendGrid does not know the key, or it is a key of the EU's and this is the other host"
_REFUSALS = ("401", "403")  # each stands for all of these causes

RULES: tuple[Rule, ...] = (
    *(
        AnswerRule(
            meaning="The account has used up its credits", remedy="Wait until the credits renew, or take a larger plan",
            source=_CREDITS, code=code, text="Maximum credits exceeded", kind=MailQuotaError, transient=True,
        )
        for code in _REFUSALS
    ),
    *(
        AnswerRule(
            meaning="Neither the address of the sender nor its domain is verified",
            remedy="Verify the sender ({default_from}), or its domain, at "
            "https://app.sendgrid.com/settings/sender_auth",
            source=_SENDER, code=code, text=text, kind=MailRejectedError,
        )
        for code in _REFUSALS
        for text in (f"{code}: from", "does not match a verified Sender Identity")
    ),
    *BY_SOMETHING_ELSE,
    # With the usual words first, by which a text is recognised that comes without its status.
    *(
        AnswerRule(meaning=meaning, remedy=_NEW_KEY, source=_ERRORS, code=code, text=text, kind=MailAuthError)
        for code, meaning, words in (
            ("401", _UNKNOWN_KEY, "authorization grant is invalid"),
            ("403", "The key lacks a scope", "access forbidden"),
        )
        for text in (words, None)
    ),
    AnswerRule(
        meaning="The message has 30 MB or more, its files in base64", remedy="Send smaller files, or links to them",
        source="https://docs.sendgrid.com/api-reference/mail-send/limitations", code="413", kind=MailRejectedError,
    ),
    Rule(
        meaning="The key lacks the scope to send",
        remedy="Give it the scope mail.send at https://app.sendgrid.com/settings/api_keys",
        source=_KEYS, stage="scopes",
    ),
    Rule(
        meaning="Neither the address of the sender nor its domain is verified",
        remedy="Verify it at https://app.sendgrid.com/settings/sender_auth, or set {default_from} to one that is",
        source=_SENDER, stage="sender", text="is verified at SendGrid",
    ),
)  # fmt: skip
"""The more exact ones first. What is not here is what its status says."""
