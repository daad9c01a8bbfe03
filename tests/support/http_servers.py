"""A real HTTP/1.1 server on loopback that keeps connections and answers, or misbehaves, as a script says."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import attrs

_PATIENCE = 10.0  # seconds until something that does not end fails the test


@attrs.frozen
class Request:
    """A request as it came."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes
    connection: int
    """Which connection it came on, from 0."""

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@attrs.frozen
class Reply:
    """An answer. A body that is neither bytes nor text goes as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def encode(self) -> bytes:
        """Return it as it goes on the wire."""
        headers = {"Content-Type": "application/json"}
        if isinstance(self.body, bytes | str):
            body = self.body.encode() if isinstance(self.body, str) else self.body
            headers = {"Content-Type": "text/html"} if body else {}
        else:
            body = json.dumps(self.body).encode()
        headers = {**headers, "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


@attrs.frozen
class Close:
    """Close the connection without an answer, or after `reply`, and without announcing it."""

    reply: Reply | None = None


@attrs.frozen
class Reset:
    """Break the connection with a TCP reset."""


@attrs.frozen
class Early:
    """Look at the headers only: answer, or reset if `reply` is None, while the body is still on its way."""

    reply: Reply | None = None


@attrs.frozen
class Silence:
    """Say nothing until the client has gone."""


@attrs.frozen
class Truncate:
    """Send `reply` without its last octets, and close."""

    reply: Reply
    missing: int = 1


@attrs.frozen
class Drip:
    """Send the headers of `reply`, then its body octet by octet, each after `interval` seconds."""

    reply: Reply
    interval: float = 0.05


@attrs.frozen
class Raw:
    """Send these octets, and close."""

    data: bytes


Step = Reply | Close | Reset | Early | Silence | Truncate | Drip | Raw


class HttpServer:
    """A server whose answers are a script. It ends with the `with` block; no connection outlives it.

    Args:
        script: One step for each request, the last one repeated; or a function from the request to its step. It sees
            a request for `Early` with an empty body.
        tls: Context to speak TLS with; None is plain HTTP.
    """

    def __init__(
        self, *script: Step, answer: Callable[[Request], Step] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        """Every request, in the order in which they were complete."""
        self.connections = 0
        """How many connections were accepted."""
        self._script = list(script) or [Reply()]
        self._answer = answer
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host, self.port = self._listener.getsockname()[:2]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # ours alone: the TLS state stays with its thread
        for thread in self._threads:
            thread.join(_PATIENCE)
            assert not thread.is_alive(), "a connection did not end"

    def wait_for(self, count: int) -> list[Request]:
        """Wait until so many requests have come, and return them."""
        until = time.monotonic() + _PATIENCE
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.005)
        return self.requests

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                number, self.connections = self.connections, self.connections + 1
                self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(_PATIENCE * 3)
        talking = sock
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                talking = self._tls.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open.discard(sock)
                    self._open.add(talking)
            while self._turn(talking, number):
                pass
        except (OSError, ValueError):
            pass  # the client has gone, or refused our certificate
        finally:
            with self._lock:
                self._open.discard(talking)
                self._open.discard(sock)
            talking.close()

    def _turn(self, sock: socket.socket, number: int) -> bool:
        """Take one request and answer it; return False when the connection is over."""
        buffer = b""
        while b"\r\n\r\n" not in buffer:
            piece = sock.recv(65_536)
            if not piece:
                return False
            buffer += piece
        head, _, body = buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        step = self._next(Request(method, path, headers, b"", number)) if self._may_be_early() else None
        if isinstance(step, Early):
            self._record(Request(method, path, headers, body, number))
            if step.reply is not None:
                sock.sendall(step.reply.encode())
            return _reset(sock) if step.reply is None else _linger(sock)
        while len(body) < length:
            piece = sock.recv(min(65_536, length - len(body)))
            if not piece:
                return False
            body += piece
        request = Request(method, path, headers, body, number)
        self._record(request)
        return self._act(sock, step or self._next(request))

    def _may_be_early(self) -> bool:
        return self._answer is None

    def _next(self, request: Request) -> Step:
        if self._answer is not None:
            return self._answer(request)
        with self._lock:
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def _record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def _act(self, sock: socket.socket, step: Step) -> bool:
        match step:
            case Reply():
                sock.sendall(step.encode())
                return step.headers.get("Connection") != "close"
            case Close():
                if step.reply is not None:
                    sock.sendall(step.reply.encode())
            case Reset():
                return _reset(sock)
            case Silence():
                while sock.recv(65_536):
                    pass
            case Truncate():
                sock.sendall(step.reply.encode()[: -step.missing])
            case Drip():
                head, end, body = step.reply.encode().partition(b"\r\n\r\n")
                sock.sendall(head + end)
                for octet in body:
                    time.sleep(step.interval)
                    sock.sendall(bytes([octet]))
                return True
            case Raw():
                sock.sendall(step.data)
        return False


def _reset(sock: socket.socket) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return False


def _linger(sock: socket.socket) -> bool:
    """Read what still comes, so that closing does not reset the answer away."""
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65_536):
        pass
    return False
