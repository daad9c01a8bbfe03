"""What failures of a request mean, whatever the service is: HTTP (RFC 9110), TLS, TCP, names, and what is in between.

The words are those that `failures` writes, OpenSSL's and the system's. No HTTP client is loaded here, since a plugin
registers the rules.
"""

import attrs

from postroom import (
    MailAuthError,
    MailRateLimitError,
    MailRejectedError,
    MailSendError,
    MailUnavailableError,
    Outcome,
    Rule,
)
from postroom_http.proxy_rules import PROXY

NOT_THE_API = "nothing that its API would say"
"""What an error says of an answer in which the provider has found no words of the service."""

_RFC = "https://www.rfc-editor.org/rfc/"
_HTTP = f"{_RFC}rfc9110#section-"
_PLACE = "Check {api_url}"
_REACH = "Check {api_url}, and that this host may reach it"
_ELSE = "Something else may have answered: check {api_url} and proxies"
_TRUST = "If you trust this service, set {ca_file} to the PEM file of its CA"
_KEY = "Check {api_key}"


@attrs.frozen(kw_only=True)
class AnswerRule(Rule):
    """A rule for an answer of the service, with what becomes of the message."""

    kind: type[MailSendError]
    """The error that the answer becomes."""
    transient: bool = False
    """True if the same message may succeed later."""
    outcome: Outcome = Outcome.NOT_SENT
    """`UNKNOWN` if the answer leaves open what became of the message."""


def rules(key: str = "api_key") -> tuple[Rule, ...]:
    """Return the rules that hold for every service with an HTTP API. A provider registers them behind its own.

    Args:
        key: Field of the settings with the secret of the account.
    """
    return tuple(rule.named({"api_key": f"{{{key}}}"}) for rule in _RULES)


def on_the_way(stage: str, *, api_url: str, ca_file: str) -> tuple[Rule, ...]:
    """Return the rules about proxies and TLS, for a request that is one step of something else, as that for a token.

    Args:
        stage: What the step is called, whatever has failed in it.
        api_url: Field of the settings with the address of the service.
        ca_file: Field of the settings with the CAs to trust.
    """
    fields = {"api_url": f"{{{api_url}}}", "ca_file": f"{{{ca_file}}}"}
    return tuple(attrs.evolve(rule.named(fields), stage=stage) for rule in (*PROXY, *_TLS) if rule.text)


BY_SOMETHING_ELSE = (
    AnswerRule(
        meaning="The request was refused, by a proxy or a firewall and not by the service", remedy=_ELSE,
        source=f"{_HTTP}15.5.2", code="401", text=NOT_THE_API, kind=MailAuthError,
    ),
    AnswerRule(
        meaning="The request was refused, by a proxy or a firewall and not by the service", remedy=_ELSE,
        source=f"{_HTTP}15.5.4", code="403", text=NOT_THE_API, kind=MailAuthError,
    ),
)  # fmt: skip
"""For a provider whose own rules for 401 and 403 go by the status alone: it has these before them."""

_DNS = (
    Rule(
        meaning="The name server gives no answer", remedy="Check the DNS of this host or container, and {api_url}",
        source=f"{_RFC}rfc3493#section-6.1", stage="dns", text="temporary failure in name resolution",
    ),
    Rule(
        meaning="Nobody knows a host of this name",
        remedy="Check {api_url} for a slip, and that this host or container has DNS",
        source=f"{_RFC}rfc3493#section-6.1", stage="dns",
    ),
)  # fmt: skip

_TLS = (
    Rule(
        meaning="The server's certificate has expired", remedy="The service needs a new certificate",
        source=f"{_RFC}rfc5280#section-4.1.2.5", text="certificate has expired",
    ),
    Rule(
        meaning="The server's certificate is not valid yet, or the clock of this host is wrong",
        remedy="Compare the clocks of this host and of the service",
        source=f"{_RFC}rfc5280#section-4.1.2.5", text="certificate is not yet valid",
    ),
    Rule(
        meaning="The server's certificate is for another host",
        remedy="Check {api_url}: its name is not in the certificate",
        source=f"{_RFC}rfc9525#section-6", text=("Hostname mismatch", "IP address mismatch"),
    ),
    Rule(
        meaning="No CA that is trusted here has signed the server's certificate", remedy=_TRUST,
        source=f"{_RFC}rfc5280#section-6", text=("unable to get local issuer certificate", "self-signed certificate"),
    ),
    Rule(
        meaning="The server's certificate is not valid", remedy=_TRUST,
        source=f"{_RFC}rfc5280#section-6", text="its certificate is not valid",
    ),
    Rule(
        meaning="The file of CAs cannot be read", remedy="Check {ca_file} and REQUESTS_CA_BUNDLE",
        source="https://requests.readthedocs.io/en/latest/user/advanced/#ssl-cert-verification",
        text="the CAs to trust cannot be read",
    ),
    Rule(
        meaning="The file of CAs holds no certificate", remedy="Check {ca_file} and REQUESTS_CA_BUNDLE",
        source="https://docs.python.org/3/library/ssl.html#certificates", text="NO_CERTIFICATE_OR_CRL_FOUND",
    ),
    Rule(
        meaning="The server does not speak TLS on this port, but plain HTTP or something else",
        remedy="Check the port in {api_url}", source=f"{_RFC}rfc8446#section-5.1", text="WRONG_VERSION_NUMBER",
    ),
    Rule(
        meaning="The server and this host do not agree on how to speak TLS", remedy="Check {api_url} and {ca_file}",
        source=f"{_RFC}rfc8446#section-6.2", text="TLS failed",
    ),
    Rule(
        meaning="The connection was lost, or nothing came, before TLS was there", remedy=_REACH,
        source=f"{_RFC}rfc8446#section-4", stage="tls",
    ),
)  # fmt: skip

