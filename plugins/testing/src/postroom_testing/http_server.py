"""An HTTP/1.1 server on loopback that keeps connections and answers, or misbehaves, as a script says (RFC 9112)."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Self

from postroom_testing.http_steps import (
    Close,
    Drip,
    Early,
    Interim,
    Raw,
    Reply,
    Request,
    Reset,
    Silence,
    Step,
    Surplus,
    Truncate,
)
from postroom_testing.listener import LOOPBACK, PATIENCE, Listener, join, wait_until


class HttpServer:
    """A server whose answers are a script.

    It is a context manager, listens on a free port, and ends at once on exit, whatever its clients do.

    Args:
        script: One step for each request, the last one repeated; without any, each is answered with an empty 200.
        answer: Chooses the step by the request, instead of a script. It is called when the body has come, so what it
            returns cannot be `Early`.
        tls: Context to speak TLS with; None is plain HTTP.

    Raises:
        ValueError: There is both a script and `answer`.
    """

    def __init__(
        self, *script: Step, answer: Callable[[Request], Step] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        if script and answer is not None:
            raise ValueError("an HttpServer follows a script or asks `answer`, not both")
        self.requests: list[Request] = []
        """Every request, in the order in which they were complete."""
        self.connections = 0
        """How many connections were accepted."""
        self.surplus = 0
        """How many answers were sent that nobody has asked for."""
        self.host = LOOPBACK
        self.port = 0
        """Where it listens, once it is entered."""
        self._script = list(script) or [Reply()]
        self._answer = answer
        self._tls = tls
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._listener = Listener(self.host, self._serve)
        self.port = self._listener.port
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # ours alone: the TLS state stays with its thread
        for thread in self._threads:
            join(thread)

    def wait_for(self, count: int) -> list[Request]:
        """Wait until so many requests have come, and return them.

        Raises:
            TimeoutError: They do not come.
        """
        wait_until(lambda: len(self.requests) >= count, f"{count} requests have not come")
        return self.requests

    def wait_for_surplus(self, count: int = 1) -> None:
        """Wait until so many answers were sent that nobody has asked for.

        Raises:
            TimeoutError: They are not sent.
        """
        wait_until(lambda: self.surplus >= count, f"{count} surplus answers were not sent")

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            number, self.connections = self.connections, self.connections + 1
            self._open.add(sock)
        thread = threading.Thread(target=self._talk, args=(sock, number), name=f"HTTP connection {number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _talk(self, sock: socket.socket, number: int) -> None:
        try:
            sock.settimeout(PATIENCE * 3)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = wrapped = self._wrap(sock, self._tls)
                wrapped.do_handshake()
            while not self._ended.is_set() and self._turn(sock, number):
                pass
        except (OSError, ValueError):
            pass  # the client has gone, refused our certificate, or does not speak HTTP
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _wrap(self, sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        with self._lock:  # who ends the server must find either socket
            if self._ended.is_set():
                raise ConnectionError("the server has ended")
            self._open.discard(sock)
            wrapped = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self._open.add(wrapped)
        return wrapped

    def _turn(self, sock: socket.socket, number: int) -> bool:
        """Take one request and answer it; return False when the connection is over."""
        head, body = _read_until(sock, b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        step = self._scripted()
        if not isinstance(step, Early):
            body = _read_rest(sock, body, int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body, number)
        with self._lock:
            self.requests.append(request)
        return self._act(sock, step if self._answer is None else self._answer(request))

    def _scripted(self) -> Step:
        with self._lock:
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def _act(self, sock: socket.socket, step: Step) -> bool:
        match step:
            case Reply():
                sock.sendall(step.encode())
                return step.headers.get("Connection") != "close"
            case Drip():
                return self._drip(sock, step)
            case Interim():
                interim = f"HTTP/1.1 {step.status} Interim\r\nLink: </>; rel=preload\r\n\r\n".encode()
                sock.sendall(interim * step.count + step.reply.encode())
                return True
            case Surplus():
                return self._surplus(sock, step)
            case Early(reply=None) | Reset():
                _reset(sock)
            case Early(reply=Reply() as reply):
                sock.sendall(reply.encode())
                sock.shutdown(socket.SHUT_WR)
                _drain(sock)  # a socket that is closed with octets unread resets the answer away
            case Close(reply=Reply() as reply):
                sock.sendall(reply.encode())
            case Silence():
                _drain(sock)
            case Truncate():
                sock.sendall(step.reply.encode()[: -step.missing])
            case Raw():
                sock.sendall(step.data)
        return False

    def _drip(self, sock: socket.socket, step: Drip) -> bool:
        head, end, body = step.reply.encode().partition(b"\r\n\r\n")
        if not step.head:
            sock.sendall(head + end)
        for octet in head + end + body if step.head else body:
            if self._ended.wait(step.interval):
                return False
            sock.sendall(bytes([octet]))
        return True

    def _surplus(self, sock: socket.socket, step: Surplus) -> bool:
        sock.sendall(step.reply.encode())
        # In a segment of its own: most clients drop what comes in one segment with the answer.
        if self._ended.wait(0.05):
            return False
        sock.sendall(step.extra.encode())
        with self._lock:
            self.surplus += 1
        return True


def _read_until(sock: socket.socket, end: bytes) -> tuple[bytes, bytes]:
    """Return what comes before `end`, and what has come behind it."""
    buffer = b""
    while end not in buffer:
        buffer += _read(sock, 65_536)
    before, _, behind = buffer.partition(end)
    return before, behind


def _read_rest(sock: socket.socket, buffer: bytes, size: int) -> bytes:
    """Read until there are so many octets."""
    while len(buffer) < size:
        buffer += _read(sock, min(65_536, size - len(buffer)))
    return buffer


def _read(sock: socket.socket, most: int) -> bytes:
    piece = sock.recv(most)
    if not piece:
        raise ConnectionError("the client has gone")
    return piece


def _drain(sock: socket.socket) -> None:
    """Read until the client has gone."""
    while sock.recv(65_536):
        pass


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
