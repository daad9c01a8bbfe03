"""What replies mean by words that many servers use, whatever code and command they come with.

Postfix, Exim and others say at RCPT what they have against the host, its name, its address or the missing login.
"""

from postroom import Rule

_POSTFIX = "https://www.postfix.org/postconf.5.html#"

WORDINGS: tuple[Rule, ...] = (
    Rule(
        meaning="The server does not take the name that we introduce ourselves with",
        remedy="Set {local_hostname} to the full name of this host, one that DNS knows",
        source=f"{_POSTFIX}smtpd_helo_restrictions",
        text=("Helo command rejected", "HELO rejected", "EHLO rejected", "invalid HELO", "bad HELO", "invalid EHLO"),
    ),
    Rule(
        meaning="The server wants a login before it takes mail", remedy="Set {username} and how to log in",
        source="https://www.rfc-editor.org/rfc/rfc4954#section-6", code="5xx",
        text=(
            "authentication required", "authentication is required", "EHLO and AUTH first", "AUTH first",
            "not logged in", "must authenticate", "must be authenticated", "log in first", "login required",
        ),
    ),
    Rule(
        meaning="The address of this host is on a list of hosts that send spam",
        remedy="Send by the service of your provider, or have the address taken off the list that the reply names",
        source=f"{_POSTFIX}reject_rbl_client",
        text=("blocked using", "is listed by", "listed at", "spamhaus", "blacklisted", "blocklisted", "DNSBL", "RBL"),
    ),
    Rule(
        meaning="The address of this host has no name that leads back to it",
        remedy="Set the reverse DNS (PTR) of this host's address, or send by a service for mail",
        source=f"{_POSTFIX}reject_unknown_client_hostname",
        text=("reverse hostname", "reverse DNS", "PTR record", "rDNS", "no PTR"),
    ),
    Rule(
        meaning="SPF does not allow this host to send for the sender's domain",
        remedy="Name the service that sends in the SPF record of the sender's domain: run postroom lint --dns",
        source="https://www.rfc-editor.org/rfc/rfc7208#section-8.4", text=("SPF",), code="5xx",
    ),
)  # fmt: skip
"""Register them before those that go by code and stage."""
