"""One token for many threads, kept while it is good."""

import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from postroom import (
    MailAuthError,
    MailConnectionError,
    MailRateLimitError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
)
from postroom_smtp_oauth2 import CachedTokenSource, Token, TokenSource

HOUR = 3600.0


class Service:
    """Gives tokens that are good for an hour, or raises `error`; its clock is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.count = 0
        self.error: BaseException | None = None
        self.source = CachedTokenSource(self.fetch, lambda: self.now)

    def fetch(self) -> Token:
        self.count += 1
        if self.error is not None:
            raise self.error
        return Token(f"token {self.count}", self.now + HOUR)


@pytest.fixture
def service() -> Service:
    return Service()


PASSING: dict[str, Callable[[], MailSendError]] = {
    "5xx": lambda: MailUnavailableError("no", transient=True),
    "5xx with a wait": lambda: MailUnavailableError("no", transient=True, retry_after=60),
    "429": lambda: MailRateLimitError("no", transient=True, retry_after=60),
    "network": lambda: MailConnectionError("no", transient=True),
    "time-out": lambda: MailTimeoutError("no", transient=True),
}


def test_it_is_a_token_source(service: Service) -> None:
    """As is whatever has the method."""
    assert isinstance(service.source, TokenSource)


def test_a_token_is_kept_until_five_minutes_before_its_end(service: Service) -> None:
    """So none ends on its way to the server."""
    assert service.source.token().value == "token 1"
    service.now += HOUR - 301
    assert service.source.token().value == "token 1"
    service.now += 1
    assert service.source.token().value == "token 2"


@pytest.mark.parametrize("kind", PASSING)
def test_a_good_token_serves_while_a_new_one_cannot_be_had(
    service: Service, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Until its very end, and somebody is told."""
    service.source.token()
    service.error = PASSING[kind]()
    service.now += HOUR - 299
    assert service.source.token().value == "token 1"
    assert [(record.name, record.levelno) for record in caplog.records] == [("postroom.smtp.tokens", logging.WARNING)]
    service.now += 298.5
    assert service.source.token().value == "token 1"
    service.now += 1
    with pytest.raises(type(service.error)):
        service.source.token()


def test_while_a_good_token_serves_the_service_is_asked_every_half_minute(service: Service) -> None:
    """Not at each message."""
    service.source.token()
    service.error = PASSING["network"]()
    service.now += HOUR - 299
    for _ in range(10):
        service.source.token()
    assert service.count == 2
    service.now += 31
    service.source.token()
    assert service.count == 3
    service.error = None
    service.now += 31
    assert service.source.token().value == "token 4"


@pytest.mark.parametrize("wait", [60.0, 2.0])
def test_the_service_is_not_asked_before_the_time_that_it_named(service: Service, wait: float) -> None:
    """With or without a token to fall back on."""
    service.error = MailRateLimitError("no", transient=True, retry_after=wait)
    for _ in range(5):
        with pytest.raises(MailRateLimitError):
            service.source.token()
    service.now += wait - 0.5
    with pytest.raises(MailRateLimitError):
        service.source.token()
    assert service.count == 1
    service.now += 1
    service.error = None
    assert service.source.token().value == "token 2"


def test_a_forced_refresh_also_waits_for_the_time_that_was_named(service: Service) -> None:
    """A refused token is no reason to ask a service that is throttling."""
    service.source.token()
    service.error = PASSING["429"]()
    for _ in range(3):
        with pytest.raises(MailRateLimitError):
            service.source.token(force_refresh=True)
    assert service.count == 2


def test_a_refusal_for_good_is_raised_although_the_token_is_good(service: Service) -> None:
    """Whose secret has ended has to learn it before the last token ends, too."""
    service.source.token()
    service.error = MailAuthError("no")
    service.now += HOUR - 299
    with pytest.raises(MailAuthError):
        service.source.token()


@pytest.mark.parametrize("kind", PASSING)
def test_a_forced_refresh_that_fails_does_not_return_the_refused_token(service: Service, kind: str) -> None:
    """It would be refused again."""
    service.source.token()
    service.error = PASSING[kind]()
    with pytest.raises(type(service.error)):
        service.source.token(force_refresh=True)


def test_a_forced_refresh_replaces_a_good_token(service: Service) -> None:
    """And the new one is kept."""
    service.source.token()
    assert service.source.token(force_refresh=True).value == "token 2"
    assert service.source.token().value == "token 2"


def waiting(source: CachedTokenSource, fetched: threading.Event, count: int) -> list[str | MailSendError]:
    """Let `count` threads ask at once, and the fetch return while they wait; return what each got."""

    def ask(_: int) -> str | MailSendError:
        try:
            return source.token().value
        except MailSendError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(ask, number) for number in range(count)]
        time.sleep(0.1)
        fetched.set()
        return [answer.result(10) for answer in answers]


def test_threads_share_one_request() -> None:
    """One asks, sixteen get its token."""
    fetched, count = threading.Event(), []

    def fetch() -> Token:
        count.append(1)
        fetched.wait(10)
        return Token("shared", time.time() + HOUR)

    assert waiting(CachedTokenSource(fetch), fetched, 16) == ["shared"] * 16
    assert len(count) == 1


def test_threads_share_one_failure_and_each_has_its_own_error() -> None:
    """An exception that two threads raise would gather both their tracebacks."""
    fetched, count = threading.Event(), []

    def fetch() -> Token:
        count.append(1)
        fetched.wait(10)
        raise MailUnavailableError("no", transient=True, retry_after=60)

    errors = waiting(CachedTokenSource(fetch), fetched, 8)
    assert len({id(error) for error in errors}) == 8
    assert {type(error) for error in errors} == {MailUnavailableError}
    assert len(count) == 1


def test_an_interrupted_request_leaves_the_source_usable(service: Service) -> None:
    """Ctrl-C during a request is raised, and the next caller asks anew."""
    service.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        service.source.token()
    service.error = None
    assert service.source.token().value == "token 2"


def test_a_foreign_exception_of_the_function_comes_through(service: Service) -> None:
    """And nothing waits for ever."""
    service.error = KeyError("bug")
    for _ in range(2):
        with pytest.raises(KeyError):
            service.source.token()


def test_neither_source_nor_token_show_the_value(service: Service) -> None:
    """In no repr; and a source refuses to be pickled."""
    token = service.source.token()
    assert "token 1" not in repr(token) + repr(service.source)
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(service.source)


FORK = """
import os, threading
from postroom_smtp_oauth2 import CachedTokenSource, Token

parent, asked, answer = os.getpid(), threading.Event(), threading.Event()

def fetch():
    if os.getpid() == parent:
        asked.set()
        answer.wait(30)
    return Token(str(os.getpid()), 9e9)

source = CachedTokenSource(fetch)
thread = threading.Thread(target=source.token)
thread.start()
asked.wait(30)
child = os.fork()
if child == 0:
    os._exit(0 if source.token().value == str(os.getpid()) else 1)
_, status = os.waitpid(child, 0)
answer.set()
thread.join()
assert source.token().value == str(parent)
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_wait_for_its_parent() -> None:
    """A child that is forked while a request is under way asks for a token of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
