"""The transport: how many connections it has at a time."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from postroom import (
    MailConnectionError,
    MailMessage,
    MailSenderFactory,
    MailTimeoutError,
    Outcome,
    Provider,
    ProviderRegistry,
)
from postroom_smtp import microsoft
from postroom_smtp.rules import RULES
from postroom_smtp.sender import SmtpSender
from postroom_smtp.session import Session
from postroom_smtp.settings import SmtpSettings
from smtp_servers import RealServer

MESSAGE = MailMessage("grace@example.com", "Hello", "<p>Hello</p>", "ada@example.com")


class Counter:
    """A login that notes how many sessions are open at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __call__(self, session: Session) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize(("limit", "seen"), [(3, range(3, 4)), (None, range(4, 13))])
def test_no_more_connections_than_the_limit_are_open(limit: int | None, seen: range) -> None:
    """Twelve threads share three connections where that is the limit, and every message arrives."""
    counter = Counter()
    with RealServer() as server, ThreadPoolExecutor(12) as threads:
        sender = SmtpSender(SmtpSettings(server=server.host, port=server.port), "smtp", counter, limit)
        receipts = list(threads.map(lambda _: sender.deliver(MESSAGE), range(24)))
        assert len(receipts) == len(server.messages) == 24
    assert counter.most in seen


def test_a_turn_that_does_not_come_is_a_time_out() -> None:
    """A message waits for a connection within its deadline, and is then not sent."""
    entered, leave = threading.Event(), threading.Event()

    def hold(session: Session) -> None:
        entered.set()
        leave.wait(10)

    with RealServer() as server, ThreadPoolExecutor(1) as threads:
        sender = SmtpSender(SmtpSettings(server=server.host, port=server.port, deadline=0.3), "smtp", hold, 1)
        first = threads.submit(sender.check_connection)
        assert entered.wait(10)
        with pytest.raises(MailTimeoutError, match="none of 1 connections") as caught:
            sender.deliver(MESSAGE)
        assert (caught.value.outcome, caught.value.transient) == (Outcome.NOT_SENT, True)
        assert server.messages == []
        leave.set()
        first.exception(10)


@pytest.mark.parametrize(
    ("server", "limit"), [("smtp.office365.com", 3), ("SMTP.Office365.com.", 3), ("a.example", None)]
)
def test_exchange_online_takes_three_connections(server: str, limit: int | None) -> None:
    """The limit of a mailbox is known for Microsoft's hosts, and for no other."""
    assert microsoft.connections(server) == limit


def test_errors_name_the_variables_of_a_provider_with_another_prefix() -> None:
    """An SMTP provider by somebody else, whose variables begin differently, sends an operator to its own ones."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    registry = ProviderRegistry()
    registry.add(Provider("pigeon", SmtpSettings, lambda settings: SmtpSender(settings, "pigeon"), rules=RULES))
    config = {"server": "127.0.0.1", "port": port}
    outgoing = MailMessage("grace@example.com", "Hello", "x", "ada@example.com")
    sender = MailSenderFactory.create_sender("pigeon", config, registry=registry)
    with pytest.raises(MailConnectionError) as caught:
        sender.deliver(outgoing)
    (result,) = sender.deliver_many([outgoing])
    with pytest.raises(MailConnectionError) as checked:
        sender.check_connection()
    with pytest.raises(MailConnectionError) as probed:
        list(sender.probe())
    for error in (caught.value, result, checked.value, probed.value):
        assert isinstance(error, MailConnectionError)
        assert (error.remedy or "").startswith(
            "Check PIGEON_SERVER and PIGEON_PORT, and that no firewall is in between"
        )
