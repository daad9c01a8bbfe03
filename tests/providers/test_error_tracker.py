"""What an error tracker gets: the real Sentry SDK with its defaults sends the local variables of every frame along."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from postroom_testing.contract.base import secret_in
from postroom_testing.http import HttpServer, Reply, Reset
from postroom_testing.smtp import SmtpServer, Stall

SECRET = "Xq8~not-a-real-secret.R7v_kPz2Lw"
PROXY = "pr0xy-p4ssw0rd-of-nobody"
BODY = "Your code to log in is 4711-0815-2342"

# The application reads everything from the environment, and keeps none of it in a variable of its own.
APPLICATION = """
import json, os, sys
import sentry_sdk
from sentry_sdk.transport import Transport
from postroom import MailMessage, MailSenderFactory

class Kept(Transport):
    def capture_envelope(self, envelope):
        event = envelope.get_event()
        if event is not None:
            print(json.dumps(event), flush=True)

sentry_sdk.init("http://key@127.0.0.1:1/1", transport=Kept)

def send():
    with MailSenderFactory.create_from_dify_config(None) as sender:
        sender.send(MailMessage("ada@example.com", "Hello", text=os.environ["BODY"] * 200_000, from_="me@example.com"))

def look():
    with MailSenderFactory.create_from_dify_config(None) as sender:
        list(sender.probe())

try:
    {"send": send, "look": look}[sys.argv[1]]()
except Exception as error:
    sentry_sdk.capture_exception(error)
"""


def event(call: str, variables: Mapping[str, object]) -> str:
    """Run the application, whose only error Sentry gets, and return what it gets."""
    keep = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", APPLICATION, call],
        env={**keep, "BODY": BODY, **{name: str(value) for name, value in variables.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout + done.stderr
    frames = [
        frame
        for exception in json.loads(lines[0])["exception"]["values"]
        for frame in exception["stacktrace"]["frames"]
    ]
    assert any("vars" in frame for frame in frames), "Sentry was to send local variables along"
    return lines[0]


def assert_silent(said: str) -> None:
    """Assert that an event holds no secret, in whatever form, and no body."""
    assert secret_in(said, [SECRET, PROXY]) is None
    assert BODY not in said


RESEND = {"MAIL_TYPE": "resend", "RESEND_API_KEY": f"re_{SECRET}"}
SENDGRID = {"MAIL_TYPE": "sendgrid", "SENDGRID_API_KEY": f"SG.{SECRET}"}
HTTP = {"refused": Reply(401, {"name": "x", "message": f"no such key: re_{SECRET}"}), "lost": Reset()}


@pytest.mark.parametrize("step", HTTP)
@pytest.mark.parametrize("call", ["send", "look"])
def test_sentry_gets_no_secret_of_a_provider_with_http(step: str, call: str) -> None:
    """Neither of a refused login, nor of an answer that is lost."""
    with HttpServer(HTTP[step]) as server:
        assert_silent(event(call, {**RESEND, "RESEND_API_URL": server.url}))
        assert_silent(event(call, {**SENDGRID, "SENDGRID_API_URL": server.url}))


@pytest.mark.parametrize("call", ["send", "look"])
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_sentry_gets_no_password_of_a_proxy(scheme: str, call: str) -> None:
    """Neither of a proxy that refuses, nor of one that is gone."""
    with SmtpServer() as server:  # no proxy
        proxy = f"{scheme}://user:{PROXY}@{server.host}:{server.port}"
        assert_silent(event(call, {**RESEND, "HTTPS_PROXY": proxy, "RESEND_TIMEOUT": 5}))


def smtp(server: SmtpServer) -> dict[str, object]:
    """Return the variables for a server."""
    return {
        "MAIL_TYPE": "smtp", "SMTP_SERVER": server.host, "SMTP_PORT": server.port, "SMTP_USERNAME": "me@example.com",
        "SMTP_PASSWORD": SECRET, "SMTP_USE_TLS": "false", "SMTP_ALLOW_PLAINTEXT_LOGIN": "true", "SMTP_TIMEOUT": 1,
    }  # fmt: skip


@pytest.mark.parametrize("call", ["send", "look"])
def test_sentry_gets_no_password_of_a_login_that_is_refused(call: str) -> None:
    """The server quotes it."""
    with SmtpServer({"AUTH": f"535 5.7.8 wrong: {SECRET}\r\n".encode()}) as server:
        assert_silent(event(call, smtp(server)))


def test_sentry_gets_no_body_of_an_upload_that_stalls() -> None:
    """The server reads no more."""
    with SmtpServer({"body": Stall()}, receive_buffer=4096) as server:
        assert_silent(event("send", smtp(server)))


@pytest.mark.parametrize(
    "variables",
    [
        {**RESEND, "RESEND_DEADLINE": "soon"},
        {"MAIL_TYPE": "smtp", "SMTP_PASSWORD": SECRET, "SMTP_PORT": "many", "SMTP_SERVER": "mail.example.com"},
    ],
    ids=["resend", "smtp"],
)
def test_sentry_gets_no_secret_of_settings_that_are_wrong(variables: dict[str, object]) -> None:
    """At boot, all settings are read before anything is said about one of them."""
    assert_silent(event("send", variables))
