"""Fixtures of all tests."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import pytest

from certificates import Certificates
from http_servers import HttpServer
from smtp_servers import RealServer, ScriptedServer

_OURS = ("MAIL_", "SMTP_", "RESEND_", "SENDGRID_")

# An example that takes long on a busy machine is no failure.
hypothesis.settings.register_profile("postroom", deadline=None)
hypothesis.settings.load_profile("postroom")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, one line for each reason."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"left out {count} tests: {reason.removeprefix('Skipped: ')}")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own mail settings out of every test."""
    for name in list(os.environ):
        if name.upper().startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of this run; `ca.good` is a server's context, `ca.ca_file` what a client trusts."""
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def real_server() -> Iterator[Callable[..., RealServer]]:
    """Start a `RealServer` with the arguments of its constructor; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(RealServer(**options))


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Start a `ScriptedServer` with the arguments of its constructor; it ends with the test."""
    with ExitStack() as stack:

        def start(*script: Any, **options: Any) -> ScriptedServer:
            return stack.enter_context(ScriptedServer(*script, **options))

        yield start


@pytest.fixture
def http_server() -> Iterator[Callable[..., HttpServer]]:
    """Start an `HttpServer` with the arguments of its constructor; it ends with the test."""
    with ExitStack() as stack:

        def start(*script: Any, **options: Any) -> HttpServer:
            return stack.enter_context(HttpServer(*script, **options))

        yield start
