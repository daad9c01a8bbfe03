"""Fixtures of all tests."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import hypothesis
import pytest
import trustme

import mail_stack
import oauth_servers
from mail_stack import MailStack
from oauth_servers import OAuthServer, need
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


@pytest.fixture(scope="session")
def application() -> trustme.LeafCert:
    """Return the application's certificate."""
    return trustme.CA().issue_cert("application.example.org", key_type=trustme.KeyType.RSA)


@pytest.fixture(scope="session")
def running_oauth(ca: Certificates, application: trustme.LeafCert) -> Iterator[OAuthServer]:
    """Run one server for all tests."""
    need(oauth_servers.missing_parts())
    certificate = application.cert_chain_pems[0].bytes()
    with OAuthServer(ca, certificate=certificate, federated_token="a.federated.token") as server:
        yield server


@pytest.fixture
def oauth(running_oauth: OAuthServer) -> OAuthServer:
    """Return the server without the faults, counts and token sizes of the test before."""
    running_oauth.recover()
    return running_oauth


@pytest.fixture(scope="session")
def running_mail(ca: Certificates, running_oauth: OAuthServer) -> Iterator[MailStack]:
    """Run Postfix and Dovecot once for all tests."""
    need(mail_stack.missing_parts())
    with MailStack(ca, running_oauth) as stack:
        yield stack


@pytest.fixture
def mail(running_mail: MailStack, oauth: OAuthServer) -> MailStack:
    """Return Postfix and Dovecot without the messages of the test before."""
    running_mail.clear()
    return running_mail
