"""Replies of services that many people send by, and that say something else than they mean.

A rule that names a service holds for its hosts, or for words that nobody else says.
"""

from postroom import Rule
from postroom_smtp.chinese_services import CHINESE_SERVICES
from postroom_smtp.reply_rules import either

_GMAIL = "https://support.google.com/a/answer/3726730"
_APPLICATIONS = "https://support.google.com/accounts/answer/185833"
_GOOGLE = ("smtp.gmail.com", "smtp-relay.gmail.com")
_MAKE_ONE = "Make an app password at https://myaccount.google.com/apppasswords and log in with it"

_OF_GOOGLE = (
    *either(
        {"enhanced_code": "5.7.9", "text": "Application-specific password required"},
        {"enhanced_code": "5.7.14", "text": "Please log in via your web browser"},
        {"host": _GOOGLE},
        meaning="Google wants a password that was made for applications, not that of the account",
        remedy=_MAKE_ONE, source=_APPLICATIONS, code="534",
    ),
    *either(
        {"text": "support.google.com/mail/?p=BadCredentials"},
        {"host": _GOOGLE},
        meaning="Google does not take the password: it wants one that was made for applications",
        remedy=_MAKE_ONE, source=_APPLICATIONS, code="535",
    ),
    Rule(
        meaning="Google's relay does not know this host, or the name that it introduces itself with",
        remedy="Set {local_hostname} to a name of your domain, and allow the address of this host in the relay's "
        "settings",
        source="https://support.google.com/a/answer/2956491", text="invalid credentials for relay",
    ),
    *either(
        {"text": "closing connection. (EHLO)"},
        {"stage": "ehlo", "host": "smtp-relay.gmail.com"},
        meaning="Google's relay turned us away, as it does when the name after EHLO is none of yours",
        remedy="Set {local_hostname} to a name of your domain", source=_GMAIL, code="421", enhanced_code="4.7.0",
    ),
    *either(
        {"text": ("Daily user sending limit exceeded", "Daily user sending quota exceeded", "Daily SMTP relay")},
        {"host": _GOOGLE},
        meaning="Google's daily quota is used up", remedy="Wait until tomorrow, or send by a service for bulk mail",
        source="https://support.google.com/a/answer/166852", code="550", enhanced_code="5.4.5",
    ),
)  # fmt: skip

_OF_OTHERS = (
    Rule(
        meaning="Amazon SES has credentials of its own for SMTP, which are no access keys",
        remedy="Make SMTP credentials for this region in the SES console, and log in with them",
        source="https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html",
        code="535", host="email-smtp*.*.amazonaws.com",
    ),
    Rule(
        meaning="SendGrid takes an API key as the password, and one user name for all",
        remedy="Set {username}=apikey, and use an API key as the password",
        source="https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api",
        code="535", host=("smtp.sendgrid.net", "smtp.eu.sendgrid.net"),
    ),
    Rule(
        meaning="Resend takes an API key as the password, and one user name for all",
        remedy="Set {username}=resend, and use an API key as the password",
        source="https://resend.com/docs/send-with-smtp", code="535", host="smtp.resend.com",
    ),
)  # fmt: skip

SERVICES: tuple[Rule, ...] = (*_OF_GOOGLE, *CHINESE_SERVICES, *_OF_OTHERS)
"""https://support.google.com/a/answer/3726730 and what users have reported."""
