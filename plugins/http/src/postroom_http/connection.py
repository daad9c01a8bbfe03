"""Connections of `requests` and urllib3 that end with the deadline, and give each request the answer to itself.

`http.client` has a time-out for each read, which a server that drips never exceeds, gives each address of a name the
whole of it, and takes any interim answer but 100 (RFC 9110 section 15.2) for the final one.
"""

import contextlib
import errno
import functools
import queue
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError
from urllib3.util.wait import wait_for_read

from postroom import dial
from postroom_http.wire import Response, left

_INTERIM_LINE = b"HTTP/1.1 1"
_BLOCK = 65_536  # octets of an early answer that are read at once
_NOTHING = (BlockingIOError, ssl.SSLWantReadError, TimeoutError)  # the last one is eventlet's


class PunctualAdapter(HTTPAdapter):
    """An adapter for a session whose connections are those of this module, also behind proxies of any kind."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        _make_punctual(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """Return the pools of connections by a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        _make_punctual(manager)
        return manager

    def close(self) -> None:
        """Close the connections that nobody uses now. One that is in use is closed when its request is over."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  urllib3's container refuses to be iterated
                pool = manager.pools.get(key)
                if pool is not None:  # another thread was faster
                    pool.pool.shut()
        super().close()


def _make_punctual(manager: PoolManager) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _punctual(pool) for scheme, pool in pools.items()}


@functools.cache
def _punctual(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    if issubclass(pool.ConnectionCls, _Punctual):
        return pool
    kind = pool.ConnectionCls
    parts = {"ConnectionCls": type(kind.__name__, (_Punctual, kind), {}), "QueueCls": _Stack}
    return type(pool.__name__, (pool,), parts)


class _Stack:
    """Connections that are kept, for urllib3's pool. It has no lock that an exception from outside could leave shut."""

    def __init__(self, maxsize: int) -> None:
        self._size = maxsize
        self._kept: deque[Any] = deque()
        self._shut = False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if self._shut:
            if item is not None:
                item.close()
            return
        if len(self._kept) >= self._size:
            raise queue.Full
        self._kept.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return self._kept.pop()
        except IndexError:
            raise queue.Empty from None

    def shut(self) -> None:
        """Close what is kept, and whatever comes back."""
        self._shut = True
        with contextlib.suppress(queue.Empty):
            while True:
                self.put(self.get())

    def qsize(self) -> int:
        return len(self._kept)


def _is_final(said: bytes) -> bool:
    """Return True if there is more than interim answers in what a server has said."""
    while said.startswith(_INTERIM_LINE) and b"\r\n\r\n" in said:
        said = said.partition(b"\r\n\r\n")[2]
    return not said.startswith(_INTERIM_LINE) and not _INTERIM_LINE.startswith(said)


class _Punctual(HTTPConnection if TYPE_CHECKING else object):  # type: ignore[misc]
    """What is put in front of a connection class of urllib3."""

    _early = b""  # what has come before the whole request had left
    _asking = False  # the head of a request has left, and no answer was read
    _stopped = False  # a request has not left whole

    @property
    def is_connected(self) -> bool:
        """False if it is no good for another request: it is closed, or something has come unasked."""
        pending = getattr(self.sock, "pending", None)  # what TLS has read, the system does not know of
        return super().is_connected and not self._stopped and not (pending and pending())

    def response_class(self, *args: Any, **options: Any) -> Response:
        """Return what reads an answer."""
        early, self._early = self._early, b""
        return Response(*args, early=early, **options)

    def connect(self) -> None:
        self._early, self._asking, self._stopped = b"", False, False
        super().connect()

    def _new_conn(self) -> socket.socket:
        try:
            if hasattr(self, "_socks_options"):
                from postroom_http.socks_proxies import dial_by_socks  # noqa: PLC0415  it needs PySocks

                sock = dial_by_socks(self._socks_options, (self.host, self.port), self._end())
            else:
                sock = dial(self._addresses(), self._end())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error
        except OSError as error:
            raise NewConnectionError(self, "Failed to establish a new connection") from error
        # urllib3 closes it if there is no time left: it is the connection's from here on.
        self.sock = sock
        sock.settimeout(self._seconds())
        return sock

    def _addresses(self) -> list[Any]:
        try:
            return socket.getaddrinfo(self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise LocationParseError(f"'{self.host}', label empty or too long") from error

    def _tunnel(self) -> None:
        super()._tunnel()
        self.sock.settimeout(self._seconds())  # for the handshake

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self._look_for_early_answer()
            self.sock.settimeout(self._seconds())
        super().send(data)
        self._asking = True

    def getresponse(self) -> Any:
        self._asking = False
        return super().getresponse()

    def _look_for_early_answer(self) -> None:
        """Stop a request if its answer is there before the whole of it has left, or before any of it.

        What is there then is no acceptance of this request, and the server never gets the whole.
        """
        said = self._said()
        if said is None:
            return
        if not self._asking:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the server has said something unasked")
        self._early += said
        if not said or _is_final(self._early):
            self._stopped = True
            raise BrokenPipeError(errno.EPIPE, "the server has answered early")  # urllib3 reads the answer then

    def _said(self) -> bytes | None:
        """Return what has come, b"" if the server has closed the connection; None if nothing has."""
        pending = getattr(self.sock, "pending", None)
        if not wait_for_read(self.sock, 0) and not (pending and pending()):
            return None
        self.sock.settimeout(0)
        try:
            return bytes(self.sock.recv(_BLOCK))
        except _NOTHING:
            return None

    def _end(self) -> float:
        return time.monotonic() + self._seconds()

    def _seconds(self) -> float:
        return left() if self.timeout is None else min(left(), float(self.timeout))
