"""An SMTP server: what it answers, and what it has got."""

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Self

import attrs

from postroom_testing import smtp
from postroom_testing.certificates import Certificates
from postroom_testing.contract.arrived import Arrived, from_mime
from postroom_testing.contract.cases import Case
from postroom_testing.contract.services import Place

_SCRIPTS: Mapping[Case, Mapping[str, smtp.Action]] = {
    Case.ACCEPTED: {},
    Case.REJECTED: {".": b"554 5.7.1 Looks like spam\r\n", "BDAT": b"554 5.7.1 Looks like spam\r\n"},
    Case.UNAUTHORIZED: {"AUTH": b"535 5.7.8 Authentication credentials invalid\r\n"},
    Case.THROTTLED: {"MAIL": b"450 4.7.1 Slow down\r\n"},
    Case.UNAVAILABLE: {"MAIL": b"451 4.3.0 Try again later\r\n"},
    Case.LOST: {".": smtp.Reset(), "BDAT": smtp.Reset()},
    Case.SILENT: {".": smtp.Silence(), "BDAT": smtp.Silence()},
    Case.DRIPPING: {".": smtp.Drip(b"250-" + b"x" * 4000, 0.02), "BDAT": smtp.Drip(b"250-" + b"x" * 4000, 0.02)},
    Case.GARBLED: {".": b"It works!\r\n", "BDAT": b"It works!\r\n"},
}


@attrs.frozen
class SmtpService:
    """An SMTP server, which needs no answers of yours.

    Args:
        extensions: What EHLO offers besides STARTTLS.
        tls: Offer STARTTLS; `Place.ca_file` is to be trusted then.
    """

    extensions: tuple[str, ...] = smtp.SmtpServer.CHUNKING
    tls: bool = False

    @property
    def cases(self) -> Collection[Case]:
        """All but those of HTTP."""
        return (*_SCRIPTS, Case.REFUSED)

    @property
    def retry_after(self) -> float | None:
        """SMTP has no such thing."""
        return None

    @contextlib.contextmanager
    def start(self) -> Iterator["RunningSmtp"]:
        """Run it."""
        with tempfile.TemporaryDirectory() as folder:
            certificates = Certificates(Path(folder)) if self.tls else None
            with RunningSmtp(self, certificates) as running:
                yield running


class RunningSmtp:
    """An `SmtpService` that runs."""

    def __init__(self, service: SmtpService, certificates: Certificates | None) -> None:
        self._script: Mapping[str, smtp.Action] = {}
        self._certificates = certificates
        moments = {moment for script in _SCRIPTS.values() for moment in script}
        self._server = smtp.SmtpServer(
            {moment: self._decide(moment) for moment in moments},
            extensions=service.extensions,
            tls=certificates.good if certificates else None,
        )

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.__exit__(*exception)

    @property
    def place(self) -> Place:
        """Where it is."""
        ca_file = self._certificates.ca_file if self._certificates else None
        return Place("localhost" if ca_file else self._server.host, self._server.port, ca_file=ca_file)

    def play(self, case: Case) -> None:
        """Do so with every message from now on."""
        self._script = _SCRIPTS[case]

    def arrived(self) -> list[Arrived]:
        """Return the messages that it has got, taken or not. Who gets which is known while they come one by one."""
        envelopes: list[list[str]] = []
        for command in [*self._server.commands]:
            verb, _, words = command.partition(":")
            if verb.upper() == "MAIL FROM":
                envelopes.append([])
            elif verb.upper() == "RCPT TO" and envelopes:
                envelopes[-1].append(words[words.find("<") + 1 : words.find(">")])
        bodies = [body.replace(b"\r\n..", b"\r\n.") for body in [*self._server.bodies]]
        return [from_mime(body, envelope) for body, envelope in zip(bodies, envelopes, strict=False)]

    def connections(self) -> int:
        """Return how many connections were made to it."""
        return self._server.connections

    def _decide(self, moment: str) -> Callable[[str], smtp.Action | None]:
        def decide(_: str) -> smtp.Action | None:
            return self._script.get(moment)

        return decide
