"""Addresses on loopback at which nobody answers, not even with a refusal: as behind a firewall that drops packets."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def unanswered(count: int) -> Iterator[list[tuple[Any, Any, int, str, Any]]]:
    """Yield as many addresses with one port, as `socket.getaddrinfo` gives them.

    Somebody listens there whose queue is full, so the system drops each further SYN.
    """
    with contextlib.ExitStack() as stack:
        port = 0
        for number in range(2, count + 2):
            listener = stack.enter_context(socket.socket())
            listener.bind((f"127.0.0.{number}", port))
            listener.listen(0)
            port = port or listener.getsockname()[1]
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        yield [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (f"127.0.0.{number}", port))
            for number in range(2, count + 2)
        ]
