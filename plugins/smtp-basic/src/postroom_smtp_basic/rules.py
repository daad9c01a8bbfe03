"""What a login with a password meets, before the general rules of SMTP."""

from postroom import Rule
from postroom_smtp.microsoft import RULES as MICROSOFT
from postroom_smtp.reply_rules import LOGIN, OTHER_LOGIN
from postroom_smtp.rules import RULES as SMTP
from postroom_smtp.services import SERVICES

_AUTH = "https://www.rfc-editor.org/rfc/rfc4954#section-4"
_STARTTLS = "https://www.rfc-editor.org/rfc/rfc4954#section-3"

_OFFER = (
    Rule(
        meaning="The server offers a login after TLS only, and the settings use no TLS",
        remedy="It may offer one after TLS: set {use_tls}=true and {opportunistic_tls}=true",
        source=_STARTTLS, stage="auth", text="offers no login without TLS",
    ),
    Rule(
        meaning="The server takes no password",
        remedy=OTHER_LOGIN,
        source=_AUTH, stage="auth", text="offers no login with a password",
    ),
    Rule(
        meaning="The server offers no login on this port",
        remedy="If it needs none, leave {username} and {password} empty; else use its port for submission: {port}=587",
        source=_AUTH, stage="auth", text="offers no login",
    ),
)  # fmt: skip

_WRONG = {
    "meaning": "The server does not take the user name and the password",
    "remedy": "Check {username} and {password}; many services want a password that was made for applications",
    "source": "https://www.rfc-editor.org/rfc/rfc4954#section-6",
}
_REFUSED = (
    Rule(**_WRONG, code="535"),
    Rule(**_WRONG, stage="auth", code="5xx"),
)

RULES: tuple[Rule, ...] = (
    *_OFFER,
    Rule(
        meaning="User name or password is wrong", remedy="Check {username} and {password}",
        source="https://aka.ms/smtp_auth_disabled",
        code="535", enhanced_code="5.7.139", text="credentials were incorrect",
    ),
    *MICROSOFT,
    Rule(
        meaning="Microsoft does not let this mailbox log in by SMTP: it is switched off, forbidden by a policy, or the "
        "password is wrong",
        remedy="Check {username} and {password}, and have SMTP AUTH allowed; the words behind the code say which it is",
        source="https://aka.ms/smtp_auth_disabled", code="535", enhanced_code="5.7.139",
    ),
    *SERVICES,
    *LOGIN,
    *_REFUSED,
    *SMTP,
)  # fmt: skip
