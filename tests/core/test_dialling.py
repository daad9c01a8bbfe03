"""Connecting: the addresses of a name share what is left of the time."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from postroom import dial
from postroom.dialling import AddressInfo
from unanswered import unanswered

SECONDS = 1.0
MOST = 10.0  # seconds: far from the limit, so that a slow machine fails nothing


def at(host: str, port: int) -> AddressInfo:
    """Return an address as `socket.getaddrinfo` gives it."""
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


@contextlib.contextmanager
def listening() -> Iterator[AddressInfo]:
    """Listen, and let everybody in."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield at("127.0.0.1", listener.getsockname()[1])


def test_the_first_address_that_answers_is_taken() -> None:
    """Twenty silent ones in front of it leave it its share."""
    with unanswered(20) as silent, listening() as good:
        begun = time.monotonic()
        with dial([*silent, good], begun + SECONDS) as sock:
            assert sock.getpeername() == good[-1]
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert time.monotonic() - begun < MOST


def test_silent_addresses_end_in_time() -> None:
    """However many there are, they take no more than there is."""
    with unanswered(20) as silent:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            dial(silent, begun + SECONDS)
        assert time.monotonic() - begun < MOST


def test_the_error_is_that_of_the_last_address() -> None:
    """A port at which nobody listens is said."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        dial([at("127.0.0.2", port), at("127.0.0.1", port)], time.monotonic() + SECONDS)


def test_without_time_nothing_is_tried() -> None:
    """A look-up that took all the time leaves none to connect."""
    with listening() as good, pytest.raises(TimeoutError):
        dial([good], time.monotonic())


def test_a_name_without_an_address_is_said() -> None:
    """It is an error, and not nothing."""
    with pytest.raises(ConnectionError, match="the name has no address"):
        dial([], time.monotonic() + SECONDS)