_CONNECTION = (
    Rule(
        meaning="Nothing listens on this port, or a firewall turns us away", remedy=_REACH,
        source=f"{_RFC}rfc9293#section-3.5.2", stage="connect", text="connection refused",
    ),
    Rule(
        meaning="Nobody answers: a firewall drops the packets, or the host is off", remedy=_REACH,
        source=f"{_RFC}rfc9293#section-3.8.3", stage="connect", text="not in time",
    ),
    Rule(
        meaning="The connection cannot be made, or was lost before the whole request had left", remedy=_REACH,
        source=f"{_RFC}rfc9293#section-3.8.3", stage="connect",
    ),
    Rule(
        meaning="The server has got the request, and says nothing",
        remedy="Try again later; if it stays so, check {api_url} and proxies",
        source=f"{_HTTP}9.2.2", text="did not answer in time",
    ),
    Rule(
        meaning="What answers there is no HTTP server", remedy=_PLACE,
        source=f"{_RFC}rfc9112#section-2.2", text="it does not speak HTTP",
    ),
    Rule(
        meaning="The connection was lost while the server had the request",
        remedy="Try again later; if it stays so, check {api_url} and proxies",
        source=f"{_RFC}rfc9112#section-9.6", text="was lost before it answered",
    ),
)  # fmt: skip

_ANSWERS = (
    AnswerRule(
        meaning="A proxy wants a user name and a password", remedy="Set HTTP_PROXY to http://user:password@host:port",
        source=f"{_HTTP}15.5.8", code="407", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The server has waited too long for the request", remedy="Try again later",
        source=f"{_HTTP}15.5.9", code="408", kind=MailUnavailableError, transient=True,
    ),
    AnswerRule(
        meaning="The message is too large", remedy="Send smaller files, or links to them",
        source=f"{_HTTP}15.5.14", code="413", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The service gets too many requests", remedy="Wait, and send less at a time",
        source=f"{_RFC}rfc6585#section-4", code="429", kind=MailRateLimitError, transient=True,
    ),
    AnswerRule(
        meaning="The service is overloaded or being maintained, and has not taken the request",
        remedy="Try again later",
        source=f"{_HTTP}15.6.4", code="503", kind=MailUnavailableError, transient=True,
    ),
    AnswerRule(
        meaning="The network wants a login before it lets anybody out",
        remedy="Log in to the network of this host, or have the service allowed there",
        source=f"{_RFC}rfc6585#section-6", code="511", kind=MailUnavailableError, transient=True,
    ),
    *BY_SOMETHING_ELSE,
    *(
        AnswerRule(
            meaning="Something has refused the request, and does not speak like the service", remedy=_ELSE,
            source=f"{_HTTP}15.5", code=code, text=NOT_THE_API, kind=MailRejectedError,
        )
        for code in ("4xx", "501", "505")
    ),
    AnswerRule(
        meaning="The service does not know the key", remedy=_KEY,
        source=f"{_HTTP}15.5.2", code="401", kind=MailAuthError,
    ),
    AnswerRule(
        meaning="The service does not let the key do this", remedy=_KEY,
        source=f"{_HTTP}15.5.4", code="403", kind=MailAuthError,
    ),
    *(
        AnswerRule(
            meaning="There is nothing like this API at this address", remedy=_PLACE,
            source=f"{_HTTP}{section}", code=code, kind=MailRejectedError,
        )
        for code, section in (("404", "15.5.5"), ("405", "15.5.6"), ("501", "15.6.2"), ("505", "15.6.6"))
    ),
    AnswerRule(
        meaning="The API is elsewhere, or a captive portal is in between",
        remedy="It redirects: set {api_url} to where the API is",
        source=f"{_HTTP}15.4", code="3xx", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The service does not take the request as it is", remedy="Correct what the answer names",
        source=f"{_HTTP}15.5", code="4xx", kind=MailRejectedError,
    ),
    AnswerRule(
        meaning="The service has failed", remedy="Try again later; if it stays so, ask the service",
        source=f"{_HTTP}15.6", code="5xx", kind=MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN,
    ),
    AnswerRule(
        meaning="Something else has answered: a captive portal, a proxy, or another server", remedy=_ELSE,
        source=f"{_HTTP}15.3", code="2xx", kind=MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN,
    ),
    AnswerRule(
        meaning="What has answered does not speak HTTP as it is written", remedy=_ELSE,
        source=f"{_HTTP}15", code="xxx", kind=MailUnavailableError, transient=True, outcome=Outcome.UNKNOWN,
    ),
)  # fmt: skip

# Answers first: each of them has a code, so what a service says in one is not taken for the words of a failure.
_RULES: tuple[Rule, ...] = (*_ANSWERS, *PROXY, *_DNS, *_TLS, *_CONNECTION)
