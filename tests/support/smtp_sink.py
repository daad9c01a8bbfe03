"""An SMTP server that keeps nothing, answers at once, and counts how often its clients wait for it.

    python tests/support/smtp_sink.py --without chunking

prints its ports as JSON and runs until its standard input ends. `SmtpSink` starts it as a process of its own, so that
it takes no time from the client that is measured. Whoever connects to the control port gets the counts as JSON.
"""

import argparse
import base64
import contextlib
import json
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Iterable

import attrs

from own_process import OwnProcess

_HOST = "127.0.0.1"
_READ = 262_144  # octets at a time
_PATIENCE = 10.0  # seconds until a sink that does not answer fails the run
_EXTENSIONS = {
    "pipelining": "PIPELINING",  # RFC 2920
    "chunking": "CHUNKING",  # RFC 3030
    "8bitmime": "8BITMIME",
    "smtputf8": "SMTPUTF8",
    "size": "SIZE 157286400",
}
_OK = b"250 2.0.0 OK\r\n"
_QUEUED = b"250 2.0.0 OK: queued\r\n"
_SEQUENCE = b"503 5.5.1 Bad sequence of commands\r\n"
_SYNTAX = b"501 5.5.4 Syntax error\r\n"


@attrs.define
class Counts:
    """What a sink has seen since it began."""

    messages: int = 0
    connections: int = 0
    turnarounds: int = 0
    """How often replies were written: what a client that reads them all has waited for. The greeting is one, and so
    are the handshake of TLS 1.3 and a reply to QUIT."""

    @property
    def round_trips(self) -> int:
        """The turnarounds, and one for each connection that was opened."""
        return self.turnarounds + self.connections

    def since(self, earlier: "Counts") -> "Counts":
        """Return what has been added."""
        return Counts(
            self.messages - earlier.messages,
            self.connections - earlier.connections,
            self.turnarounds - earlier.turnarounds,
        )


@attrs.frozen
class Offer:
    """What a sink speaks."""

    extensions: tuple[str, ...] = tuple(_EXTENSIONS)
    """Keys of the table above."""
    tls: ssl.SSLContext | None = None
    """Server context for STARTTLS; None does not offer it."""
    login: tuple[str, str] | None = None
    """User name and password for AUTH PLAIN, which is then needed; offered only after STARTTLS, where there is one."""
    quiet: float = 0.0
    """Seconds without a further octet before replies are written. Above 0, a turnaround is counted exactly: replies
    to the first of several commands do not leave while the client is still writing the others."""


