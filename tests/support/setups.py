"""What a broken set-up is made of: servers that are at hand, and variables that lead to them."""

import functools
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from mail_stack import MAILBOX, MailStack
from oauth_servers import CLIENT_ID, CLIENT_SECRET, TENANT, OAuthServer
from postroom_testing import Certificates, write_distribution
from postroom_testing.http import HttpServer
from postroom_testing.listener import LOOPBACK, Listener
from postroom_testing.smtp import SmtpServer
from smtp_servers import RealServer

Variables = dict[str, str]

USER = "grace@example.com"
PASSWORD = "correct-horse-battery"
RESEND_KEY = "re_abcdefghijklmnop"
SENDGRID_KEY = "SG.abcdefghijklmnop.qrstuvwxyz"
SECRETS = (PASSWORD, RESEND_KEY, SENDGRID_KEY, CLIENT_SECRET)


@attrs.define
class Bench:
    """The servers of a test, started when they are asked for."""

    request: pytest.FixtureRequest
    site: Path
    """A folder on the import path."""

    @property
    def ca(self) -> Certificates:
        """The certificates of this run."""
        found: Certificates = self.request.getfixturevalue("certificates")
        return found

    def scripted(self, script: Any = None, /, *, variables: Any = (), **options: Any) -> Variables:
        """Return variables that lead to a server which follows a script; options are the server's."""
        server: SmtpServer = self.request.getfixturevalue("smtp_server")(script, **options)
        return self._smtp(server.port, "implicit" if server.implicit else "starttls" if server.tls else "none") | dict(
            variables
        )

    def real(self, *, variables: Any = (), **options: Any) -> Variables:
        """Return variables that lead to a real server."""
        server: RealServer = self.request.getfixturevalue("real_server")(**options)
        mode = "none" if "tls" not in options else "implicit" if options.get("implicit") else "starttls"
        return self._smtp(server.port, mode) | dict(variables)

    def port(self, port: int, mode: str = "none") -> Variables:
        """Return variables that lead to a port."""
        return self._smtp(port, mode)

    def http(self, *script: Any, tls: bool = False, **options: Any) -> HttpServer:
        """Start a web server."""
        server: HttpServer = self.request.getfixturevalue("http_server")(
            *script, tls=self.ca.good if tls else None, **options
        )
        return server

    def resend(self, *script: Any, **options: Any) -> Variables:
        """Return variables that lead to an API that answers like Resend's."""
        server = self.http(*script, **options)
        return {
            "MAIL_TYPE": "resend",
            "MAIL_DEFAULT_SEND_FROM": USER,
            "RESEND_API_KEY": RESEND_KEY,
            "RESEND_API_URL": server.url,
        }

    def sendgrid(self, *script: Any, **options: Any) -> Variables:
        """Return variables that lead to an API that answers like SendGrid's."""
        server = self.http(*script, **options)
        return {
            "MAIL_TYPE": "sendgrid",
            "MAIL_DEFAULT_SEND_FROM": USER,
            "SENDGRID_API_KEY": SENDGRID_KEY,
            "SENDGRID_API_URL": server.url,
        }

    @property
    def oauth(self) -> OAuthServer:
        """The identity service."""
        found: OAuthServer = self.request.getfixturevalue("oauth")
        return found

    @property
    def mail(self) -> MailStack:
        """Postfix and Dovecot."""
        found: MailStack = self.request.getfixturevalue("mail")
        return found

    def exchange(self, script: Any = None, /, **variables: str) -> Variables:
        """Return variables that log in with a token: to Postfix, or to a server that follows a script."""
        if script is None:
            port = self.mail.port
        else:
            server: SmtpServer = self.request.getfixturevalue("smtp_server")(
                script, tls=self.ca.good, extensions=(), extensions_in_tls=("AUTH LOGIN XOAUTH2",)
            )
            port = server.port
        return {
            **self._smtp(port, "starttls"),
            "SMTP_AUTH_TYPE": "oauth2",
            "SMTP_USERNAME": MAILBOX,
            "SMTP_CLIENT_ID": CLIENT_ID,
            "SMTP_CLIENT_SECRET": CLIENT_SECRET,
            "SMTP_TENANT_ID": TENANT,
            "SMTP_OAUTH2_AUTHORITY": self.oauth.url,
            "SMTP_OAUTH2_CA_FILE": self.oauth.ca_file,
            "MAIL_DEFAULT_SEND_FROM": MAILBOX,
            **variables,
        }

    def says(self, banner: bytes) -> int:
        """Return a port that takes every connection, says these words, and then nothing."""
        kept: list[socket.socket] = []

        def serve(sock: socket.socket) -> None:
            sock.sendall(banner)
            kept.append(sock)

        listener = Listener(LOOPBACK, serve)
        self.request.addfinalizer(functools.partial(_end, listener, kept))
        return listener.port

    def closed(self) -> int:
        """Return a port that nobody listens on."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            port: int = listener.getsockname()[1]
        return port

    def install(self, name: str, entry: str, source: str) -> None:
        """Install a distribution with one provider."""
        module = f"{name.replace('-', '_')}_plugin"
        write_distribution(self.site, name, {entry: module}, modules={module: source})

    def _smtp(self, port: int, mode: str) -> Variables:
        return {
            "MAIL_TYPE": "smtp",
            "MAIL_DEFAULT_SEND_FROM": USER,
            "SMTP_SERVER": LOOPBACK,
            "SMTP_PORT": str(port),
            "SMTP_USERNAME": USER,
            "SMTP_PASSWORD": PASSWORD,
            "SMTP_LOCAL_HOSTNAME": "localhost",
            "SMTP_CA_FILE": self.ca.ca_file,
            "SMTP_USE_TLS": str(mode != "none").lower(),
            "SMTP_OPPORTUNISTIC_TLS": str(mode == "starttls").lower(),
        }


def _end(listener: Listener, kept: list[socket.socket]) -> None:
    listener.close()
    for sock in kept:
        sock.close()


@attrs.frozen
class Setup:
    """One broken set-up, and what the doctor must say."""

    name: str
    make: Callable[[Bench], Variables]
    """Returns the variables; one that is empty is not set."""
    cause: str
    """Stands in the first line."""
    remedy: str
    """Stands in the last line."""
    exit_code: int = 1
    send_to: str | None = None
    """Whom to send a mail to at the end."""
