"""Proxies on loopback: one that knows CONNECT (RFC 9110 section 9.3.6), and one that speaks SOCKS 5 (RFC 1928)."""

import contextlib
import socket
import socketserver
import struct
import threading
from typing import Self


class HttpProxy(socketserver.ThreadingTCPServer):
    """A proxy that knows CONNECT, or answers it with `refusal`; a context manager. `heads` has what it was asked.

    Args:
        refusal: What it says instead of opening the tunnel. None: it says nothing, and closes.
    """

    daemon_threads = True

    def __init__(self, refusal: bytes | None = b"") -> None:
        self.refusal = refusal
        self.heads: list[str] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Tunnel)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.place}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class SilentProxy(HttpProxy):
    """One that reads what it is asked and says nothing, as long as it lives."""

    def finish_request(self, request: object, client_address: object) -> None:
        """Wait for the end."""
        self.over.wait(10)


class _Tunnel(socketserver.BaseRequestHandler):
    server: HttpProxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65_536)
            if not piece:
                return
            head += piece
        self.server.heads.append(head.decode())
        if self.server.refusal is None:
            return
        if self.server.refusal:
            self.request.sendall(self.server.refusal)
            return
        host, _, port = head.split()[1].decode().partition(":")
        _tunnel(self.request, (host, int(port)), b"HTTP/1.1 200 Connected\r\n\r\n")


class SocksProxy(HttpProxy):
    """A SOCKS server without a login. `code` other than 0 refuses every request with it (RFC 1928 section 6)."""

    def __init__(self, code: int = 0, method: int = 0) -> None:
        super().__init__()
        self.code = code
        self.method = method
        self.RequestHandlerClass = _Socks

    @property
    def url(self) -> str:
        """Where it is."""
        return f"socks5h://{self.place}"


class _Socks(socketserver.BaseRequestHandler):
    server: SocksProxy

    def handle(self) -> None:
        stream = self.request.makefile("rb")
        _, count = stream.read(2)
        stream.read(count)
        self.request.sendall(bytes([5, self.server.method]))
        if self.server.method:
            return
        kind = stream.read(4)[3]
        host = stream.read(stream.read(1)[0]).decode() if kind == 3 else socket.inet_ntoa(stream.read(4))
        (port,) = struct.unpack(">H", stream.read(2))
        self.server.heads.append(f"{host}:{port}")
        answer = bytes([5, self.server.code, 0, 1, 0, 0, 0, 0, 0, 0])
        if self.server.code:
            self.request.sendall(answer)
        else:
            _tunnel(self.request, (host, port), answer)


def _tunnel(inward: socket.socket, place: tuple[str, int], answer: bytes) -> None:
    with socket.create_connection(place) as onward:
        inward.sendall(answer)
        back = threading.Thread(target=_pump, args=(onward, inward))
        back.start()
        _pump(inward, onward)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
