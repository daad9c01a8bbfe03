"""A real Redis of Debian's on a socket in the file system, without a port and without a file of its data."""

import contextlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

import redis

_PATIENCE = 10.0  # seconds until a server that does not answer or end fails the test


def missing_parts() -> list[str]:
    """Return what this needs and is not there."""
    return [] if shutil.which("redis-server") else ["redis-server"]


class RedisServer:
    """Runs in a `with` block, in a folder whose path is short: sockets take 100 characters."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"redis+socket://{self._socket}"
        """As Celery calls it."""

    def __enter__(self) -> Self:
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._socket.parent)]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(redis.ConnectionError):
                self.client.ping()
                return self
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)

    @property
    def client(self) -> redis.Redis:
        """A new client."""
        return redis.Redis(unix_socket_path=str(self._socket))
