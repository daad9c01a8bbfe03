"""The service on the other side of a sender: what it answers, and what it has got."""

import socket
from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

import attrs

from postroom_testing.contract.arrived import Arrived
from postroom_testing.contract.cases import Case


@attrs.frozen
class Place:
    """Where the service is."""

    host: str
    port: int
    url: str = ""
    """Of a service with an HTTP API."""
    ca_file: str | None = None
    """What to trust, where it speaks TLS."""


class Running(Protocol):
    """A service that runs."""

    @property
    def place(self) -> Place:
        """Where it is."""
        ...

    def play(self, case: Case) -> None:
        """Do so with every message from now on."""
        ...

    def arrived(self) -> list[Arrived]:
        """Return the messages that it has got, taken or not."""
        ...

    def connections(self) -> int:
        """Return how many connections were made to it."""
        ...


class Service(Protocol):
    """A service that can be started: `HttpService`, `SmtpService`, or one of your own."""

    @property
    def cases(self) -> Collection[Case]:
        """What it can play; a provider that writes a file cannot be throttled."""
        ...

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asks to wait when it throttles."""
        ...

    def start(self) -> AbstractContextManager[Running]:
        """Run it in a `with` block."""
        ...


def nowhere(place: Place) -> Place:
    """Return a place like this one at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return attrs.evolve(place, host="127.0.0.1", port=port, url=place.url.replace(f":{place.port}", f":{port}"))
