"""Exceptions that come at any moment of a request: in our code, and in what requests is made of."""

import contextlib
import http.client
import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
import requests
import urllib3

import postroom
import postroom_http
import postroom_resend
from interruptions import Interrupted, Interruption, Killed, folders, outcome_of, points
from postroom import (
    DeliveringSender,
    MailError,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Receipt,
    Secret,
)
from postroom_http.client import HttpClient
from postroom_http.failures import Lost
from postroom_resend.settings import ResendSettings
from postroom_testing.http import HttpServer, Reply, Request

OURS = folders(postroom, postroom_http, postroom_resend)
THEIRS = folders(requests, urllib3, http)
LOCKS = tuple(str(each.__file__) for each in (queue, threading))  # with which urllib3 guards its connections
POINTS = 150  # at which a send is interrupted, spread over all of its lines
FILLING = "x" * 150_000  # so that a request leaves in several pieces


def answer(request: Request) -> Reply:
    """Accept, or refuse what asks for it."""
    if b"refuse this" in request.body:
        return Reply(422, {"statusCode": 422, "name": "validation_error", "message": "no"})
    data = request.json()
    if isinstance(data, list):
        return Reply(200, {"data": [{"id": str(number)} for number, _ in enumerate(data)]})
    return Reply(200, {"id": "1"})


def numbered(first: int, count: int) -> list[MailMessage]:
    """Return messages that are told apart by their text."""
    return [
        MailMessage("ada@example.com", "Hello", text=f"number {number}; {FILLING}", from_="me@example.com")
        for number in range(first, first + count)
    ]


def send_one(made: DeliveringSender, mails: Sequence[MailMessage]) -> Iterator[Receipt | MailError]:
    """Deliver one after the other."""
    for mail in mails:
        try:
            yield made.deliver(mail)
        except MailError as error:
            yield error


def send_many(made: DeliveringSender, mails: Sequence[MailMessage]) -> Iterator[Receipt | MailError]:
    """Deliver all by one call."""
    return made.deliver_many(mails)


WAYS: dict[str, tuple[Callable[..., Iterator[Receipt | MailError]], int]] = {
    "deliver": (send_one, 1),
    "deliver_many": (send_many, 3),
}


# What was interrupted while it was made cannot be closed, in the standard library and here: Python says so and goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [Interrupted, Killed])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("packages", [OURS, THEIRS, LOCKS], ids=["ours", "theirs", "locks"])
def test_an_exception_at_any_line_leaves_true_verdicts_and_a_sender_that_sends(
    packages: tuple[str, ...], way: str, kind: type[BaseException]
) -> None:
    """No verdict is false, nothing arrives twice, and the next message gets its own answer without waiting."""
    send, count = WAYS[way]
    verdicts: dict[int, Outcome] = {}
    with HttpServer(answer=answer) as server:

        @contextlib.contextmanager
        def sender() -> Iterator[DeliveringSender]:
            settings = {"api_key": "re_123", "api_url": server.url, "timeout": 20.0, "deadline": 20.0}
            with MailSenderFactory.create_sender("resend", settings) as made:
                yield made

        with sender() as made, Interruption(0, kind, packages) as whole:
            list(send(made, numbered(0, count)))
        most = whole.lines if packages is LOCKS else POINTS
        for first, at in zip(range(1000, 10**9, 1000), points(whole.lines, most), strict=False):
            with sender() as made:
                if at % 2:
                    made.deliver(numbered(first + 900, 1)[0])  # so that half of them begin with a kept connection
                found: list[Receipt | MailError] = []
                with contextlib.suppress(kind), Interruption(at, kind, packages):
                    for result in send(made, numbered(first, count)):
                        found.append(result)  # noqa: PERF402  what has come counts, whatever comes then
                verdicts |= {first + number: outcome_of(result) for number, result in enumerate(found)}
                with pytest.raises(MailSendError) as refused:
                    made.deliver(MailMessage("a@example.com", "Hi", text="refuse this", from_="me@example.com"))
                assert refused.value.code == 422
                assert outcome_of(made.deliver(numbered(first + 500, 1)[0])) is Outcome.ACCEPTED
    bodies = b"".join(request.body for request in server.requests)
    have = [int(each) for each in re.findall(rb"number (\d+);", bodies)]
    assert len(have) == len({*have}), "something arrived twice"
    assert kind is Killed or len({*verdicts.values()}) > 1
    for number, outcome in verdicts.items():
        assert outcome is Outcome.UNKNOWN or (outcome is Outcome.ACCEPTED) == (number in have), f"{number}: {outcome}"


def test_after_an_exception_from_outside_no_connection_is_used_again() -> None:
    """Nobody knows what state any of them is in, so the next request has a new session."""
    lost = Lost("Look for it")

    def settings(url: str) -> ResendSettings:
        return ResendSettings(api_key=Secret("re_1"), api_url=url)

    def kill() -> None:
        raise Killed

    with HttpServer() as server, contextlib.closing(HttpClient(settings(server.url))) as made:
        made.get("/")
        (before,) = made._sessions.values()
        with pytest.raises(Killed):
            made.post("/", {}, if_lost=lost, leaving=kill)
        assert made._sessions == {}
        assert made.post("/", {}, if_lost=lost).status == 200
        assert before not in made._sessions.values()
