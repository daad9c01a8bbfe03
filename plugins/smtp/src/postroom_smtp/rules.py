"""What it means when no server is reached, or not as the settings say; the general rules of every SMTP provider.

The words are those that `failures` and `peek` write, OpenSSL's and the system's.
"""

from postroom import Rule
from postroom_smtp.reply_rules import REPLIES

_SMTP = "https://www.rfc-editor.org/rfc/rfc5321#section-3.1"
_PORTS = "https://www.rfc-editor.org/rfc/rfc8314#section-3.3"
_STARTTLS = "https://www.rfc-editor.org/rfc/rfc3207#section-4"
_CERTIFICATE = "https://www.rfc-editor.org/rfc/rfc8314#section-4.2"
_BLOCKED = "https://www.rfc-editor.org/rfc/rfc5068#section-3.1"

_BEGINS_WITH_TLS = "The port begins with TLS, and the settings say that it begins in plain text"
_IMPLICIT = "Set {use_tls}=true and {opportunistic_tls}=false, or {tls_mode}=implicit"
_BEGINS_PLAIN = "The port begins in plain text, and the settings say that it begins with TLS"
_STARTTLS_INSTEAD = "Set {use_tls}=true and {opportunistic_tls}=true, or {tls_mode}=starttls"
_WRONG_NAME = "Set {server} to a name that is in the certificate"
_UNTRUSTED = "If you trust this server, set {ca_file} to the PEM file of its CA"
_REACH = "Check {server} and {port}, and that no firewall is in between"

_NETWORK = (
    Rule(
        meaning="The name server gives no answer",
        remedy="Check the DNS of this host or container, and {server}",
        source=_SMTP, stage="dns", text="temporary failure in name resolution",
    ),
    Rule(
        meaning="Nobody knows a host of this name",
        remedy="Check {server} for a slip, and that this host or container has DNS",
        source=_SMTP, stage="dns",
    ),
    Rule(
        meaning="Nothing listens on this port, or a firewall turns us away",
        remedy=f"{_REACH}: it is 587 or 465 for submission, 25 for a relay",
        source=_PORTS, stage="connect", text="connection refused",
    ),
    Rule(
        meaning="Nobody answers on this port: a firewall drops the packets, or the host is off",
        remedy=f"{_REACH}: many clouds block port 25, so use 587 or 465",
        source=_BLOCKED, stage="connect", text="did not answer in time",
    ),
    Rule(
        meaning="Every connection that the pool may have is in use",
        remedy="Send less at once, or set {pool_size}",
        source=_SMTP, stage="connect", text="became free in time",
    ),
    Rule(meaning="This host has no way to the server", remedy=_REACH, source=_SMTP, stage="connect"),
)  # fmt: skip

_WRONG_MODE = (
    Rule(
        meaning="A web server, a proxy or a captive portal answers on this port",
        remedy="Set {port} to a port of the mail server, 587 or 465, and check {server}",
        source=_PORTS, text=("it speaks HTTP", "HTTP/1.1"),
    ),
    Rule(
        meaning="What answers on this port is no mail server",
        remedy="Set {port} to a port of the mail server, 587 or 465, and check {server}",
        source=_PORTS, text="not SMTP",
    ),
    Rule(
        meaning=_BEGINS_WITH_TLS, remedy=_IMPLICIT,
        source=_PORTS, text=("it begins with TLS", "speaks TLS where plain text is expected"),
    ),
    Rule(meaning=_BEGINS_PLAIN, remedy=_STARTTLS_INSTEAD, source=_PORTS, text="it speaks SMTP in plain text"),
    Rule(
        meaning="Something takes the connection and ends it at once, as a server does that does not let this host in",
        remedy=f"{_REACH}; then ask whoever runs the server",
        source=_SMTP, text="it hangs up on everybody",
    ),
    Rule(
        meaning="Something takes the connection and says nothing, as a firewall or a server that is overloaded does",
        remedy=f"{_REACH}; then ask whoever runs the server",
        source=_SMTP, text="it says nothing to anybody",
    ),
    Rule(
        meaning="The server says nothing in plain text, as one does whose port begins with TLS",
        remedy=f"If this port begins with TLS: {_IMPLICIT[0].lower()}{_IMPLICIT[1:]}",
        source=_PORTS, stage="greeting", text=("tls=none", "tls=starttls"),
    ),
)  # fmt: skip

_TLS = (
    Rule(
        meaning="The server's certificate has expired", remedy="The server needs a new certificate",
        source=_CERTIFICATE, stage="tls", text="certificate has expired",
    ),
    Rule(
        meaning="The server's certificate is not valid yet, by the clock of this host",
        remedy="Compare the clocks of this host and of the server",
        source=_CERTIFICATE, stage="tls", text="certificate is not yet valid",
    ),
    Rule(
        meaning="The certificate is for another host", remedy=_WRONG_NAME,
        source=_CERTIFICATE, stage="tls", text=("hostname mismatch", "ip address mismatch"),
    ),
    Rule(
        meaning="The certificate is signed by itself, so nobody vouches for the server", remedy=_UNTRUSTED,
        source=_CERTIFICATE, stage="tls", text="self-signed certificate",
    ),
    Rule(
        meaning="Nobody whom this host trusts vouches for the server's certificate", remedy=_UNTRUSTED,
        source=_CERTIFICATE, stage="tls", text="its certificate is not valid",
    ),
    Rule(meaning=_BEGINS_PLAIN, remedy=_STARTTLS_INSTEAD, source=_PORTS, stage="tls", text="WRONG_VERSION_NUMBER"),
    Rule(
        meaning="The server knows only a TLS older than 1.2", remedy="Have the server updated",
        source="https://www.rfc-editor.org/rfc/rfc8996", stage="tls",
        text=("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"),
    ),
    Rule(
        meaning="The server does not begin with TLS as the settings say",
        remedy=f"If this port begins in plain text: {_STARTTLS_INSTEAD[0].lower()}{_STARTTLS_INSTEAD[1:]}",
        source=_PORTS, stage="tls", text="tls=implicit",
    ),
    Rule(
        meaning="TLS cannot be agreed on", remedy="Ask whoever runs the server which TLS it takes",
        source=_CERTIFICATE, stage="tls",
    ),
    Rule(
        meaning="The server offers no TLS on this port, or something in between has removed the offer",
        remedy="Nothing was sent in plain text. Use a port with TLS; only {tls_mode}=none goes without",
        source=_STARTTLS, stage="starttls", text="does not offer STARTTLS",
    ),
    Rule(
        meaning="Something on the way has put words into the dialogue before TLS",
        remedy="Set {port}=465 and {tls_mode}=implicit, and have the network looked at",
        source="https://www.rfc-editor.org/rfc/rfc3207#section-6", stage="starttls", text="perhaps injected",
    ),
)  # fmt: skip

_LOST = (
    Rule(
        meaning="The server did not answer in time", remedy="Try again later; {timeout} gives it more seconds",
        source="https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2", text="did not answer in time",
    ),
    Rule(
        meaning="The server, or something on the way, ends the connection",
        remedy="Try again later; if it stays so, ask whoever runs the server for its log",
        source=_SMTP, text="the server closed the connection",
    ),
    Rule(
        meaning="What answers does not speak SMTP as it should",
        remedy="Check {server} and {port}; a firewall that looks into mail may be in between",
        source=_SMTP, text="not an SMTP reply",
    ),
)  # fmt: skip

RULES: tuple[Rule, ...] = (*_NETWORK, *_WRONG_MODE, *_TLS, *REPLIES, *_LOST)
"""Register them behind a provider's own."""
