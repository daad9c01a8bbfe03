"""Dify's processes: gunicorn and Celery, with gevent and prefork, over a real Redis to a real SMTP server."""

import base64
import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from background import PATIENCE, Program
from dify_miniature import Dify
from postroom_testing.smtp import Silence, SmtpServer
from redis_server import RedisServer
from smtp_servers import RealServer

COUNT = 500
CODES = [f"code-{number}" for number in range(COUNT)]


def variables(server: RealServer | SmtpServer, **more: str) -> dict[str, str]:
    """Return Dify's variables that lead to a server."""
    return {
        "MAIL_TYPE": "smtp",
        "MAIL_DEFAULT_SEND_FROM": "no-reply@example.com",
        "SMTP_SERVER": server.host,
        "SMTP_PORT": str(server.port),
        **more,
    }


def arrived(server: RealServer) -> Counter[str]:
    """Return how often each code has arrived."""
    found = (re.search(rb"^Subject: (\S+)\r$", message.content, re.MULTILINE) for message in server.messages)
    return Counter(match[1].decode() for match in found if match is not None)


def writers(server: RealServer) -> dict[int, set[bytes]]:
    """Return for each connection which processes have written to it."""
    seen: dict[int, set[bytes]] = defaultdict(set)
    for message in server.messages:
        written = re.search(rb"by process (\d+)", message.content)
        assert written is not None
        seen[message.client_port].add(written[1])
    return seen


def wait_until(done: Callable[[], bool], what: Callable[[], object]) -> None:
    """Wait until something is so; `what` tells how far it has come if it does not get there."""
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, what()
        time.sleep(0.02)


def post(api: Program, path: str, codes: list[str]) -> None:
    """Let ten clients post the codes."""
    base = api.wait_for(r"Listening at: (http://\S+)")[1]

    def one(code: str) -> None:
        form = urllib.parse.urlencode({"to": "grace@example.com", "code": code}).encode()
        with urllib.request.urlopen(f"{base}/{path}", form, timeout=PATIENCE) as response:
            assert response.status == 200

    with ThreadPoolExecutor(10) as clients:
        list(clients.map(one, codes))


def assert_all_arrived_once(server: RealServer, processes: int) -> None:
    """Compare what has arrived with what was sent, and whose connections it came over."""
    assert arrived(server) == Counter(CODES)
    shared = {port: pids for port, pids in writers(server).items() if len(pids) > 1}
    assert not shared
    assert len(set().union(*writers(server).values())) >= processes


@pytest.mark.parametrize("pipelining", [False, True])
def test_requests_to_gunicorn_with_gevent_send_each_mail_once(
    dify: Callable[..., Dify], real_server: Callable[..., RealServer], pipelining: bool
) -> None:
    """500 mails, sent by 10 requests at a time in two gevent workers, arrive once each, over their own connections."""
    server = real_server(pipelining=pipelining)
    with dify(**variables(server)).api(2) as api:
        post(api, "mails", CODES)
        api.end()
        assert "Traceback" not in api.output
    assert_all_arrived_once(server, 2)


@pytest.mark.parametrize(
    ("pool", "concurrency", "processes"), [("gevent", 10, 1), ("prefork", 4, 4)], ids=["gevent", "prefork"]
)
def test_a_celery_worker_sends_each_mail_once(
    dify: Callable[..., Dify],
    redis: RedisServer,
    real_server: Callable[..., RealServer],
    pool: str,
    concurrency: int,
    processes: int,
) -> None:
    """500 mails, queued by requests, arrive once each, from 10 greenlets or from 4 processes that are replaced."""
    server = real_server(pipelining=True)
    made = dify(**variables(server, CELERY_BROKER_URL=redis.url))
    options = ("--prefetch-multiplier", "1", *(["--max-tasks-per-child", "50"] if pool == "prefork" else []))
    with made.worker(pool, concurrency, *options) as worker, made.api(1) as api:
        worker.wait_for(r"ready\.")
        post(api, "codes", CODES)
        wait_until(lambda: len(server.messages) >= COUNT, lambda: (len(server.messages), worker.output))
        worker.end()  # whatever it still does is done then
        assert "failed" not in worker.output
    assert_all_arrived_once(server, processes)


def test_a_server_that_hangs_holds_a_slot_until_the_deadline(
    dify: Callable[..., Dify], redis: RedisServer, smtp_server: Callable[..., SmtpServer]
) -> None:
    """The only slot of a worker is free again for the next mail, and the log says what became of the first."""
    server = smtp_server({"greeting": [Silence()]})
    made = dify(**variables(server, CELERY_BROKER_URL=redis.url, SMTP_DEADLINE="1.5"))
    with made.worker("gevent", 1) as worker, made.api(1) as api:
        worker.wait_for(r"ready\.")
        post(api, "codes", ["first"])
        worker.wait_for(r"postroom\.MailTimeoutError: smtp-basic: .* did not answer in time")
        post(api, "codes", ["second"])
        wait_until(lambda: len(server.taken) > 0, lambda: worker.output)
    assert [b"Subject: second" in body for body in server.taken] == [True]


def unacknowledged(redis: RedisServer) -> set[str]:
    """Return the codes that Celery has in its queue, or has given to a worker that has not acknowledged them."""
    client: Any = redis.client
    waiting = [json.loads(each) for each in client.lrange("mail", 0, -1)]
    waiting += [json.loads(each)[0] for each in client.hvals("unacked")]
    bodies = [json.loads(base64.b64decode(each["body"])) for each in waiting]
    return {keywords["code"] for _, keywords, _ in bodies}


def test_a_killed_worker_loses_nothing_that_was_not_acknowledged(
    dify: Callable[..., Dify], redis: RedisServer, real_server: Callable[..., RealServer]
) -> None:
    """After SIGKILL to a worker with four processes, another one sends all that had not been acknowledged."""
    server = real_server()
    server.takes = 20
    made = dify(**variables(server, CELERY_BROKER_URL=redis.url, CELERY_VISIBILITY_TIMEOUT="2"))
    with made.api(1) as api, made.worker("prefork", 4) as worker:
        post(api, "codes", CODES[:100])
        wait_until(lambda: len(server.messages) >= 20, lambda: worker.output)
        worker.kill()
        left = unacknowledged(redis)
    assert len(left) >= 76  # each process may have acknowledged the one that it is sending
    server.takes = math.inf
    with made.worker("prefork", 4) as successor:
        wait_until(lambda: left <= arrived(server).keys(), lambda: (left - arrived(server).keys(), successor.output))
        successor.end()
    assert not unacknowledged(redis)
    counted = arrived(server)
    # Begun and killed behind Celery's acknowledgement, or before it: at most one mail of each process.
    assert len(set(CODES[:100]) - counted.keys()) <= 4
    assert sum(counted.values()) - len(counted) <= 4
