"""Services with an HTTP API that fail at random moments, and know which messages they have taken."""

import threading
from typing import Any

import attrs

from chaos.faults import Faults, Table
from postroom_testing.http import Close, Drip, HttpServer, Raw, Reply, Request, Reset, Silence, Step, Truncate

_GARBAGE = (b"\x15\x03\x01\x00\x02\x02\x46", b"hello\r\n\r\n", b"HTTP/1.1 2000 what\r\n\r\n", b"HTTP/9 \xff\r\n")
_FAILED = (500, 502, 504)  # leave open whether the message was taken; 503 says that it was not


@attrs.frozen
class _Hinted(Reply):
    """A reply behind another one that is not final."""

    def encode(self) -> bytes:
        return b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + super().encode()


@attrs.frozen
class _Doubled(Reply):
    """A reply with a further one that nobody has asked for behind it."""

    def encode(self) -> bytes:
        return super().encode() + super().encode()


_BEFORE: Table[Step] = {
    "closed": lambda _: Close(),
    "reset": lambda _: Reset(),
    "silent": lambda _: Silence(),
    "429": lambda _: Reply(429, {}, {"Retry-After": "1"}),
    "5xx": lambda dice: Reply(dice.choice((503, *_FAILED)), {}),
}


def _after(reply: Reply) -> Table[Step]:
    """Return what happens to the answer when the message is taken."""
    size = len(reply.encode())
    return {
        "closed, taken": lambda _: Close(),
        "reset, taken": lambda _: Reset(),
        "silent, taken": lambda _: Silence(),
        "5xx, taken": lambda dice: Reply(dice.choice(_FAILED), {}),
        "garbage, taken": lambda dice: Raw(dice.choice(_GARBAGE)),
        "cut": lambda dice: Truncate(reply, dice.randrange(1, size)),
        "dripped": lambda _: Drip(reply, 0.02),
        "closed behind": lambda _: Close(reply),
        "1xx before": lambda _: _Hinted(reply.status, reply.body, reply.headers),
        "second answer behind": lambda _: _Doubled(reply.status, reply.body, reply.headers),
    }


class _ChaosApi(HttpServer):
    """What both services share."""

    key: str

    def __init__(self, faults: Faults) -> None:
        super().__init__(answer=self._respond)
        self._faults = faults
        self._taking = threading.Lock()
        self._numbers: list[str] = []

    def settings(self, **more: object) -> dict[str, object]:
        """Return settings by field name that lead here, with `more` on top. `port` is that of a proxy in front."""
        port = more.pop("port", self.port)
        return {"api_key": self.key, "api_url": f"http://{self.host}:{port}", **more}

    def numbers(self) -> list[str]:
        """Return which mails were taken."""
        with self._taking:
            return [*self._numbers]

    def _respond(self, request: Request) -> Step:
        self._faults.meet()
        fault = self._faults.draw("request", _BEFORE)
        if fault is not None:
            return fault
        with self._taking:
            reply = self._take(request)
        return self._faults.draw("answer", _after(reply)) or reply

    def _take(self, request: Request) -> Reply:
        raise NotImplementedError


class ChaosResend(_ChaosApi):
    """Takes mails one by one and in batches; the same request under the same idempotency key once."""

    provider = "resend"
    key = "re_chaos"

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults)
        self._answered: dict[str, tuple[bytes, Reply]] = {}

    def _take(self, request: Request) -> Reply:
        key = request.headers["idempotency-key"]
        if key in self._answered:
            body, reply = self._answered[key]
            if body == request.body:
                return reply
            return Reply(409, {"statusCode": 409, "name": "invalid_idempotent_request", "message": "another body"})
        said: Any = request.json()
        mails = said if isinstance(said, list) else [said]
        self._numbers += [mail["subject"] for mail in mails]
        ids = [{"id": f"id-{mail['subject']}"} for mail in mails]
        reply = Reply(200, {"data": ids} if isinstance(said, list) else ids[0])
        self._answered[key] = request.body, reply
        return reply


class ChaosSendGrid(_ChaosApi):
    """Takes mails one by one, and knows no idempotency key."""

    provider = "sendgrid"
    key = "SG.chaos"

    def _take(self, request: Request) -> Reply:
        subject = request.json()["subject"]
        self._numbers.append(subject)
        return Reply(202, b"", {"X-Message-Id": f"id-{subject}"})
