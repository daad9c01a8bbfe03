"""A DNS server on loopback: it answers from a zone, or not at all. RFC 1035, over UDP."""

import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[str, Mapping[str, list[str]]]
"""Records as in a zone file, by name and type: `{"acme.internal": {"MX": ["10 mx.acme.internal."]}}`."""


class DnsServer:
    """Serves a zone from a thread until the `with` block ends. A name that the zone does not have is NXDOMAIN.

    Args:
        zone: What there is.
        silent: Names that get no answer.
        failing: Names that get SERVFAIL.
    """

    def __init__(self, zone: Zone, *, silent: Iterable[str] = (), failing: Iterable[str] = ()) -> None:
        self._zone = zone
        self._silent = set(silent)
        self._failing = set(failing)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve)
        self._stopped = threading.Event()
        self.questions: list[tuple[str, str]] = []
        """Name and type of each question, in order."""

    @property
    def address(self) -> str:
        """What `--nameserver` takes."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        """Start."""
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.02)  # seconds, and so the longest that stopping takes
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and wait until the thread has ended."""
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                data, client = self._socket.recvfrom(4096)
                question = dns.message.from_wire(data)
            except (TimeoutError, dns.exception.DNSException):
                continue
            answer = self._answer(question)
            if answer is not None:
                self._socket.sendto(answer.to_wire(), client)

    def _answer(self, question: dns.message.Message) -> dns.message.Message | None:
        asked = question.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        self.questions.append((name, kind))
        if name in self._silent:
            return None
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        if name in self._failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self._zone:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self._zone[name].get(kind):
            answer.answer.append(dns.rrset.from_text_list(asked.name, 60, "IN", kind, records))
        return answer
