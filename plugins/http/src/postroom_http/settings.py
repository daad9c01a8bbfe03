"""The settings that every provider with an HTTP API has."""

import ipaddress
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import attrs

from postroom import Secret, SenderSettings, setting
from postroom_http import proxies

# RFC 3986 section 2. A backslash is a part of the host to one library, and its end to another.
_CHARACTERS = re.compile(r"[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]*")


@attrs.frozen(kw_only=True)
class HttpSettings(SenderSettings):
    """Where the API is and how long to wait for it. A provider adds its key, and its own `api_url` as the default."""

    api_url: str = attrs.field(metadata=setting("address of the API"))
    deadline: float = attrs.field(
        default=60.0,
        metadata=setting("seconds that a whole request may take, but for looking up a name"),
    )
    ca_file: str | None = attrs.field(
        default=None, metadata=setting("PEM file with the CAs to trust, instead of the usual ones")
    )

    def summary(self) -> dict[str, object]:
        """Return where the API is."""
        return {"api_url": self.api_url}

    def doubts(self) -> Iterator[tuple[str, str]]:
        """Yield the variable of a proxy by which nothing can be sent."""
        yield from super().doubts()
        doubt = proxies.doubt(self.api_url)
        if doubt is not None:
            yield doubt

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the fields."""
        yield from super().check()
        wrong = wrong_url(self.api_url)
        if wrong is not None:
            yield "api_url", f"api url {wrong}"
        if not 0 < self.deadline <= 86400:
            yield "deadline", "deadline must be more than 0 and at most 86400 seconds"
        if self.ca_file is not None and not os.path.isfile(self.ca_file):  # noqa: PTH113  Path raises at a long name
            yield "ca_file", "ca file does not exist here"
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name)
            wrong = _wrong_key(value.reveal()) if isinstance(value, Secret) else None
            if wrong is not None:
                yield field.name, f"{field.name.replace('_', ' ')} {wrong}"


def wrong_url(url: str) -> str | None:
    """Return what is wrong with the address of a service. It never quotes it, since it may hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("https", "http") or not host or not _CHARACTERS.fullmatch(url):
        return "must look like https://api.example.com"
    if "@" in parts.netloc:
        return "must hold no user name and no password"
    if "?" in url or "#" in url:
        return "must hold no ? and no #"
    if parts.scheme == "http" and not _is_local(host):
        # The key and the mail would go in clear.
        return "must begin with https; http is for a server on this host"
    return None


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _wrong_key(key: str) -> str | None:
    """Return what is wrong with a key, which has to fit into a header. It never quotes it."""
    bare = key.rstrip("\r\n")
    if not all("!" <= char <= "~" and char not in "\"'" for char in bare):
        return "must be visible ASCII characters, without blanks, quotes or a line end"
    return None if bare == key else "ends with a line end: remove it (`echo` adds one)"
