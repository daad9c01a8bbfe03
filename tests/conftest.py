"""Fixtures of all tests."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import hypothesis
import pytest

from postroom_testing import Certificates
from smtp_servers import RealServer

_OURS = ("MAIL_", "SMTP_", "RESEND_", "SENDGRID_", "CONSOLE_", "MEMORY_")

# An example that takes long on a busy machine is no failure.
hypothesis.settings.register_profile("postroom", deadline=None)
hypothesis.settings.register_profile("few", deadline=None, max_examples=15)
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
def ca(certificates: Certificates) -> Certificates:
    """The certificates of this run; `ca.good` is a server's context, `ca.ca_file` what a client trusts."""
    return certificates


@pytest.fixture
def real_server() -> Iterator[Callable[..., RealServer]]:
    """Start a `RealServer` with the arguments of its constructor; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(RealServer(**options))
