"""Does building a sender leave the network alone? An application builds it at its start, and forks afterwards."""

import sys
import threading
from collections.abc import Callable
from typing import ClassVar

from postroom import DeliveringSender
from postroom_testing.contract.base import Contract
from postroom_testing.contract.services import Running

_EVENTS = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "subprocess.Popen",
    "os.fork",
)


class _Witness:
    """Sees what a thread asks the system for. An audit hook cannot be taken away, so there is one for the process."""

    def __init__(self) -> None:
        self._watched: dict[int, list[str]] = {}
        sys.addaudithook(self._hook)

    def of(self, call: Callable[[], object]) -> list[str]:
        """Call, and return what it asked for."""
        here = threading.get_ident()
        seen: list[str] = []
        self._watched[here] = seen
        try:
            call()
        finally:
            del self._watched[here]
        return seen

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _EVENTS and (seen := self._watched.get(threading.get_ident())) is not None:
            seen.append(event)


class Purity(Contract):
    """Building, asking `is_configured` and closing do no I/O and start nothing."""

    _witness: ClassVar[list[_Witness]] = []

    def seen(self, call: Callable[[], object]) -> list[str]:
        """Return which of the system's services a call asks for."""
        if not self._witness:
            self._witness.append(_Witness())
        return self._witness[0].of(call)

    def test_building_does_no_io(self, service: Running) -> None:
        """No name is looked up and no connection is made when the sender is built."""
        made: list[DeliveringSender] = []
        seen = self.seen(lambda: made.append(self.made(service.place)))
        made[0].close()
        assert not seen, f"build() and __init__ ask the system for {seen}: do that when the first message is sent"
        assert service.connections() == 0

    def test_building_starts_no_thread(self, service: Running) -> None:
        """A thread would be missing in a forked child, and is no thread under gevent."""
        before = {*threading.enumerate()}
        with self.made(service.place):
            mine = [each for each in threading.enumerate() if each not in before]
        theirs = [each for each in mine if not each.name.startswith(("SmtpServer", "HttpServer"))]
        assert not theirs, f"build() starts {[each.name for each in theirs]}"

    def test_is_configured_does_no_io(self, sender: DeliveringSender, service: Running) -> None:
        """`is_configured` looks at the settings and nothing else."""
        seen = self.seen(sender.is_configured)
        assert not seen, f"is_configured() asks the system for {seen}: checking is what check_connection() is for"
        assert service.connections() == 0

    def test_is_configured_says_yes(self, sender: DeliveringSender) -> None:
        """With complete settings it is True, and nothing else that counts as true."""
        assert sender.is_configured() is True

    def test_closing_an_unused_sender_does_nothing(self, service: Running) -> None:
        """Nothing was opened, so nothing is said to the service."""
        self.made(service.place).close()
        assert service.connections() == 0

    def test_two_senders_are_two(self, service: Running) -> None:
        """Two senders in a process do not share their settings, as clients with global keys do."""
        with self.made(service.place) as one, self.made(service.place) as other:
            assert one is not other
            assert getattr(one, "transport", one) is not getattr(other, "transport", other)

    def test_the_sender_has_the_providers_name(self, sender: DeliveringSender) -> None:
        """Logs and errors name it."""
        assert sender.provider == self.provider
