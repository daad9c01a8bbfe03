"""A look at what answers on a port that does not speak SMTP as the settings say: TLS, plain SMTP, a web server."""

import contextlib
import re
import socket
import ssl
from collections.abc import Callable
from typing import Literal, TypeVar

_T = TypeVar("_T")
Answer = Literal[
    "it begins with TLS",
    "it speaks SMTP in plain text",
    "it speaks HTTP, not SMTP",
    "it speaks IMAP, not SMTP",
    "it speaks POP3, not SMTP",
    "it speaks SSH, not SMTP",
    "it speaks something else, not SMTP",
    "it hangs up on everybody",
    "it says nothing to anybody",
]

_WAIT = 2.0  # seconds for each thing that is waited for; there are four of them at most
_QUESTION = b"GET / HTTP/1.0\r\n\r\n"  # to whoever has said nothing, as no SMTP server does
_BEGINNINGS: tuple[tuple[bytes, Answer], ...] = (
    (b"\x15\x03", "it begins with TLS"),  # an alert, RFC 8446 section 5.1
    (b"\x16\x03", "it begins with TLS"),
    (b"HTTP/", "it speaks HTTP, not SMTP"),
    (b"* ", "it speaks IMAP, not SMTP"),
    (b"+OK", "it speaks POP3, not SMTP"),
    (b"SSH-", "it speaks SSH, not SMTP"),
)


def peek(host: str, port: int) -> Answer:
    """Return what answers. It connects anew, says nothing that is of any worth, and never raises."""
    first = _in_plain_text(host, port, None)
    if first:
        return _named(first)
    within = _in_tls(host, port)
    if within is not None:
        return "it speaks HTTP, not SMTP" if within.startswith(b"HTTP/") else "it begins with TLS"
    asked = _in_plain_text(host, port, _QUESTION)
    if asked:
        return _named(asked)
    return "it says nothing to anybody" if first is None else "it hangs up on everybody"


def _named(first: bytes) -> Answer:
    if re.match(rb"[0-9]{3}[ \r-]", first):
        return "it speaks SMTP in plain text"
    for beginning, name in _BEGINNINGS:
        if first.startswith(beginning):
            return name
    return "it speaks something else, not SMTP"


def _in_plain_text(host: str, port: int, question: bytes | None) -> bytes | None:
    """Return what is said, unasked or asked: nothing if the connection ends at once, None if it does not."""
    try:
        with socket.create_connection((host, port), _WAIT) as sock:
            if question:
                sock.sendall(question)
            return sock.recv(64)
    except TimeoutError:
        return None
    except OSError:
        return b""


def _in_tls(host: str, port: int) -> bytes | None:
    """Return what is said within TLS, unasked or asked; None if there is no TLS. Nobody's name is verified here."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Not `wrap_socket`: Python 3.11 loses the socket when the connection breaks before its first octet.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    within = context.wrap_bio(incoming, outgoing, server_hostname=host.removesuffix("."))
    try:
        with socket.create_connection((host, port), _WAIT) as sock:
            _through(sock, incoming, outgoing, within.do_handshake)
            sock.settimeout(_WAIT / 2)
            with contextlib.suppress(OSError):
                return _through(sock, incoming, outgoing, lambda: within.read(64))
            with contextlib.suppress(OSError):
                within.write(_QUESTION)
                return _through(sock, incoming, outgoing, lambda: within.read(64))
            return b""
    except OSError:
        return None


def _through(sock: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, call: Callable[[], _T]) -> _T:
    """Do something within TLS, and carry its octets until it is done."""
    while True:
        try:
            return call()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            data = sock.recv(65_536)
            if not data:
                raise ConnectionError("the server closed the connection") from None
            incoming.write(data)
