"""`console`: what is printed, where, and that a terminal takes it for text."""

import contextlib
import datetime
import io
import logging
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from celery.utils.log import LoggingProxy
from hypothesis import HealthCheck, given, settings

from message_strategies import messages
from postroom import (
    Attachment,
    DeliveringSender,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    MailSettingsError,
    Outcome,
)
from postroom_console.rendering import to_text

SENDER = "Ada <ada@example.com>"
MESSAGE = MailMessage("grace@example.com", "Hello", "<p>Hi</p>", SENDER, text="Hi")


def sender(**config: object) -> DeliveringSender:
    """Return a sender that prints."""
    return MailSenderFactory.create_sender("console", {"default_from": SENDER, **config})


def printed(message: MailMessage) -> str:
    """Return what is printed of a message."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), sender() as made:
        made.send(message)
    return stream.getvalue()


def test_everything_in_a_message_is_printed() -> None:
    """Fields, further headers, labels, files and both bodies stand there, each in its place."""
    message = MailMessage(
        "Grace Hopper <grace@example.com>, b@example.com",
        "Your report",
        "<p>See <b>below</b></p>",
        cc="c@example.com",
        bcc="d@example.com",
        reply_to="e@example.com",
        text="See below",
        attachments=[
            Attachment("table.csv", b"1,2", "text/csv"),
            Attachment("logo.png", b"12345", content_id="logo", inline=True),
        ],
        headers={"X-Campaign": "spring"},
        tags=["report", "weekly"],
        metadata={"order": "42"},
        send_at=datetime.datetime(2026, 3, 2, 8, 0, tzinfo=datetime.UTC),
        id="one",
        date=datetime.datetime(2026, 3, 1, 12, 30, 5, tzinfo=datetime.UTC),
    )
    rule = "-" * 72
    assert (
        printed(message)
        == f"""\
{rule}
From:       Ada <ada@example.com>
To:         Grace Hopper <grace@example.com>, b@example.com
Cc:         c@example.com
Bcc:        d@example.com
Reply-To:   e@example.com
Subject:    Your report
Date:       2026-03-01 12:30:05+00:00
Message-ID: <one@example.com>
X-Campaign: spring
Tags:       report, weekly
Metadata:   order=42
Send at:    2026-03-02 08:00:00+00:00
Attachment: table.csv (text/csv, 3 bytes)
Attachment: logo.png (image/png, 5 bytes, inline as cid:logo)

--- text ---
See below

--- html ---
<p>See <b>below</b></p>
{rule}
"""
    )


def test_control_characters_of_a_body_do_not_reach_the_terminal() -> None:
    """Escape sequences of both forms are written out; tabs and newlines stay, and every line end is a newline."""
    text = printed(MailMessage("grace@example.com", "Hello", text="a\tb\r\nc\rd\n\x1b]0;title\x07\x9b2J\x7f\x00"))
    assert "a\tb\nc\nd\n\\x1b]0;title\\x07\\x9b2J\\x7f\\x00\n" in text


@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages(ascii_only=False))
def test_any_message_is_printed(message: MailMessage) -> None:
    """Whatever the model takes is printed with its subject, recipients and bodies, and holds no control character."""
    text = printed(message)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert f"\nSubject:    {message.subject}\n" in text
    assert all(recipient in text for recipient in message.recipients)
    assert ("\n--- text ---\n" in text) >= (message.text is not None)
    assert ("\n--- html ---\n" in text) >= (message.html is not None)


def test_a_mail_goes_to_the_stream_that_is_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CONSOLE_STREAM` chooses between standard output, which it is without, and standard error."""
    for environ in ({}, {"CONSOLE_STREAM": "stdout"}, {"CONSOLE_STREAM": "STDERR"}):
        made = MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "console", **environ})
        assert made is not None
        receipt = made.deliver(MESSAGE)
        out, err = capsys.readouterr()
        assert [out, err] == (["", to_text(MESSAGE)] if "STDERR" in environ.values() else [to_text(MESSAGE), ""])
        assert (receipt.provider, receipt.accepted) == ("console", ("grace@example.com",))


def test_no_other_stream_can_be_set() -> None:
    """A stream that does not exist is refused with the choices."""
    with pytest.raises(MailSettingsError, match=r"must be one of stdout, stderr: set stream \(CONSOLE_STREAM\)"):
        MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "console", "CONSOLE_STREAM": "printer"})


def test_the_log_says_where_mails_are_printed(caplog: pytest.LogCaptureFixture) -> None:
    """The line about a sender that was made names the stream."""
    caplog.set_level(logging.INFO)
    sender(stream="stderr")
    assert "provider=console" in caplog.text
    assert "stream=stderr" in caplog.text


def test_a_sender_is_configured_and_has_a_stream_to_check() -> None:
    """Nothing has to be set; the connection is good while the stream is open."""
    with sender() as made:
        assert made.is_configured()
        made.check_connection()


def closed() -> io.StringIO:
    """Return a stream that has been closed."""
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [lambda: None, closed])
def test_a_process_without_the_stream_is_told_so(
    stream: Callable[[], io.StringIO | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services without a terminal may have no standard output; the error says what to set instead."""
    monkeypatch.setattr(sys, "stdout", stream())
    made = sender()
    assert not made.test_connection()
    with pytest.raises(MailSendError, match=r"no open stdout\. Set CONSOLE_STREAM=stderr, or MAIL_TYPE=file") as caught:
        made.send(MESSAGE)
    assert (caught.value.outcome, caught.value.provider) == (Outcome.NOT_SENT, "console")


def test_a_pipe_that_nobody_reads_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe says that the message was not printed."""
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    assert reader.stdin is not None
    stream = io.TextIOWrapper(reader.stdin, encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(MailSendError, match="cannot be printed to stderr: BrokenPipeError") as caught:
        sender(stream="stderr").send(MESSAGE)
    monkeypatch.undo()
    assert "CONSOLE_STREAM=stdout" in str(caught.value)
    assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_what_the_terminal_cannot_show_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in ASCII gets escapes, not an exception."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    sender().send(MailMessage("grace@example.com", "Grüße", text="名前"))
    monkeypatch.undo()
    stream.seek(0)
    text = stream.read()
    assert "Gr\\xfc\\xdfe" in text
    assert "\\u540d\\u524d" in text


def test_the_streams_of_a_celery_worker_are_good_enough(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Celery puts an object without an encoding in place of the streams; a mail is one record of its log."""
    monkeypatch.setattr(sys, "stdout", LoggingProxy(logging.getLogger("worker"), logging.WARNING))
    sender().send(MESSAGE)
    assert [record.getMessage() for record in caplog.records] == [to_text(MESSAGE).rstrip("\n")]


THREADS = """
import threading
from postroom import MailMessage, MailSenderFactory

sender = MailSenderFactory.create_sender("console", {"default_from": "ada@example.com"})

def send(number):
    for round in range(10):
        sender.send(MailMessage("grace@example.com", f"From {number}", text=f"{number} " * 20_000))

threads = [threading.Thread(target=send, args=[number]) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_mails_of_several_threads_do_not_mix() -> None:
    """Each of eighty large mails from eight threads comes out of a pipe in one piece."""
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=60, check=True)
    rule = "-" * 72
    mails = done.stdout.removeprefix(f"{rule}\n").removesuffix(f"{rule}\n").split(f"{rule}\n{rule}\n")
    assert len(mails) == 80
    for mail in mails:
        found = re.search(r"^Subject:    From (\d)\n", mail, re.MULTILINE)
        assert found
        assert mail.endswith(f"\n--- text ---\n{f'{found[1]} ' * 20_000}\n")
