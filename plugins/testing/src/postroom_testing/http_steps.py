"""What comes to an HTTP server, and what it does about it: replies, and the ways in which it fails."""

import json
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Request:
    """A request as it came."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes
    connection: int
    """Which connection it came on, from 0."""

    def json(self) -> Any:  # a test looks into it without asking first, as with `json.loads`
        """Return the body as JSON.

        Raises:
            ValueError: It is none.
        """
        return json.loads(self.body)


@attrs.frozen
class Reply:
    """An answer. A body that is neither bytes nor text goes as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Besides Content-Type and Content-Length, or instead of them. `Connection: close` is kept to."""

    def encode(self) -> bytes:
        """Return it as it goes on the wire."""
        headers = {"Content-Type": "application/json"}
        if isinstance(self.body, bytes | str):
            body = self.body.encode() if isinstance(self.body, str) else self.body
            headers = {"Content-Type": "text/html"} if body else {}
        else:
            body = json.dumps(self.body).encode()
        headers = {**headers, "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


@attrs.frozen
class Close:
    """Close the connection without an answer, or after `reply`, and without announcing it."""

    reply: Reply | None = None


@attrs.frozen
class Reset:
    """Break the connection with a TCP reset."""


@attrs.frozen
class Early:
    """Look at the headers only: answer, or reset if `reply` is None, while the body is still on its way."""

    reply: Reply | None = None


@attrs.frozen
class Silence:
    """Say nothing until the client has gone."""


@attrs.frozen
class Truncate:
    """Send `reply` without its last octets, and close."""

    reply: Reply
    missing: int = 1
    """How many octets are left out."""


@attrs.frozen
class Drip:
    """Send the headers of `reply`, then its body octet by octet."""

    reply: Reply
    interval: float = 0.05
    """Seconds before each octet."""
    head: bool = False
    """True if the headers come octet by octet as well."""


@attrs.frozen
class Interim:
    """Send interim answers (RFC 9110 section 15.2), then `reply`."""

    reply: Reply
    status: int = 103
    """Of the interim answers."""
    count: int = 1


@attrs.frozen
class Surplus:
    """Send `reply`, and then, as one more answer that nobody has asked for, `extra`."""

    reply: Reply
    extra: Reply


@attrs.frozen
class Raw:
    """Send these octets, and close."""

    data: bytes


Step = Reply | Close | Reset | Early | Silence | Truncate | Drip | Interim | Surplus | Raw
"""What a server does about one request."""
