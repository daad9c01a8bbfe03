"""Fixtures of the tests of `resend`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postroom import DeliveringSender, MailSenderFactory
from postroom_testing.http import HttpServer


@pytest.fixture
def resend() -> Iterator[Callable[..., DeliveringSender]]:
    """Make a sender that talks to an `HttpServer`, with further settings; it ends with the test."""
    with ExitStack() as stack:

        def make(server: HttpServer, **settings: Any) -> DeliveringSender:
            config = {
                "api_key": "re_hunter2",
                "api_url": server.url,
                "default_from": "Ada <ada@example.com>",
                "timeout": 10,
                **settings,
            }
            return stack.enter_context(MailSenderFactory.create_sender("resend", config))

        yield make
