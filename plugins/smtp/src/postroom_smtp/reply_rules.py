"""What replies mean by their code and enhanced code: RFC 5321 section 4.2, RFC 4954 section 6, RFC 3463, RFC 5248.

The stage decides where one code stands for several things: 550 to MAIL is about the sender, to RCPT about a recipient.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from postroom import MailSendError, Rule
from postroom_smtp.registered_rules import REGISTERED
from postroom_smtp.wording_rules import WORDINGS

_CODES = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3"
_AUTH = "https://www.rfc-editor.org/rfc/rfc4954#section-6"
_ENHANCED = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_LATER = "Wait some minutes, and send again"
_LESS = "Wait some minutes, and send less at a time"
_ADDRESS = "Check the recipient's address"
_SENDER = "Set {default_from} to a sender that the server takes, such as the address that logs in ({username})"
OTHER_LOGIN = (
    "Set {auth_type} to oauth2 to log in with a token, or to what a further provider brings; else use a server that "
    "takes a password"
)
_ASK = "Ask whoever runs the server, with the words above"


@attrs.frozen(kw_only=True)
class ReplyRule(Rule):
    """A rule that also says which error a reply becomes, where its code alone would say another."""

    kind: type[MailSendError]
    transient: bool = False


def either(*conditions: Mapping[str, Any], **said: Any) -> tuple[Rule, ...]:
    """Return one rule for each set of conditions that has the same meaning, such as a service's words or its host."""
    return tuple(Rule(**said, **each) for each in conditions)


LOGIN: tuple[Rule, ...] = (
    Rule(
        meaning="The server wants TLS before anything else",
        remedy="Set {use_tls}=true and {opportunistic_tls}=true",
        source="https://www.rfc-editor.org/rfc/rfc3207#section-4", code="530", text="STARTTLS",
    ),
    Rule(
        meaning="The server wants a login before it takes mail",
        remedy="Set {username} and how to log in",
        source=_AUTH, code="530",
    ),
    Rule(
        meaning="The server cannot check the login now", remedy=_LESS,
        source=_AUTH, stage="auth", code="454",
    ),
    Rule(
        meaning="The server wants the password once in the clear, within TLS, before it takes this kind of login",
        remedy="Log in once by PLAIN over TLS: check {use_tls}",
        source=_AUTH, code="432", enhanced_code="4.7.12",
    ),
    Rule(
        meaning="The server takes this kind of login over TLS only",
        remedy="Set {use_tls}=true and {opportunistic_tls}=true",
        source=_AUTH, code="538",
    ),
    Rule(
        meaning="The account that logs in is disabled", remedy="Have the account of {username} enabled",
        source="https://www.rfc-editor.org/rfc/rfc5248#section-2.4", enhanced_code="5.7.13",
    ),
    Rule(
        meaning="The server does not take this kind of login for this account",
        remedy="Ask for the kind of login it takes; many services want a password made for applications",
        source=_AUTH, code="534",
    ),
    Rule(
        meaning="The server does not understand the login", remedy=OTHER_LOGIN,
        source=_AUTH, stage="auth", code="500",
    ),
    Rule(
        meaning="The server does not know this kind of login", remedy=OTHER_LOGIN,
        source=_AUTH, stage="auth", code="504",
    ),
)  # fmt: skip
"""Register them before a rule of your own on refused logins."""

_REFUSED = {"meaning": "The server does not take the login", "remedy": "Check {username} and what it logs in with"}
_LOGIN = (
    Rule(**_REFUSED, source=_AUTH, code="535"),
    Rule(**_REFUSED, source=_AUTH, stage="auth", code="5xx"),
)

