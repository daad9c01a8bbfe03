"""An SMTP server that fails at random moments, and knows which messages it has taken."""

import random
import re
import ssl
from collections.abc import Callable, Sequence

from chaos.faults import Faults, Table
from postroom_testing.smtp import Action, Close, Drip, Pause, Reset, Silence, SmtpServer, Step

_NUMBER = re.compile(rb"^Subject: (mail-\d+)\r$", re.MULTILINE)
_TAKEN = b"250 2.0.0 taken\r\n"
_CLOSING = b"421 4.3.2 closing\r\n"
_FOR_NOW = (b"450 4.2.1 busy\r\n", b"451 4.3.0 not now\r\n", b"452 4.3.1 full\r\n")
_FOR_GOOD = (b"550 5.7.1 no\r\n", b"552 5.3.4 too large\r\n", b"554 5.6.0 no\r\n")
_NO_BDAT = (b"500 5.5.2 what?\r\n", b"502 5.5.1 no BDAT\r\n", b"503 5.5.1 no\r\n", b"504 5.5.4 no LAST\r\n")
_GARBAGE = (b"\x15\x03\x01\x00\x02\x02\x46\r\n", b"hello\r\n", b"2500 ok\r\n", b"25\xff ok\r\n", b"999 ok\r\n", b"\r\n")
_UNREAD = 1.5  # seconds, longer than a sender of the chaos waits

_Fault = Callable[[random.Random], Action]


def _always(action: Action) -> _Fault:
    return lambda _: action


def _one_of(choices: Sequence[bytes], *more: Step) -> _Fault:
    def choose(dice: random.Random) -> Action:
        said = dice.choice(choices)
        return (said, *more) if more else said

    return choose


_BROKEN: dict[str, _Fault] = {
    "closed": _always(Close()),
    "reset": _always(Reset()),
    "silent": _always(Silence()),
}
_REFUSED: dict[str, _Fault] = {
    "421": _always((_CLOSING, Close())),
    "4yz": _one_of(_FOR_NOW),
    "5yz": _one_of(_FOR_GOOD),
}
_INSTEAD: dict[str, _Fault] = {**_BROKEN, **_REFUSED, "garbage": _one_of(_GARBAGE)}


def _command(reply: bytes, surplus: bytes = b"250 2.1.0 again\r\n") -> dict[str, _Fault]:
    """Return what happens in place of a good reply, or behind it."""
    return {
        **_INSTEAD,
        "dripped": lambda dice: Drip(reply, dice.uniform(0.01, 0.1)),
        "surplus": _always(reply + surplus),
        "closed behind": _always((reply, Close())),
        "421 behind": _always((reply, _CLOSING, Close())),
    }


_MIDDLE: dict[str, _Fault] = {
    **_BROKEN,
    "unread": _always((Pause(_UNREAD), Close())),
    "421": _always((_CLOSING, Close())),
    "4yz": _one_of(_FOR_NOW, Close()),
    "5yz": _one_of(_FOR_GOOD, Close()),
    "garbage": _one_of(_GARBAGE, Close()),
}


def _half(end: Step) -> _Fault:
    return lambda dice: (_TAKEN[: dice.randrange(1, len(_TAKEN) - 1)], end)


_VERDICT: dict[str, _Fault] = {
    # What does not refuse is taken, whatever the client gets to hear.
    "closed, taken": _always(Close()),
    "reset, taken": _always(Reset()),
    "silent, taken": _always(Silence()),
    "garbage, taken": _one_of(_GARBAGE),
    "half a reply, closed": _half(Close()),
    "half a reply, reset": _half(Reset()),
    "dripped": lambda dice: Drip(_TAKEN, dice.uniform(0.01, 0.1)),
    "surplus": _always(_TAKEN + b"250 2.0.0 again\r\n"),
    "closed behind": _always((_TAKEN, Close())),
    "reset behind": _always((_TAKEN, Reset())),
    "421 behind": _always((_TAKEN, _CLOSING, Close())),
    "421": _always(_CLOSING),
    "4yz": _one_of(_FOR_NOW),
    "5yz": _one_of(_FOR_GOOD),
}
_OUT_OF_STEP: dict[str, _Fault] = {"out of step": _always(b"503 5.5.1 out of step\r\n")}

_TABLES: dict[str, Table[Action]] = {
    "greeting": _command(b"220 chaos ESMTP\r\n"),
    "EHLO": _INSTEAD,
    "HELO": _INSTEAD,
    "STARTTLS": {**_INSTEAD, "surplus": _always(b"220 2.0.0 go\r\n250 2.1.0 again\r\n")},
    "TLS": {**_BROKEN, "garbage": _one_of(_GARBAGE)},
    "AUTH": _INSTEAD,
    "RSET": _command(b"250 2.0.0 ok\r\n"),
    "MAIL": {**_command(b"250 2.1.0 ok\r\n"), **_OUT_OF_STEP},
    "RCPT": {**_command(b"250 2.1.5 ok\r\n", b"250 2.1.5 again\r\n"), **_OUT_OF_STEP},
    # A drip of 354 would not begin a message: the server goes by what it says in one piece.
    "DATA": {**_INSTEAD, **_OUT_OF_STEP},
    "body": _MIDDLE,
    "chunk": _MIDDLE,
    ".": _VERDICT,
    "BDAT": {**_VERDICT, "BDAT refused": _one_of(_NO_BDAT)},
}


class ChaosSmtpServer(SmtpServer):
    """A server that accepts everything, unless a fault is drawn.

    Args:
        faults: Decides what goes wrong.
        tls: Context of the server; None is plain text.
        implicit: TLS from the first octet, else by STARTTLS.
        extensions: What EHLO offers.
    """

    provider = "smtp"

    def __init__(
        self, faults: Faults, extensions: Sequence[str], *, tls: ssl.SSLContext | None = None, implicit: bool = False
    ) -> None:
        super().__init__(tls=tls, implicit=implicit, extensions=extensions)
        self._faults = faults

    def action(self, moment: str, given: str = "") -> Action | None:
        """Return what goes wrong at this moment."""
        if moment in (".", "BDAT"):
            self._faults.meet()
        table = _TABLES.get(moment)
        return self._faults.draw(moment, table) if table is not None else None

    def record(self, data: bytes) -> None:
        """Keep none of it: the messages are enough."""

    def numbers(self) -> list[str]:
        """Wait until everything that was sent is read, and return which mails were taken."""
        found = [_NUMBER.search(body) for body in self.wait().taken]
        return [each[1].decode() for each in found if each is not None]
