"""A service with an HTTP API: what it answers, and what it has got."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import attrs

from postroom_testing import http
from postroom_testing.contract.arrived import Arrived
from postroom_testing.contract.cases import Case
from postroom_testing.contract.services import Place

_NO_JSON = http.Reply(200, "<html>It works!</html>")


@attrs.frozen
class HttpService:
    """A service with an HTTP API, and its answers.

    Args:
        arrived: Returns the messages that a request brings; an empty list if it brings none, as a request that only
            checks the key.
        accepted: The answer to a message that is taken; or a function of the request, where one request brings many.
        rejected: The answer to one that is not, now or later.
        unauthorized: The answer to a wrong key.
        throttled: The answer to too much.
        unavailable: The answer of a service that is down.
        checked: The answer to any request that brings no message.
    """

    arrived: Callable[[http.Request], Iterable[Arrived]]
    accepted: http.Reply | Callable[[http.Request], http.Reply]
    rejected: http.Reply
    unauthorized: http.Reply
    throttled: http.Reply = attrs.field(factory=lambda: http.Reply(429, {}, {"Retry-After": "7"}))
    unavailable: http.Reply = attrs.field(factory=lambda: http.Reply(503, {}))
    checked: http.Reply = attrs.field(factory=lambda: http.Reply(200, {}))

    @property
    def cases(self) -> Collection[Case]:
        """All."""
        return tuple(Case)

    @property
    def retry_after(self) -> float | None:
        """What the header Retry-After of `throttled` says."""
        seconds = self.throttled.headers.get("Retry-After")
        return None if seconds is None else float(seconds)

    @contextlib.contextmanager
    def start(self) -> Iterator["RunningHttp"]:
        """Run it."""
        running = RunningHttp(self)
        with running.server:
            yield running

    def step(self, case: Case, request: http.Request) -> http.Step:
        """Return what it does with a request in a case."""
        if case in (Case.ACCEPTED, Case.TWICE):
            if not [*self.arrived(request)]:
                return self.checked
            accepted = self.accepted(request) if callable(self.accepted) else self.accepted
            return http.Surplus(accepted, accepted) if case is Case.TWICE else accepted
        steps: Mapping[Case, http.Step] = {
            Case.REJECTED: self.rejected,
            Case.UNAUTHORIZED: self.unauthorized,
            Case.THROTTLED: self.throttled,
            Case.UNAVAILABLE: self.unavailable,
            Case.LOST: http.Reset(),
            Case.SILENT: http.Silence(),
            Case.DRIPPING: http.Drip(http.Reply(500, b" " * 10_000), 0.02),
            Case.SLOW_HEAD: http.Drip(http.Reply(500, b"", {"X-Slow": "x" * 10_000}), 0.02, head=True),
            Case.HINTED: http.Interim(self.rejected),
            Case.GARBLED: _NO_JSON,
        }
        return steps[case]


class RunningHttp:
    """An `HttpService` that runs."""

    def __init__(self, service: HttpService) -> None:
        self._service = service
        self._case = Case.ACCEPTED
        self.server = http.HttpServer(answer=self._answer)

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.server.host, self.server.port, self.server.url)

    def play(self, case: Case) -> None:
        """Do so with every request from now on that brings a message, or whose key is looked at."""
        if self._case is Case.TWICE and [*self.arrived()]:
            self.server.wait_for_surplus()
        self._case = case

    def arrived(self) -> list[Arrived]:
        """Return the messages that it has got, taken or not."""
        return [each for request in [*self.server.requests] for each in self._service.arrived(request)]

    def connections(self) -> int:
        """Return how many connections were made to it."""
        return self.server.connections

    def _answer(self, request: http.Request) -> http.Step:
        return self._service.step(self._case, request)