_RECIPIENT = (
    Rule(
        meaning="The server takes mail for its own users only, unless we log in",
        remedy="Set {username} and how to log in, or have the address of this host allowed to relay",
        source=_ENHANCED, stage="rcpt", text=("relay access denied", "relaying denied"),
    ),
    Rule(
        meaning="The server takes mail for its own users only, unless we log in",
        remedy="Set {username} and how to log in, or have the address of this host allowed to relay",
        source="https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/",
        code="550", enhanced_code="5.7.54",
    ),
    Rule(
        meaning="There is no such mailbox", remedy=_ADDRESS,
        source=_ENHANCED, code="5xx", enhanced_code="5.1.1",
    ),
    Rule(
        meaning="There is no such mail domain", remedy=_ADDRESS,
        source=_ENHANCED, code="5xx", enhanced_code="5.1.2",
    ),
    Rule(
        meaning="The mail system of the recipient takes no mail", remedy=_ADDRESS,
        source="https://www.rfc-editor.org/rfc/rfc7504", code="556",
    ),
    Rule(
        meaning="The mailbox takes no mail now", remedy="Write to the recipient by another way",
        source=_ENHANCED, code="5xx", enhanced_code="5.2.1",
    ),
    Rule(
        meaning="The mailbox is full", remedy="Send again when it has been emptied",
        source=_ENHANCED, enhanced_code="4.2.2",
    ),
    Rule(
        meaning="The mailbox is full", remedy="Send again when it has been emptied",
        source=_ENHANCED, enhanced_code="5.2.2",
    ),
    Rule(
        meaning="The message is larger than the server takes", remedy="Send less, or a link to the file",
        source=_ENHANCED, enhanced_code="5.3.4",
    ),
    Rule(
        meaning="Too many recipients for one message", remedy="Split the list",
        source="https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10", enhanced_code="4.5.3",
    ),
    Rule(
        meaning="Too many recipients for one message", remedy="Split the list",
        source="https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10", stage="rcpt", code="552",
    ),
    Rule(
        meaning="The mailbox is busy, or the server takes mail from strangers at the second attempt only (greylisting)",
        remedy=_LATER, source=_CODES, stage="rcpt", code="450",
    ),
)  # fmt: skip

_BUSY = (
    Rule(
        meaning="The server cannot begin TLS now", remedy=_LATER,
        source="https://www.rfc-editor.org/rfc/rfc3207#section-4", stage="starttls", code="454",
    ),
    Rule(
        meaning="The server is out of room or of power", remedy=_LATER,
        source=_ENHANCED, code="452", enhanced_code="4.3.1",
    ),
    Rule(
        meaning="The server holds us back: too much in too short a time, or it has not seen us before", remedy=_LESS,
        source=_ENHANCED, code="4xx", enhanced_code="4.7.x",
    ),
    Rule(
        meaning="The server closes the connection: it is busy, or going down", remedy=_LATER,
        source=_CODES, code="421",
    ),
    Rule(
        meaning="The server is too busy for one more connection or message", remedy=_LESS,
        source=_CODES, code="432",
    ),
    Rule(meaning="The server cannot take the message now", remedy=_LATER, source=_CODES, code="4xx"),
)  # fmt: skip

_SENDER_AND_CONTENT = (
    Rule(
        meaning="The server takes no mail at all", remedy="Check {server}",
        source="https://www.rfc-editor.org/rfc/rfc7504", code="521",
    ),
    Rule(
        meaning="The server turns this host away before it has said anything",
        remedy="Have the address of this host allowed, or use the port for submission: {port}=587",
        source=_CODES, stage="greeting", code="5xx",
    ),
    Rule(
        meaning="The server does not take the name that we introduce ourselves with",
        remedy="Set {local_hostname} to a name that this server accepts",
        source="https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4", stage="ehlo", code="5xx",
    ),
    Rule(
        meaning="The message is larger than the server takes", remedy="Send less, or a link to the file",
        source="https://www.rfc-editor.org/rfc/rfc1870#section-6.1", code="552",
    ),
    Rule(
        meaning="The server does not take mail from this sender", remedy=_SENDER,
        source=_CODES, stage="mail", code="5xx",
    ),
    Rule(
        meaning="The server does not take the message for a reason of policy: spam, sender, or content",
        remedy=f"Check SPF, DKIM and DMARC of the sender's domain (postroom lint --dns). {_ASK}",
        source=_ENHANCED, code="5xx", enhanced_code="5.7.x",
    ),
    Rule(
        meaning="The server does not take mail for this recipient", remedy=_ADDRESS,
        source=_CODES, stage="rcpt", code="5xx",
    ),
    Rule(
        meaning="The server does not know a command that it has offered or must know",
        remedy="A firewall that looks into mail may be in between; else report it, with postroom --debug doctor",
        source=_CODES, code="50x",
    ),
    Rule(meaning="The server does not take the message", remedy=_ASK, source=_CODES, code="5xx"),
)  # fmt: skip

REPLIES: tuple[Rule, ...] = (*WORDINGS, *LOGIN, *_LOGIN, *_RECIPIENT, *REGISTERED, *_BUSY, *_SENDER_AND_CONTENT)
"""Why a login was refused, a provider knows better: it knows what it has logged in with."""