class Conversation:
    """The server's side of one connection, without the connection: octets in, replies out."""

    def __init__(self, offer: Offer, counts: Counts) -> None:
        self.replies: list[bytes] = [b"220 sink ESMTP\r\n"]
        self.starts_tls = False
        """True when the replies end with the 220 to STARTTLS."""
        self.ended = False
        """True when QUIT has come."""
        self.encrypted = False
        self._offer = offer
        self._counts = counts
        self._input = b""
        self._in_data = False
        self._chunk = 0  # octets of a chunk that are to come
        self._last = False
        self._reply_to_chunk = b""
        self._asked_for_login = False
        self._logged_in = offer.login is None
        self._mailed = self._chunked = False
        self._recipients = 0

    def take(self, octets: bytes) -> None:
        """Take what the client has written."""
        data = self._input + octets if self._input else octets
        at, length = 0, len(data)
        while at < length and not self.ended:
            if self._chunk:
                taken = min(self._chunk, length - at)
                at += taken
                self._chunk -= taken
                if not self._chunk:
                    self._end_chunk()
                continue
            if self._in_data:
                end = data.find(b"\r\n.\r\n", at)
                if end < 0:
                    at = max(at, length - 4)  # what may be the beginning of the end
                    break
                at = end + 5
                self._in_data = False
                self._accept()
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            line = data[at:end]
            at = end + 2
            if self._command(line, alone=at == length):
                at = end  # this line end may be the one before the final dot
            if self.starts_tls:
                self._input = b""  # RFC 3207 section 4.2: what came in plain text is forgotten
                return
        self._input = data[at:]

    def encrypt(self) -> None:
        """Begin anew inside TLS."""
        self.encrypted, self.starts_tls = True, False
        self._reset()

    def _command(self, line: bytes, *, alone: bool) -> bool:
        """Answer a command; return True if data follow."""
        if self._asked_for_login:
            self._asked_for_login = False
            self._check_login(line)
            return False
        verb = line[:4].upper()
        if not alone and verb != b"BDAT" and "pipelining" not in self._offer.extensions:
            self.replies.append(b"500 5.5.1 Pipelining not supported\r\n")  # as OpenSMTPD has it
        elif verb == b"MAIL":
            self._mail(line)
        elif verb == b"RCPT":
            if self._mailed and line[4:9].upper() == b" TO:<":
                self._recipients += 1
                self.replies.append(_OK)
            else:
                self.replies.append(_SEQUENCE)
        elif verb == b"BDAT":
            self._bdat(line)
        elif verb == b"DATA":
            if self._recipients and not self._chunked:
                self._in_data = True
                self.replies.append(b"354 End with a dot\r\n")
            else:
                self.replies.append(_SEQUENCE)
        else:
            self._other(verb, line)
        return self._in_data

    def _other(self, verb: bytes, line: bytes) -> None:
        if verb == b"EHLO":
            self._reset()
            lines = ["sink", *self._offered()]
            marks = ["-"] * (len(lines) - 1) + [" "]
            self.replies.append(
                "".join(f"250{mark}{text}\r\n" for mark, text in zip(marks, lines, strict=True)).encode()
            )
        elif verb in {b"HELO", b"RSET"}:
            self._reset()
            self.replies.append(_OK)
        elif verb == b"NOOP":
            self.replies.append(_OK)
        elif verb == b"QUIT":
            self.replies.append(b"221 2.0.0 Bye\r\n")
            self.ended = True
        elif line.upper() == b"STARTTLS" and self._offer.tls is not None and not self.encrypted:
            self.replies.append(b"220 2.0.0 Ready\r\n")
            self.starts_tls = True
        elif verb == b"AUTH" and self._offers_login():
            words = line.split()
            if len(words) > 1 and words[1].upper() != b"PLAIN":
                self.replies.append(b"504 5.5.4 Mechanism not offered\r\n")
            elif len(words) == 2:
                self._asked_for_login = True
                self.replies.append(b"334 \r\n")
            else:
                self._check_login(words[2] if len(words) == 3 else b"")
        else:
            self.replies.append(b"500 5.5.2 Command unknown\r\n")

    def _offered(self) -> Iterable[str]:
        for name in self._offer.extensions:
            yield _EXTENSIONS[name]
        if self._offer.tls is not None and not self.encrypted:
            yield "STARTTLS"
        if self._offers_login():
            yield "AUTH PLAIN"

    def _offers_login(self) -> bool:
        return self._offer.login is not None and (self.encrypted or self._offer.tls is None)

    def _check_login(self, response: bytes) -> None:
        assert self._offer.login is not None
        expected = "\0{}\0{}".format(*self._offer.login).encode()
        self._logged_in = base64.b64encode(expected) == response
        self.replies.append(b"235 2.7.0 OK\r\n" if self._logged_in else b"535 5.7.8 Wrong user name or password\r\n")

    def _mail(self, line: bytes) -> None:
        if not self._logged_in:
            self.replies.append(b"530 5.7.0 Authentication required\r\n")
        elif self._mailed:
            self.replies.append(_SEQUENCE)
        elif line[4:11].upper() != b" FROM:<":
            self.replies.append(_SYNTAX)
        else:
            self._mailed = True
            self.replies.append(_OK)

    def _bdat(self, line: bytes) -> None:
        words = line.split()
        last = len(words) == 3 and words[2].upper() == b"LAST"
        if "chunking" not in self._offer.extensions:
            self.replies.append(b"502 5.5.1 Command not offered\r\n")
        elif len(words) < 2 or not words[1].isdigit() or (len(words) == 3 and not last) or len(words) > 3:
            self.replies.append(_SYNTAX)
        else:
            # A chunk that is refused is taken all the same (RFC 3030 section 2).
            self._chunk, self._last = int(words[1]), last
            self._reply_to_chunk = _OK if self._recipients else _SEQUENCE
            self._chunked = True
            if not self._chunk:
                self._end_chunk()

    def _end_chunk(self) -> None:
        if self._reply_to_chunk is _SEQUENCE:
            self.replies.append(_SEQUENCE)
        elif self._last:
            self._accept()
        else:
            self.replies.append(_OK)

    def _accept(self) -> None:
        self._counts.messages += 1
        self.replies.append(_QUEUED)
        self._reset()

    def _reset(self) -> None:
        self._mailed = self._chunked = False
        self._recipients = 0


