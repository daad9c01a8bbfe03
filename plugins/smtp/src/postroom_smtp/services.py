"""Replies of services that many people send by, and that say something else than they mean."""

from postroom import Rule

_GMAIL = "https://support.google.com/a/answer/3726730"
_QQ = "https://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256"
_SAME = "Set {default_from} to the address that logs in ({username})"

SERVICES: tuple[Rule, ...] = (
    Rule(
        meaning="Google wants a password that was made for applications, not that of the account",
        remedy="Make an app password at https://myaccount.google.com/apppasswords and log in with it",
        source="https://support.google.com/accounts/answer/185833", code="534", enhanced_code="5.7.9",
    ),
    Rule(
        meaning="Google does not take the password: it wants one that was made for applications",
        remedy="Make an app password at https://myaccount.google.com/apppasswords and log in with it",
        source="https://support.google.com/accounts/answer/185833", code="535", host="smtp.gmail.com",
    ),
    Rule(
        meaning="Google's relay does not know this host, or the name that it introduces itself with",
        remedy="Set {local_hostname} to a name of your domain, and allow the address of this host in the relay's "
        "settings",
        source="https://support.google.com/a/answer/2956491", text="invalid credentials for relay",
    ),
    Rule(
        meaning="Google's relay turned us away, as it does when the name after EHLO is none of yours",
        remedy="Set {local_hostname} to a name of your domain",
        source=_GMAIL, code="421", enhanced_code="4.7.0", text="(EHLO)",
    ),
    Rule(
        meaning="Google's daily quota is used up", remedy="Wait until tomorrow, or send by a service for bulk mail",
        source="https://support.google.com/a/answer/166852", code="550", enhanced_code="5.4.5",
    ),
    Rule(
        meaning="QQ wants an authorization code in place of the account's password",
        remedy="Make an authorization code in the settings of the mailbox, and use it as the password",
        source=_QQ, code="535", text="authorization code",
    ),
    Rule(
        meaning="163.com wants an authorization code in place of the account's password",
        remedy="Make an authorization code in the settings of the mailbox, and use it as the password",
        source="https://github.com/langgenius/dify/issues/20107", code="535", host="smtp.163.com",
    ),
    Rule(
        meaning="Amazon SES has credentials of its own for SMTP, which are no access keys",
        remedy="Make SMTP credentials for this region in the SES console, and log in with them",
        source="https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html", code="535", host="amazonaws.com",
    ),
    Rule(
        meaning="SendGrid takes an API key as the password, and one user name for all",
        remedy="Set {username}=apikey, and use an API key as the password",
        source="https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api",
        code="535", host="smtp.sendgrid.net",
    ),
    Rule(
        meaning="Resend takes an API key as the password, and one user name for all",
        remedy="Set {username}=resend, and use an API key as the password",
        source="https://resend.com/docs/send-with-smtp", code="535", host="smtp.resend.com",
    ),
    Rule(
        meaning="QQ sends for the account that logs in only", remedy=_SAME,
        source="https://github.com/langgenius/dify/issues/10466",
        text="mail from address must be same as authorization user",
    ),
    Rule(
        meaning="163.com sends for the account that logs in only", remedy=_SAME,
        source="https://github.com/langgenius/dify/issues/20107", text="mail from must equal authorized user",
    ),
)  # fmt: skip
"""https://support.google.com/a/answer/3726730 and what users have reported."""
