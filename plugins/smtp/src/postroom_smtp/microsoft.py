"""What Exchange Online says and allows: its hosts, its limits, and the meaning of its replies.

One reply stands for many causes, so a rule looks at code, enhanced code and the words that Microsoft fixes.
https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements
https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission
"""

import attrs

from postroom import MailAuthError, MailQuotaError, MailRateLimitError, MailRejectedError, MailSendError
from postroom_smtp.replies import Reply

_CONNECTIONS = 3  # at a time for one mailbox; a fourth is answered with 432
PASSWORDS_END = (
    "Microsoft 365 switches SMTP with a password off by default at the end of December 2026, and will announce its "
    "removal in the second half of 2027: install postroom-smtp-oauth2 and set SMTP_AUTH_TYPE=oauth2"
)

_HOSTS = (
    "smtp.office365.com",
    "smtp-legacy.office365.com",
    "smtp-mail.outlook.com",
    "smtp.office365.us",
    "outlook-dod.office365.us",
    "smtp.partner.outlook.cn",
)
_OAUTH2 = "Passwords are off here: install postroom-smtp-oauth2 and set SMTP_AUTH_TYPE=oauth2"
_SEND_AS = (
    "Send as the mailbox that logs in (MAIL_DEFAULT_SEND_FROM), or run: "
    "Add-RecipientPermission SENDER -Trustee LOGIN -AccessRights SendAs"
)
_SLOW_DOWN = (
    "Exchange Online takes 3 connections and 30 messages a minute for one mailbox: wait, and send less at a time"
)


@attrs.frozen
class Rule:
    """A reply that is known: all that is given must match."""

    remedy: str
    kind: type[MailSendError]
    code: int
    enhanced_code: str | None = None
    text: str = ""
    transient: bool = False

    def matches(self, reply: Reply) -> bool:
        """Return True if this is the reply."""
        return (
            reply.code == self.code
            and self.enhanced_code in (None, reply.enhanced_code)
            and self.text.lower() in " ".join(reply.lines).lower()
        )


_RULES = (
    Rule(
        "Switch it on for the tenant: Set-TransportConfig -SmtpClientAuthenticationDisabled $false, or for the "
        "mailbox: Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false; it takes up to 30 minutes",
        MailAuthError, 535, "5.7.139", "SmtpClientAuthentication is disabled for the Tenant",
    ),
    Rule(
        "Switch it on for the mailbox: Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false; "
        "it takes up to 30 minutes",
        MailAuthError, 535, "5.7.139", "SmtpClientAuthentication is disabled for the Mailbox",
    ),
    Rule(
        "The tenant's security defaults forbid SMTP AUTH: replace them by conditional access that allows it",
        MailAuthError, 535, "5.7.139", "security defaults policy",
    ),
    Rule(
        "A conditional access policy or the mailbox forbids it: ask for an exception, and run "
        "Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false",
        MailAuthError, 535, "5.7.139", "did not meet the criteria",
    ),
    Rule(_OAUTH2, MailAuthError, 535, "5.7.139", "basic authentication is disabled"),
    Rule("Check SMTP_USERNAME and SMTP_PASSWORD", MailAuthError, 535, "5.7.139", "credentials were incorrect"),
    Rule(_OAUTH2, MailAuthError, 550, "5.7.30"),
    Rule(
        "Log in, on port 587 with STARTTLS: set SMTP_USERNAME and how to log in, SMTP_USE_TLS=true and "
        "SMTP_OPPORTUNISTIC_TLS=true",
        MailAuthError, 530, "5.7.57",
    ),
    Rule(_SEND_AS, MailRejectedError, 550, "5.7.60"),
    Rule(_SEND_AS, MailRejectedError, 554, "5.2.252"),
    Rule(_SEND_AS, MailRejectedError, 554, "5.2.0", "SendAsDenied"),
    Rule(
        "The mailbox has sent to 10000 recipients within 24 hours: wait a day, or use a service for bulk mail",
        MailQuotaError, 554, "5.2.0", "SubmissionQuotaExceeded", transient=True,
    ),
    Rule("The mailbox that sends is full: empty its Sent Items", MailQuotaError, 554, "5.2.2", "QuotaExceeded"),
    Rule(
        "A High Volume Email account sends inside the organisation only: use another for outside recipients",
        MailRejectedError, 550, "5.5.105",
    ),
    Rule(_SLOW_DOWN, MailRateLimitError, 432, "4.3.2", transient=True),
)  # fmt: skip


def is_microsoft(server: str) -> bool:
    """Return True if this is a host of Exchange Online."""
    return server.lower().rstrip(".") in _HOSTS


def connections(server: str) -> int | None:
    """Return how many connections at a time the server takes; None if no limit is known."""
    return _CONNECTIONS if is_microsoft(server) else None


def explain(reply: Reply) -> Rule | None:
    """Return the rule for a reply that Exchange Online is known for, or None."""
    return next((rule for rule in _RULES if rule.matches(reply)), None)
