"""One way to connect, for messages, tokens and probes alike: the addresses of a host share the time that there is."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socket import socket

AddressInfo = tuple[Any, Any, int, str, Any]
"""What `socket.getaddrinfo` gives for one address."""


def dial(addresses: Sequence[AddressInfo], until: float) -> "socket":
    """Connect to the first of a host's addresses that answers, and return the socket.

    An address may take its share of what is left, so a silent first one, often of IPv6, leaves time for the next.

    Args:
        addresses: What `socket.getaddrinfo` has found. That call cannot be interrupted: look up before, and then give
            the moment that was fixed before the look-up.
        until: When it must be over, on the clock of `time.monotonic`.

    Returns:
        A connected socket without Nagle's algorithm, whose time-out is what was left for it.

    Raises:
        OSError: No address can be connected to; the error of the last one. `TimeoutError` if the time is over.
    """
    failure: OSError = ConnectionError("the name has no address")
    for position, address in enumerate(addresses):
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        try:
            return _connected(address, left / (len(addresses) - position))
        except OSError as error:
            failure = error
    raise failure


def _connected(info: AddressInfo, seconds: float) -> "socket":
    import socket  # noqa: PLC0415  core is loaded without the network

    family, kind, protocol, _, address = info
    sock = socket.socket(family, kind, protocol)  # fails where IPv6 is switched off
    try:
        # Two small writes would otherwise wait for each other: Nagle against delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(seconds)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock
