"""What Exchange Online says and allows: its hosts, its limits, and the meaning of its replies.

One reply stands for many causes, so a rule looks at code, enhanced code and the words that Microsoft fixes. Where
others have the same enhanced code, as RFC 8689 has 5.7.30, it holds for those words, or for Microsoft's hosts. Nobody
else has 5.2.252, 5.5.105, 5.7.57, 5.7.60 and 5.7.139 (https://www.iana.org/assignments/smtp-enhanced-status-codes).
https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements
https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission
"""

from typing import TYPE_CHECKING

import attrs

from postroom import MailAuthError, MailQuotaError, MailRateLimitError, MailRejectedError, Symptom, find_rule
from postroom_smtp.reply_rules import ReplyRule

if TYPE_CHECKING:
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
HOSTS = (*_HOSTS, "prod.outlook.com", "prod.exchangelabs.com", "mail.protection.outlook.com")
"""What names Exchange Online in an error: the host that was asked, or the one that signs its reply."""
_OAUTH2 = "Install postroom-smtp-oauth2 and set {auth_type}=oauth2"
_SEND_AS = (
    "Send as the mailbox that logs in ({default_from}), or run: "
    "Add-RecipientPermission SENDER -Trustee LOGIN -AccessRights SendAs"
)
_SLOW_DOWN = (
    "Exchange Online takes 3 connections and 30 messages a minute for one mailbox: wait, and send less at a time"
)


_DISABLED = "https://aka.ms/smtp_auth_disabled"
_SUBMISSION = (
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission"
)
_RETIRED = (
    "https://techcommunity.microsoft.com/blog/exchange/"
    "exchange-online-to-retire-basic-auth-for-client-submission-smtp-auth/4114750"
)
_NDR = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/"
_LIMITS = (
    "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/"
    "exchange-online-limits#sending-limits"
)


def _by_host(words: ReplyRule) -> tuple[ReplyRule, ReplyRule]:
    """Return a rule that asks for Microsoft's words, and the same for its hosts, whatever their words are."""
    return words, attrs.evolve(words, text=None, host=HOSTS)


RULES = (
    ReplyRule(
        meaning="SMTP AUTH is switched off for the tenant",
        remedy="Switch it on for the tenant: Set-TransportConfig -SmtpClientAuthenticationDisabled $false, or for the "
        "mailbox: Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false; it takes up to 30 minutes",
        source=_DISABLED, kind=MailAuthError,
        code="535", enhanced_code="5.7.139", text="SmtpClientAuthentication is disabled for the Tenant",
    ),
    ReplyRule(
        meaning="SMTP AUTH is switched off for the mailbox",
        remedy="Switch it on for the mailbox: Set-CASMailbox -Identity MAILBOX "
        "-SmtpClientAuthenticationDisabled $false; it takes up to 30 minutes",
        source=_DISABLED, kind=MailAuthError,
        code="535", enhanced_code="5.7.139", text="SmtpClientAuthentication is disabled for the Mailbox",
    ),
    ReplyRule(
        meaning="The security defaults of the tenant forbid SMTP AUTH",
        remedy="Replace the security defaults by conditional access that allows it",
        source="https://learn.microsoft.com/entra/fundamentals/security-defaults", kind=MailAuthError,
        code="535", enhanced_code="5.7.139", text="security defaults policy",
    ),
    ReplyRule(
        meaning="A conditional access policy, or the mailbox, forbids SMTP AUTH",
        remedy="Ask for an exception, and run "
        "Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false",
        source=_DISABLED, kind=MailAuthError,
        code="535", enhanced_code="5.7.139", text="did not meet the criteria",
    ),
    ReplyRule(
        meaning="Passwords are switched off here", remedy=_OAUTH2,
        source=_RETIRED, kind=MailAuthError,
        code="535", enhanced_code="5.7.139", text="basic authentication is disabled",
    ),
    *_by_host(ReplyRule(
        meaning="Microsoft takes no passwords any more", remedy=_OAUTH2,
        source=_RETIRED, kind=MailAuthError,
        code="550", enhanced_code="5.7.30", text="Basic authentication is not supported",
    )),
    ReplyRule(
        meaning="Nobody has logged in: there is no login set, or the port does not offer one",
        remedy="Log in, on port 587 with STARTTLS: set {username} and how to log in, {use_tls}=true and "
        "{opportunistic_tls}=true",
        source=_SUBMISSION, kind=MailAuthError,
        code="530", enhanced_code="5.7.57",
    ),
    ReplyRule(
        meaning="The mailbox that logs in may not send as this sender", remedy=_SEND_AS,
        source=f"{_NDR}fix-error-code-550-5-7-60-in-exchange-online", kind=MailRejectedError,
        code="550", enhanced_code="5.7.60",
    ),
    ReplyRule(
        meaning="The mailbox that logs in may not send as this sender", remedy=_SEND_AS,
        source=_SUBMISSION, kind=MailRejectedError,
        code="554", enhanced_code="5.2.252",
    ),
    ReplyRule(
        meaning="The mailbox that logs in may not send as this sender", remedy=_SEND_AS,
        source=_SUBMISSION, kind=MailRejectedError,
        code="554", enhanced_code="5.2.0", text="SendAsDeniedException",
    ),
    ReplyRule(
        meaning="The mailbox has used up its 10000 recipients for 24 hours",
        remedy="Wait a day, or use a service for bulk mail",
        source=_LIMITS, kind=MailQuotaError, transient=True,
        code="554", enhanced_code="5.2.0", text="SubmissionQuotaExceededException",
    ),
    ReplyRule(
        meaning="The mailbox that sends is full",
        remedy="Empty its Sent Items",
        source=_LIMITS, kind=MailQuotaError,
        code="554", enhanced_code="5.2.2", text="QuotaExceededException",
    ),
    ReplyRule(
        meaning="A High Volume Email account sends inside the organisation only",
        remedy="Use another account for outside recipients",
        source="https://learn.microsoft.com/exchange/mail-flow-best-practices/high-volume-mails-m365",
        kind=MailRejectedError,
        code="550", enhanced_code="5.5.105",
    ),
    *_by_host(ReplyRule(
        meaning="Too many connections or messages at a time for one mailbox", remedy=_SLOW_DOWN,
        source=_LIMITS, kind=MailRateLimitError, transient=True,
        code="432", enhanced_code="4.3.2", text=("Concurrent connections limit exceeded", "STOREDRV.ClientSubmit"),
    )),
)  # fmt: skip
"""Register them before the general ones of SMTP."""


def is_microsoft(server: str) -> bool:
    """Return True if this is a host of Exchange Online."""
    return server.lower().rstrip(".") in _HOSTS


def connections(server: str) -> int | None:
    """Return how many connections at a time the server takes; None if no limit is known."""
    return _CONNECTIONS if is_microsoft(server) else None


def explain(reply: "Reply", peer: str) -> ReplyRule | None:
    """Return the rule for a reply that Exchange Online is known for, or None. `peer` is who has replied."""
    symptom = Symptom(text=f"{peer} {' '.join(reply.lines)}", code=reply.code, enhanced_code=reply.enhanced_code)
    return find_rule(RULES, symptom)
