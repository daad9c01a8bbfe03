"""A TCP proxy that cuts connections at a random octet, in either direction."""

import contextlib
import random
import select
import socket
import struct
import threading
from typing import Self

import attrs

from chaos.faults import Faults, Table
from postroom_testing.listener import LOOPBACK, Listener, join

_READ = 65_536
_RATE = 0.3  # of the connections that are cut


@attrs.define
class _Cut:
    """Where a connection is cut."""

    upwards: bool
    left: int
    """Octets until then."""
    reset: bool


def _cutting(*, reset: bool) -> Table[_Cut]:
    manner = "reset" if reset else "closed"
    return {
        f"{manner} on the way to the server": lambda dice: _Cut(True, _where(dice), reset),
        f"{manner} on the way to the client": lambda dice: _Cut(False, _where(dice), reset),
    }


def _where(dice: random.Random) -> int:
    # Half of them fall into the greeting, the handshake and the first message.
    return dice.randrange(dice.choice((600, 20_000)))


_CUTS: Table[_Cut] = {**_cutting(reset=False), **_cutting(reset=True)}


class CuttingProxy:
    """A proxy in front of a server on loopback; a context manager.

    Args:
        port: Port of the server.
        faults: Decides which connections are cut.
    """

    def __init__(self, port: int, faults: Faults) -> None:
        self._target = port
        self._faults = faults
        self._threads: list[threading.Thread] = []
        self._wake, self._woken = socket.socketpair()

    def __enter__(self) -> Self:
        self._listener = Listener(LOOPBACK, self._serve)
        self.port = self._listener.port
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._wake.close()  # every thread sees that
        for thread in self._threads:
            join(thread)
        self._woken.close()

    def wait(self) -> None:
        """Wait until every client has gone, and what it has sent is with the server."""
        self._listener.wait()
        for thread in self._threads:
            join(thread)

    def _serve(self, client: socket.socket) -> None:
        thread = threading.Thread(target=self._relay, args=(client,), name="proxy connection", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _relay(self, client: socket.socket) -> None:
        cut = self._faults.draw("proxy", _CUTS, _RATE)
        with client, contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self._target)) as server:
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ways = {client: server, server: client}
            while ways:
                for sock in select.select([*ways, self._woken], [], [])[0]:
                    if sock is self._woken:
                        return
                    data = sock.recv(_READ)
                    if not data:  # an end for one is an end for the other, in its direction
                        ways.pop(sock).shutdown(socket.SHUT_WR)
                    elif cut is not None and cut.upwards == (sock is client) and not self._faults.calm:
                        ways[sock].sendall(data[: cut.left])
                        cut.left -= len(data)
                        if cut.left <= 0:
                            _break(client, server, reset=cut.reset)
                            return
                    else:
                        ways[sock].sendall(data)


def _break(*socks: socket.socket, reset: bool) -> None:
    for sock in socks:
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
