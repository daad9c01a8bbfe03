"""Core learns from a transport with an HTTP API when a message leaves, and so what a bug has made of it."""

import contextlib
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from postroom import (
    Leaving,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    Outcome,
    Provider,
    ProviderRegistry,
    Receipt,
    Secret,
    setting,
)
from postroom_http.client import HttpClient
from postroom_http.failures import Lost
from postroom_http.settings import HttpSettings
from postroom_testing.http import Close, HttpServer, Reply

MESSAGE = MailMessage("grace@example.com", "Hello", text="x" * 200_000, from_="ada@example.com")
Serve = Callable[..., HttpServer]
CONFIG: dict[str, dict[str, Any]] = {"resend": {"api_key": "re_1"}, "sendgrid": {"api_key": "SG.1"}}


@attrs.frozen(kw_only=True)
class Settings(HttpSettings):
    """The settings of an API that wants a key."""

    api_key: Secret = attrs.field(default=Secret("key"), metadata=setting("key", secret=True))


class Buggy:
    """A transport that fails before its message leaves, or behind it."""

    def __init__(self, settings: Settings, payload: object) -> None:
        self._client = HttpClient(settings)
        self._payload = payload

    def deliver(self, message: MailMessage, *, leaving: Leaving | None = None) -> Receipt:
        """Send, and fail."""
        assert leaving is not None
        self._client.post("/", self._payload, if_lost=Lost("Look"), leaving=lambda: leaving(message))
        raise KeyError("id")

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@pytest.mark.parametrize(
    ("payload", "outcome"), [(object(), Outcome.NOT_SENT), ({"to": "a"}, Outcome.UNKNOWN)], ids=["before", "behind"]
)
def test_a_bug_before_a_message_leaves_is_not_unknown(http_server: Serve, payload: object, outcome: Outcome) -> None:
    """A payload that is no JSON was never sent; an answer that cannot be read may be to a mail that was."""
    server = http_server(Reply(200))
    registry = ProviderRegistry()
    registry.add(Provider("buggy", Settings, lambda settings: Buggy(settings, payload)))
    sender = MailSenderFactory.create_sender("buggy", {"api_url": server.url}, registry=registry)
    with sender, pytest.raises(MailSendError) as caught:
        sender.deliver(MESSAGE)
    assert caught.value.outcome is outcome
    assert len(server.requests) == (outcome is Outcome.UNKNOWN)


@pytest.mark.parametrize("name", CONFIG)
def test_a_message_leaves_once_and_before_the_service_has_it(http_server: Serve, name: str) -> None:
    """When it is told, the service has not got the last octet."""
    server = http_server(Reply(202, {"id": "1"}) if name == "sendgrid" else Reply(200, {"id": "1"}))
    told: list[tuple[MailMessage, int]] = []
    with MailSenderFactory.create_sender(name, {**CONFIG[name], "api_url": server.url}) as sender:
        transport: Any = sender.transport  # type: ignore[attr-defined]
        transport.deliver(MESSAGE, leaving=lambda message: told.append((message, len(server.requests))))
    assert told == [(MESSAGE, 0)]
    assert len(server.requests) == 1


def test_each_message_of_a_batch_leaves_once(http_server: Serve) -> None:
    """Even if the batch is sent a second time, since its answer was lost."""
    server = http_server(Close(), Reply(200, {"data": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}))
    told: list[MailMessage] = []
    messages = [attrs.evolve(MESSAGE, text="x") for _ in range(3)]
    with MailSenderFactory.create_sender("resend", {**CONFIG["resend"], "api_url": server.url}) as sender:
        transport: Any = sender.transport  # type: ignore[attr-defined]
        with contextlib.closing(transport.deliver_many(messages, leaving=told.append)) as results:
            assert [type(result) for result in results] == [Receipt] * 3
    assert told == messages
    assert len(server.requests) == 2
