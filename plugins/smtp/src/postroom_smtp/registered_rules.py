"""What enhanced codes mean by their registration, whoever says them.

https://www.iana.org/assignments/smtp-enhanced-status-codes, with RFC 3463, RFC 5248, RFC 7372, RFC 7505, RFC 8617 and
RFC 8689. Where a service means something else by one of them, its own rule goes first.
"""

from postroom import Rule

_RFC = "https://www.rfc-editor.org/rfc/"
_BASIC = f"{_RFC}rfc3463#section-3"
_LINT = "run postroom lint --dns"
_TLS_ON = "Set {use_tls}=true and {opportunistic_tls}=true"
_SIGN = f"Have the service that sends sign with DKIM for the sender's domain: {_LINT}"
_ALLOW = f"Name the service that sends in the SPF record of the sender's domain: {_LINT}"
_SENDER = "Correct the sender ({default_from})"
_ADDRESS = "Correct the recipient's address"

_MEANINGS: tuple[tuple[str, str, str, str], ...] = (
    ("x.1.3", "The recipient's address is malformed", _ADDRESS, _BASIC),
    ("x.1.6", "The mailbox has moved, and its server does not say where", _ADDRESS, _BASIC),
    ("x.1.7", "The server does not take mail from this sender: the address is malformed", _SENDER, _BASIC),
    (
        "x.1.8", "The server does not take mail from this sender: its domain does not exist, or takes no mail", _SENDER,
        _BASIC,
    ),
    ("x.1.10", "The domain of the recipient says that it takes no mail", _ADDRESS, f"{_RFC}rfc7505#section-4.2"),
    ("x.2.3", "The message is larger than this mailbox takes", "Send less, or a link to the file", _BASIC),
    ("x.4.4", "The server finds no way to the recipient's domain", "Check the recipient's domain and its MX", _BASIC),
    ("x.4.5", "The mail system is congested", "Wait some minutes, and send less at a time", _BASIC),
    ("x.4.6", "The message goes in a circle between servers", "Ask whoever runs the recipient's server", _BASIC),
    ("x.4.7", "The server has tried for too long to pass the message on", "Send again later", _BASIC),
    (
        "x.6.7", "The server takes no address with characters that are not ASCII",
        "Use an address in ASCII, or a server with SMTPUTF8", f"{_RFC}rfc6531#section-3.5",
    ),
    ("x.7.10", "The server wants TLS first", _TLS_ON, f"{_RFC}rfc5248#section-2.4"),
    ("x.7.20", "The message has no DKIM signature that is good", _SIGN, f"{_RFC}rfc7372#section-3.1"),
    ("x.7.21", "No DKIM signature of the message is one that the server accepts", _SIGN, f"{_RFC}rfc7372#section-3.1"),
    ("x.7.22", "No DKIM signature is of the sender's domain", _SIGN, f"{_RFC}rfc7372#section-3.1"),
    ("x.7.23", "SPF does not allow this host to send for the domain", _ALLOW, f"{_RFC}rfc7372#section-3.2"),
    ("x.7.24", "The SPF record of the domain cannot be evaluated", _ALLOW, f"{_RFC}rfc7372#section-3.2"),
    (
        "x.7.25", "The address of the host that sends has no name that leads back to it",
        "Set the reverse DNS of that address, or send by a service for mail", f"{_RFC}rfc7372#section-3.3",
    ),
    (
        "x.7.26", "The message passes neither SPF nor DKIM as the server wants them",
        f"Check SPF, DKIM and DMARC of the sender's domain: {_LINT}", f"{_RFC}rfc7372#section-3.4",
    ),
    ("x.7.27", "The domain of the sender says that it takes no mail", _SENDER, f"{_RFC}rfc7505#section-4.2"),
    (
        "x.7.28", "The server sees a flood of mail", "Wait, and send less at a time",
        "https://www.iana.org/assignments/smtp-enhanced-status-codes",
    ),
    (
        "x.7.29", "The chain of ARC seals is broken: a server on the way has changed the message",
        "Ask whoever runs the servers in between", f"{_RFC}rfc8617#section-5.2.2",
    ),
    (
        "x.7.30", "The message asks for TLS all the way (REQUIRETLS), which the next server does not offer",
        "Send it without REQUIRETLS, or ask whoever runs the recipient's server", f"{_RFC}rfc8689#section-5",
    ),
)  # fmt: skip

REGISTERED: tuple[Rule, ...] = tuple(
    Rule(meaning=meaning, remedy=remedy, source=source, enhanced_code=code)
    for code, meaning, remedy, source in _MEANINGS
)
"""Register them behind what says more, such as a step or words."""
