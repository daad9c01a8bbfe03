"""The kinds of server that the chaos sends to."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import attrs

from chaos.faults import Faults
from chaos.http import ChaosResend, ChaosSendGrid
from chaos.smtp import ChaosSmtpServer
from postroom_testing import Certificates


class ChaosServer(AbstractContextManager["ChaosServer"], Protocol):
    """A server of one round."""

    provider: str
    """Name of the provider that sends to it."""
    port: int

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings by field name that lead here, with `more` on top."""
        ...

    def numbers(self) -> list[str]:
        """Return which mails were taken, when every client has gone."""
        ...


@attrs.frozen
class Kind:
    """A kind of server, and how a sender is set up for it."""

    start: Callable[[Faults, Certificates], ChaosServer]
    timeout: float = 1.0
    """Seconds that the sender waits for an answer."""
    deadline: float = 20.0
    """Seconds that a send may take, the wait for a connection included."""
    rate: float = 0.025
    """How likely something goes wrong at each moment."""
    settings: Callable[[Certificates], Mapping[str, object]] = lambda _: {"pool_size": POOL}
    concurrent: int = 4
    """How many sends must be under way at the same time in the end."""
    largest: int = 400_000
    """Octets of the largest attachment."""


POOL = 4
"""Connections of each sender by SMTP, fewer than threads that send."""


def _smtp(*extensions: str) -> Callable[[Faults, Certificates], Any]:
    return lambda faults, _: ChaosSmtpServer(faults, ("8BITMIME", *extensions))


def _over_tls(*extensions: str, implicit: bool) -> Kind:
    def settings(certificates: Certificates) -> dict[str, object]:
        mode = "implicit" if implicit else "starttls"
        login = {"username": "grace@example.com", "password": "correct horse battery staple"}
        return {"pool_size": POOL, "tls_mode": mode, "ca_file": certificates.ca_file, **login}

    def start(faults: Faults, certificates: Certificates) -> Any:
        offered = ("8BITMIME", "AUTH PLAIN LOGIN", *extensions)
        return ChaosSmtpServer(faults, offered, tls=certificates.good, implicit=implicit)

    return Kind(start, settings=settings)


def _api(server: Callable[[Faults], Any], rate: float) -> Kind:
    return Kind(
        lambda faults, _: server(faults),
        deadline=3.0,
        rate=rate,
        settings=lambda _: {},
        largest=60_000,
    )


KINDS: Mapping[str, Kind] = {
    "SMTP": Kind(_smtp()),
    "SMTP, PIPELINING": Kind(_smtp("PIPELINING")),
    "SMTP, CHUNKING": Kind(_smtp("PIPELINING", "CHUNKING")),
    "SMTP, STARTTLS, CHUNKING": _over_tls("PIPELINING", "CHUNKING", implicit=False),
    "SMTP, TLS, PIPELINING": _over_tls("PIPELINING", implicit=True),
    "HTTP with idempotency keys": _api(ChaosResend, 0.1),
    "HTTP without": _api(ChaosSendGrid, 0.1),
}
"""By their names in the table."""
