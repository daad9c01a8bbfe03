"""One dialogue of an SMTP server: the commands, their order, and their replies (RFC 5321, RFC 3030, RFC 4954)."""

import contextlib
import re
import socket
import threading
from typing import TYPE_CHECKING

from postroom_testing.smtp_actions import Action, said
from postroom_testing.smtp_channel import Channel, Over

if TYPE_CHECKING:
    from postroom_testing.smtp_server import SmtpServer

_PROMPTS = (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n")  # of AUTH LOGIN: Username: and Password:


class Dialogue:
    """What is said with one client of `server`, in a thread of its own that is not started yet."""

    def __init__(self, server: "SmtpServer", sock: socket.socket) -> None:
        self._server = server
        self._channel = Channel(server, sock)
        self._has_sender = False
        self._recipients = 0
        self.thread = threading.Thread(target=self._run, name="SMTP dialogue", daemon=True)

    def interrupt(self) -> None:
        """Make the thread end."""
        self._channel.interrupt()

    def _run(self) -> None:
        try:
            with contextlib.suppress(Over, OSError):  # the client, or the end of the test
                self._converse()
        finally:
            self._channel.close()

    def _converse(self) -> None:
        if self._server.implicit:
            self._start_tls()
        self._act("greeting", b"220 scripted ESMTP\r\n")
        verb = ""
        while verb != "QUIT":
            line = self._line()
            verb = line.partition(" ")[0].upper()
            self._obey(verb, line)

    def _obey(self, verb: str, line: str) -> None:
        match verb:
            case "MAIL":
                reply = self._act(verb, b"503 nested\r\n" if self._has_sender else b"250 2.1.0 ok\r\n", line)
                self._has_sender = self._has_sender or not _refuses(reply)
            case "RCPT":
                reply = self._act(verb, b"250 2.1.5 ok\r\n" if self._has_sender else b"503 no sender\r\n", line)
                self._recipients += not _refuses(reply)
            case "DATA":
                default = b"354 go\r\n" if self._recipients else b"503 no recipient\r\n"
                if re.search(rb"^354", self._act(verb, default), re.MULTILINE):
                    self._take_body()
            case "BDAT":
                self._take_chunk(int(line.split()[1]))
            case "EHLO" | "HELO" | "NOOP" | "RSET":
                self._act(verb, self._capabilities() if verb == "EHLO" else b"250 ok\r\n")
                self._end_transaction()
            case "STARTTLS":
                default = b"220 go\r\n" if self._server.tls else b"502 not here\r\n"
                if self._act(verb, default).startswith(b"220"):
                    self._start_tls()
            case "AUTH":
                self._authenticate(line)
            case "QUIT":
                self._act(verb, b"221 bye\r\n")
            case _:
                self._channel.perform(b"500 what?\r\n")

    def _start_tls(self) -> None:
        action = self._server.action("TLS")
        if action is not None:
            self._channel.perform(action)
            raise Over
        if self._server.tls is None:
            raise ValueError(
                "TLS begins, and the server has no context for it: give it `tls`, or script the moment TLS"
            )
        self._channel.start_tls(self._server.tls)

    def _capabilities(self) -> bytes:
        server, in_tls = self._server, self._channel.in_tls
        offered = [*(server.extensions_in_tls if in_tls else server.extensions)]
        if server.tls is not None and not in_tls:
            offered.append("STARTTLS")
        *lines, last = "scripted", *offered
        return "".join([*(f"250-{line}\r\n" for line in lines), f"250 {last}\r\n"]).encode()

    def _authenticate(self, command: str) -> None:
        _, mechanism, *initial = command.split()
        prompts = _PROMPTS if mechanism == "LOGIN" else (b"334 \r\n",)
        replies = iter([*prompts[len(initial) :], b"235 welcome\r\n"])
        while self._act("AUTH", next(replies, b"535 what?\r\n")).startswith(b"334"):
            self._line()

    def _take_body(self) -> None:
        self._channel.wait_for_octets()
        self._act("body", b"")
        self._judge(".", self._channel.body())

    def _take_chunk(self, size: int) -> None:
        self._act("chunk", b"")
        if self._server.swallows:
            self._judge("BDAT", self._channel.octets(size))
            return
        action = self._server.action("BDAT")
        if action is None:
            raise ValueError("a chunk is not to be swallowed, and the script does not say how BDAT is refused")
        self._end_transaction()
        self._channel.perform(action)

    def _judge(self, moment: str, body: bytes) -> None:
        """Say what becomes of a message. It is kept before that, so that a lost reply changes nothing."""
        server = self._server
        server.bodies.append(body)
        action = server.action(moment, body.decode("utf-8", "replace"))
        if action is None:
            action = b"250 2.0.0 taken\r\n" if self._recipients else b"503 no recipient\r\n"
        if self._recipients and not (isinstance(action, bytes) and _refuses(action)):
            server.taken.append(body)
        self._end_transaction()
        self._channel.perform(action)

    def _end_transaction(self) -> None:
        self._has_sender, self._recipients = False, 0

    def _line(self) -> str:
        line = self._channel.line()
        self._server.commands.append(line)
        return line

    def _act(self, moment: str, default: bytes, given: str = "") -> bytes:
        """Do what the script says, or send the default; return the octets that were sent."""
        action: Action | None = self._server.action(moment, given)
        chosen = default if action is None else action
        self._channel.perform(chosen)
        return said(chosen)


def _refuses(reply: bytes) -> bool:
    return reply[:1] in {b"4", b"5"}
