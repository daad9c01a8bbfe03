"""Fixtures of the tests of `smtp-oauth2`: the servers, variables that lead to them, and what every error must pass."""

import base64
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from mail_stack import MAILBOX
from oauth_servers import CLIENT_ID, CLIENT_SECRET, TENANT, OAuthServer
from postroom import DeliveringSender, MailError, MailMessage, MailSenderFactory
from postroom_testing import Certificates
from postroom_testing.smtp import SmtpServer


@pytest.fixture
def smtp(smtp_server: Callable[..., SmtpServer], ca: Certificates) -> SmtpServer:
    """Return a server that takes every token, for tests that are not about SMTP."""
    return smtp_server(tls=ca.good, extensions=(), extensions_in_tls=("AUTH LOGIN XOAUTH2",))


@pytest.fixture
def environ(oauth: OAuthServer, smtp: SmtpServer) -> dict[str, str]:
    """Return Dify's variables, which lead to `smtp`. From the authority on they are due to the test."""
    return {
        "MAIL_TYPE": "smtp",
        "SMTP_AUTH_TYPE": "oauth2",
        "SMTP_OAUTH2_PROVIDER": "microsoft",
        "SMTP_SERVER": smtp.host,
        "SMTP_PORT": str(smtp.port),
        "SMTP_USERNAME": MAILBOX,
        "SMTP_USE_TLS": "true",
        "SMTP_CLIENT_ID": CLIENT_ID,
        "SMTP_CLIENT_SECRET": CLIENT_SECRET,
        "SMTP_TENANT_ID": TENANT,
        "SMTP_OAUTH2_AUTHORITY": oauth.url,
        "SMTP_OAUTH2_CA_FILE": oauth.ca_file,
        "SMTP_CA_FILE": oauth.ca_file,
        "SMTP_TLS_MODE": "starttls",
        "SMTP_POOL_IDLE": "0",  # so that every message logs in
        "MAIL_DEFAULT_SEND_FROM": MAILBOX,
    }


@pytest.fixture
def make(environ: dict[str, str]) -> Callable[..., DeliveringSender]:
    """Make a sender from the variables, with changes on top; None takes a variable out."""

    def build(**changes: str | None) -> DeliveringSender:
        variables = {name: value for name, value in {**environ, **changes}.items() if value is not None}
        made = MailSenderFactory.create_from_dify_config(None, environ=variables)
        assert made is not None
        return made

    return build


@pytest.fixture
def failure(oauth: OAuthServer) -> Callable[[DeliveringSender], Any]:
    """Deliver, which must fail, and return the error after the checks that every error must pass."""

    def deliver(sender: DeliveringSender) -> MailError:
        with pytest.raises(MailError) as caught:
            sender.deliver(MailMessage("one@example.com", "Hello", text="Hello, Ada."))
        error = caught.value
        text, dumped = str(error), pickle.dumps(error)
        assert text.isprintable(), f"not one printable line: {text!r}"
        assert len(text) < 1500
        assert vars(pickle.loads(dumped)) == vars(error)
        shown = [repr(vars(error)), dumped.decode("utf-8", "replace")]
        link: BaseException | None = error
        while link is not None:
            shown += [str(link), repr(link)]
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        for secret in (CLIENT_SECRET, *oauth.issued):
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                assert not [said for said in shown if form in said]
        return error

    return deliver