class _Client:
    """One connection. A single thread serves all of them, so nothing is locked."""

    def __init__(self, sock: socket.socket, offer: Offer, counts: Counts, selector: selectors.BaseSelector) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        counts.connections += 1
        self.due: float | None = None
        """When replies are to be written, in a sink that waits for quiet."""
        self.closed = False
        self._sock = sock
        self._offer = offer
        self._counts = counts
        self._selector = selector
        self._conversation = Conversation(offer, counts)
        self._output = b""
        self._shaking_hands = False
        selector.register(sock, selectors.EVENT_READ, self)
        self.answer()

    def ready(self, events: int) -> None:
        """Read and write what can be."""
        try:
            if events & selectors.EVENT_WRITE:
                self._write()
            if events & selectors.EVENT_READ:
                self._read()
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self.close()

    def answer(self) -> None:
        """Write the replies."""
        self.due = None
        replies = self._conversation.replies
        if not replies:
            return
        self._output += b"".join(replies)
        replies.clear()
        self._counts.turnarounds += 1
        self._write()

    def close(self) -> None:
        """End the connection."""
        if not self.closed:
            self.closed, self.due = True, None
            self._selector.unregister(self._sock)
            self._sock.close()

    def _read(self) -> None:
        if self._shaking_hands:
            self._shake_hands()
        while not self.closed:
            octets = self._sock.recv(_READ)
            if not octets:
                self.close()
                return
            self._conversation.take(octets)
            if self._offer.quiet:
                self.due = time.monotonic() + self._offer.quiet if self._conversation.replies else None
            else:
                self.answer()
            if not isinstance(self._sock, ssl.SSLSocket):
                return  # the selector says when there is more; of what TLS holds, it knows nothing

    def _write(self) -> None:
        if self._output:
            with contextlib.suppress(ssl.SSLWantWriteError, BlockingIOError):
                self._output = self._output[self._sock.send(self._output) :]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._output else 0)
        if self._selector.get_key(self._sock).events != wanted:
            self._selector.modify(self._sock, wanted, self)
        if self._output:
            return
        if self._conversation.ended:
            self.close()
        elif self._conversation.starts_tls:
            self._start_tls()

    def _start_tls(self) -> None:
        assert self._offer.tls is not None
        self._conversation.encrypt()
        self._selector.unregister(self._sock)
        self._sock = self._offer.tls.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        self._selector.register(self._sock, selectors.EVENT_READ, self)
        self._shaking_hands = True

    def _shake_hands(self) -> None:
        assert isinstance(self._sock, ssl.SSLSocket)
        self._sock.do_handshake()
        self._shaking_hands = False
        self._counts.turnarounds += 1 if self._sock.version() == "TLSv1.3" or self._sock.session_reused else 2


def serve(offer: Offer) -> None:
    """Print the ports, and serve until standard input ends."""
    counts = Counts()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        listener, control = (stack.enter_context(socket.create_server((_HOST, 0), backlog=1024)) for _ in range(2))
        for each in (listener, control, sys.stdin):
            selector.register(each, selectors.EVENT_READ, each)
        listener.setblocking(False)
        print(json.dumps({"port": listener.getsockname()[1], "control": control.getsockname()[1]}), flush=True)
        waiting: set[_Client] = set()
        while True:
            timeout = max(0.0, min(each.due or 0.0 for each in waiting) - time.monotonic()) if waiting else None
            for key, events in selector.select(timeout):
                if isinstance(key.data, _Client):
                    key.data.ready(events)
                    if offer.quiet:
                        waiting.add(key.data)
                elif key.data is listener:
                    with contextlib.suppress(OSError):
                        _Client(listener.accept()[0], offer, counts, selector)
                elif key.data is control:
                    with control.accept()[0] as asker:
                        asker.sendall(json.dumps(attrs.asdict(counts)).encode())
                else:
                    return
            if offer.quiet:
                now = time.monotonic()
                for each in [each for each in waiting if each.due is not None and each.due <= now]:
                    with contextlib.suppress(OSError):
                        each.answer()
                waiting = {each for each in waiting if each.due is not None}


class SmtpSink(OwnProcess):
    """A sink in a process of its own, on a free port of 127.0.0.1; a context manager.

    Args:
        without: Extensions that it does not offer: pipelining, chunking, 8bitmime, smtputf8, size.
        certificate: Files of the certificate chain and of the key, to offer STARTTLS.
        login: User name and password, to demand AUTH PLAIN.
        quiet: Seconds without a further octet before replies are written; see `Offer`. For exact counts.
    """

    host = _HOST

    def __init__(
        self,
        *,
        without: Iterable[str] = (),
        certificate: tuple[str, str] | None = None,
        login: tuple[str, str] | None = None,
        quiet: float = 0.0,
    ) -> None:
        command = [sys.executable, __file__, "--quiet", str(quiet)]
        command += [word for name in without for word in ("--without", name)]
        command += ["--certificate", *certificate] if certificate else []
        command += ["--login", *login] if login else []
        super().__init__(command)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.said["port"])

    @property
    def counts(self) -> Counts:
        """What it has seen so far."""
        with (
            socket.create_connection((_HOST, self.said["control"]), _PATIENCE) as asking,
            asking.makefile("rb") as answer,
        ):
            return Counts(**json.loads(answer.read()))


def main() -> None:
    """Serve as the arguments say."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--without", action="append", default=[], choices=_EXTENSIONS, help="extension not to offer")
    options.add_argument("--certificate", nargs=2, metavar=("CHAIN", "KEY"), help="offer STARTTLS")
    options.add_argument("--login", nargs=2, metavar=("USER", "PASSWORD"), help="demand AUTH PLAIN")
    options.add_argument("--quiet", type=float, default=0.0, help="seconds without input before replies are written")
    chosen = options.parse_args()
    tls = None
    if chosen.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*chosen.certificate)
    extensions = tuple(name for name in _EXTENSIONS if name not in chosen.without)
    with contextlib.suppress(KeyboardInterrupt):
        serve(Offer(extensions, tls, tuple(chosen.login) if chosen.login else None, chosen.quiet))


if __name__ == "__main__":
    main()
