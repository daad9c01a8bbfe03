"""What failures of a proxy mean, whatever the service behind it is. The words are those that `proxies` writes."""

from postroom import Rule

NO_ADDRESS = "it has no address of the form http://host:port"
"""What an error says of a proxy whose address is none."""
NO_SOCKS = "it speaks SOCKS, and PySocks is not installed"
"""What an error says of a proxy that a package is missing for."""
USUAL_VARIABLE = "HTTPS_PROXY"
"""What the rules about proxies call the variable. An error names the one that is set."""

_HTTP = "https://www.rfc-editor.org/rfc/rfc9110#section-"
_REQUESTS = "https://requests.readthedocs.io/en/latest/user/advanced/#"

PROXY = (
    Rule(
        meaning="The proxy wants a user name and a password",
        remedy="Set HTTPS_PROXY to http://user:password@host:port",
        source=f"{_HTTP}15.5.8", text="Tunnel connection failed: 407",
    ),
    Rule(
        meaning="The proxy does not let this host reach the service",
        remedy="Have the service allowed at the proxy, or name its host in NO_PROXY",
        source=f"{_HTTP}15.5.4", text="Tunnel connection failed: 403",
    ),
    Rule(
        meaning="The proxy that the environment names speaks SOCKS, and the package for that is missing",
        remedy='Run pip install "requests[socks]", or set HTTPS_PROXY to a proxy that speaks HTTP',
        source=f"{_REQUESTS}socks", text=NO_SOCKS,
    ),
    Rule(
        meaning="The proxy that the environment names has no address that can be used",
        remedy="Set HTTPS_PROXY to http://host:port, or to http://user:password@host:port, where /, ?, # and @ of the "
        "password are %2F, %3F, %23 and %40",
        source=f"{_REQUESTS}proxies", text=NO_ADDRESS,
    ),
    Rule(
        meaning="The proxy that the environment names cannot be reached, or does not reach the service",
        remedy="Check HTTPS_PROXY", source=f"{_HTTP}9.3.6", text="by the proxy in",
    ),
)  # fmt: skip
"""Each names `USUAL_VARIABLE` where a variable is to be changed."""
