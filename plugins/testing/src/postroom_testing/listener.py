"""Listening on loopback: a thread lets clients in until the server that it belongs to ends."""

import select
import socket
import threading
import time
from collections.abc import Callable

LOOPBACK = "127.0.0.1"
PATIENCE = 10.0
"""Seconds until something that does not end fails the test."""


def join(thread: threading.Thread) -> None:
    """Wait until a thread has ended.

    Raises:
        TimeoutError: It does not end.
    """
    thread.join(PATIENCE)
    if thread.is_alive():
        raise TimeoutError(f"the thread {thread.name!r} has not ended after {PATIENCE:g} seconds")


def wait_until(true: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: It does not become true.
    """
    until = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"{otherwise} within {PATIENCE:g} seconds")
        time.sleep(0.005)


class Listener:
    """A free port, listened at from now on.

    Args:
        host: Where to listen.
        serve: Takes each new connection. It is called in the listener's thread, by one connection at a time, and
            must return at once.
        receive_buffer: Octets of each socket's receive buffer; None leaves it to the system.
    """

    def __init__(self, host: str, serve: Callable[[socket.socket], None], *, receive_buffer: int | None = None) -> None:
        self._socket = socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._serve = serve
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="listener", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until everybody who has connected is let in."""
        while True:
            with self._lock:  # between accept and `serve` a client is in neither place
                if not select.select([self._socket], [], [], 0)[0]:
                    return
            time.sleep(0.001)

    def close(self) -> None:
        """Stop listening. Afterwards `serve` is not called any more."""
        self._wake.send(b"x")
        join(self._thread)
        for each in (self._socket, self._wake, self._woken):
            each.close()

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket, self._woken], [], [])
            if self._woken in ready:
                return
            with self._lock:
                try:
                    sock, _ = self._socket.accept()
                except BlockingIOError:  # the client is gone already
                    continue
                sock.setblocking(True)
                self._serve(sock)
