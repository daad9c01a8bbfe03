"""A TCP proxy that makes loopback as slow to answer as a network, and no narrower.

    python tests/support/delay_proxy.py --round-trip 0.020 --to 2525

prints its port as JSON and runs until its standard input ends. Each direction is late by half of the round trip.
`DelayProxy` starts it as a process of its own.

Opening a connection costs a round trip, too: the proxy accepts at once, but the server hears of it when the last packet
of a real handshake would have come, one and a half round trips later.
"""

import argparse
import asyncio
import collections
import json
import selectors
import socket
import sys
from typing import cast

from own_process import OwnProcess

_HOST = "127.0.0.1"
_READ = 262_144  # octets at a time


class _Way:
    """One direction of one connection: what is to be written, and when. None ends it."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._queue: collections.deque[tuple[float, bytes | None]] = collections.deque()
        self._target: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, octets: bytes | None) -> None:
        """Write it when its time has come."""
        self._queue.append((self._loop.time() + self._delay, octets))
        self._plan()

    def open(self, target: asyncio.Transport) -> None:
        """Write to the target from now on."""
        self._target = target
        self._plan()

    def _plan(self) -> None:
        if self._timer is None and self._target is not None and self._queue:
            self._timer = self._loop.call_at(self._queue[0][0], self._write)

    def _write(self) -> None:
        assert self._target is not None
        self._timer = None
        now = self._loop.time()
        due = []
        while self._queue and self._queue[0][0] <= now:
            due.append(self._queue.popleft()[1])
        octets = b"".join(each for each in due if each is not None)
        if octets and not self._target.is_closing():
            self._target.write(octets)
        if None in due:
            self._target.close()  # after what is written
        self._plan()


class _Side(asyncio.BufferedProtocol):
    """One end: what it reads goes its way, and so does the news that it has ended."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        self._buffer = bytearray(_READ)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._way.put(bytes(memoryview(self._buffer)[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._way.put(None)


async def _serve(round_trip: float, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    opening: set[asyncio.Task[None]] = set()

    class Front(_Side):
        def __init__(self) -> None:
            super().__init__(_Way(round_trip / 2))

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = asyncio.create_task(self._open(cast("asyncio.Transport", transport)))
            opening.add(task)
            task.add_done_callback(opening.discard)

        async def _open(self, transport: asyncio.Transport) -> None:
            await asyncio.sleep(round_trip * 1.5)
            back = _Way(round_trip / 2)
            try:
                target, _ = await loop.create_connection(lambda: _Side(back), host, port)
            except OSError:
                transport.close()
                return
            back.open(transport)
            self._way.open(target)

    server = await loop.create_server(Front, _HOST, 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()
    server.close()


class DelayProxy(OwnProcess):
    """A proxy in a process of its own, on a free port of 127.0.0.1; a context manager.

    Args:
        port: Port of the server on 127.0.0.1.
        round_trip: Seconds from a question to its answer.
    """

    host = _HOST

    def __init__(self, port: int, round_trip: float) -> None:
        super().__init__([sys.executable, __file__, "--round-trip", str(round_trip), "--to", str(port)])

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.said["port"])


def main() -> None:
    """Serve as the arguments say."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--round-trip", type=float, default=0.020, help="seconds")
    options.add_argument("--host", default=_HOST)
    options.add_argument("--to", type=int, required=True, help="port of the server")
    chosen = options.parse_args()
    # epoll counts in whole milliseconds, and would make each direction late by up to one more; select counts in micro.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(_serve(chosen.round_trip, chosen.host, chosen.to))


if __name__ == "__main__":
    main()
