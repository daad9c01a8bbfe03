"""Connections by a SOCKS proxy: PySocks negotiates, over a connection that is made as any other, and until the end.

Nobody loads this without PySocks.
"""

import socket
import time
from collections.abc import Mapping
from typing import Any

import socks

from postroom import dial


def dial_by_socks(options: Mapping[str, Any], target: tuple[str, int], until: float) -> socket.socket:
    """Return a socket that is connected to `target`.

    Args:
        options: The proxy, as urllib3 has it.
        target: Host and port.
        until: When it must be over, on the clock of `time.monotonic`.

    Raises:
        OSError: The proxy cannot be reached, does not answer in time, or refuses.
    """
    host, port = options["proxy_host"], options["proxy_port"]
    plain = dial(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), until)
    made = _Socks(plain.family, plain.type, plain.proto, fileno=plain.detach())
    try:
        made.until = until
        name, word = options["username"], options["password"]
        made.set_proxy(options["socks_version"], host, port, options["rdns"], name, word)
        made.connect(target)
    except socks.ProxyError as error:
        made.close()
        if isinstance(error.socket_err, TimeoutError):
            raise TimeoutError(*error.socket_err.args) from error
        raise
    except BaseException:
        made.close()
        raise
    made.until = None
    return made


class _Dialled(socket.socket):
    """A socket on which connecting is done, and each read ends in time."""

    until: float | None = None

    def connect(self, address: Any) -> None:
        """Do nothing."""

    def recv_into(self, *args: Any) -> int:
        if self.until is not None:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            socket.socket.settimeout(self, left)
        return super().recv_into(*args)


class _Socks(socks.socksocket, _Dialled):  # type: ignore[misc]  # PySocks has no types
    """What PySocks takes for its own socket: it reads and connects by the class behind it."""
