"""What it costs to write a mail as bytes: postroom against the standard library and Django, in one run.

    uv run --group benchmarks python tests/benchmarks/rendering.py

postroom and Django start from their message, which the application has built, and the standard library from strings,
since it has none: its objects are the written form. What it costs to build and check a `MailMessage` is shown as well.
The rounds alternate. Then, in a process of its own: the peak memory of sending a file of 25 MB, the file included. The
run fails if a bar is missed; with `--quick`, which is for CI, only the memory can fail it.
"""

import argparse
import email.policy
import email.utils
import gc
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import attrs
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from postroom import Attachment, MailMessage, MailSenderFactory
from postroom_smtp.mime import render

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from measuring import (
    ASCII_HTML,
    RECIPIENT,
    SENDER,
    SUBJECT,
    Bar,
    bars_table,
    failed,
    figure,
    machine,
    ratio,
    table,
    versions,
)

from smtp_sink import SmtpSink

FILE = 25_000_000  # octets
PATIENCE = 300


Write = Callable[[], object]
"""Writes the mail once."""


@attrs.frozen
class Case:
    """A mail to be written."""

    html: str
    text: str | None = None
    file: bytes | None = None
    count: int = 300
    """How often in a round."""


CASES = {
    "2 KB of ASCII HTML": Case(ASCII_HTML),
    "2 KB of UTF-8 HTML": Case("<p>Ihr Schlüssel für heute: <b>123456</b>. Er gilt fünf Minuten.</p>\n" * 30),
    "HTML and text": Case(ASCII_HTML, text=ASCII_HTML.replace("<p>", "").replace("</p>", "")),
    "HTML and a file of 1 MB": Case(ASCII_HTML, file=os.urandom(1_000_000), count=6),
}
ASCII, UTF8, _, LARGE = CASES


def postroom_message(case: Case) -> MailMessage:
    """Return the mail as postroom's users build it."""
    files = [Attachment("report.pdf", case.file, "application/pdf")] if case.file is not None else []
    return MailMessage(RECIPIENT, SUBJECT, case.html, SENDER, text=case.text, attachments=files)


def by_postroom(case: Case) -> Write:
    """Write it by postroom, from a message that is there."""
    message = postroom_message(case)
    return lambda: bytes(render(message))


def by_postroom_anew(case: Case) -> Write:
    """Write it by postroom, and build and check the message each time."""
    return lambda: bytes(render(postroom_message(case)))


def as_email_message(case: Case) -> EmailMessage:
    """Build it as the standard library's newer classes have it."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"], message["From"], message["To"] = SUBJECT, SENDER, RECIPIENT
    message["Date"], message["Message-ID"] = email.utils.localtime(), email.utils.make_msgid(domain="example.com")
    if case.text is None:
        message.set_content(case.html, subtype="html")
    else:
        message.set_content(case.text)
        message.add_alternative(case.html, subtype="html")
    if case.file is not None:
        message.add_attachment(case.file, maintype="application", subtype="pdf", filename="report.pdf")
    return message


def by_email_message(case: Case) -> Write:
    """Write it by `EmailMessage`."""
    return lambda: as_email_message(case).as_bytes()


def by_mime_multipart(case: Case) -> Write:
    """Write it by `MIMEMultipart`, as Dify does."""

    def write() -> str:
        message = MIMEMultipart("mixed" if case.text is None else "alternative")
        message["Subject"], message["From"], message["To"] = SUBJECT, SENDER, RECIPIENT
        if case.text is not None:
            message.attach(MIMEText(case.text))
        message.attach(MIMEText(case.html, "html"))
        if case.file is not None:
            message.attach(MIMEApplication(case.file, "pdf", name="report.pdf"))
        return message.as_string()

    return write


def by_django(case: Case) -> Write:
    """Write it by Django, from a message that is there."""
    if case.text is None:
        message = EmailMultiAlternatives(SUBJECT, case.html, SENDER, [RECIPIENT])
        message.content_subtype = "html"
    else:
        message = EmailMultiAlternatives(SUBJECT, case.text, SENDER, [RECIPIENT])
        message.attach_alternative(case.html, "text/html")
    if case.file is not None:
        message.attach("report.pdf", case.file, "application/pdf")
    return lambda: message.message().as_bytes()


POSTROOM, EMAIL_MESSAGE, DJANGO = "postroom", "`EmailMessage`", "Django"
SUBJECTS: dict[str, Callable[[Case], Write]] = {
    POSTROOM: by_postroom,
    "postroom, with `MailMessage`": by_postroom_anew,
    EMAIL_MESSAGE: by_email_message,
    "`MIMEMultipart` (Dify)": by_mime_multipart,
    DJANGO: by_django,
}


def seconds(write: Write, count: int) -> float:
    """Return the CPU seconds for one mail."""
    before = time.process_time()
    for _ in range(count):
        write()
    return (time.process_time() - before) / count


def measure(case: Case, *, quick: bool) -> dict[str, list[float]]:
    """Let the subjects write in turn."""
    writers = {name: build(case) for name, build in SUBJECTS.items()}
    taken: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    count = max(2, case.count // 10) if quick else case.count
    for write in writers.values():
        write()
    for _ in range(3 if quick else 9):
        for name, write in writers.items():
            taken[name].append(seconds(write, count))
    return taken


def peak_of_sending(who: str, port: int) -> float:
    """Return the peak memory of sending a large file, as a multiple of its size."""
    gc.collect()
    tracemalloc.start()
    case = Case(ASCII_HTML, file=os.urandom(FILE))
    if who == POSTROOM:
        with MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": port}) as sender:
            sender.send(postroom_message(case))
    else:
        import smtplib  # noqa: PLC0415

        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.send_message(as_email_message(case))
    return tracemalloc.get_traced_memory()[1] / FILE


def peaks() -> dict[str, float]:
    """Measure the memory of each subject that sends, with CHUNKING and without; the worse one counts."""
    found: dict[str, float] = {}
    for without in ((), ("chunking",)):
        with SmtpSink(without=without) as sink:
            for name in (POSTROOM, EMAIL_MESSAGE):
                done = subprocess.run(
                    [sys.executable, __file__, "--peak", name, "--port", str(sink.port)],
                    stdout=subprocess.PIPE,
                    check=True,
                    timeout=PATIENCE,
                )
                found[name] = max(found.get(name, 0.0), float(json.loads(done.stdout)))
            assert sink.counts.messages == 2, "a mail is missing"
    return found


def bars(times: Mapping[str, Mapping[str, list[float]]], memory: Mapping[str, float]) -> list[Bar]:
    """Hold the figures against what is promised."""
    return [
        Bar(f"{ASCII}, times {EMAIL_MESSAGE}", 20, ratio(times[ASCII], POSTROOM, EMAIL_MESSAGE)),
        Bar(f"{ASCII}, times Django", 6, ratio(times[ASCII], POSTROOM, DJANGO)),
        Bar(f"{UTF8}, times Django", 3, ratio(times[UTF8], POSTROOM, DJANGO)),
        Bar(f"{LARGE}, times {EMAIL_MESSAGE}", 7, ratio(times[LARGE], POSTROOM, EMAIL_MESSAGE)),
        Bar("25 MB file: peak memory, times its size", 2.5, memory[POSTROOM], at_most=True, counted=True),
    ]


def main() -> int:
    """Measure, print, and return 1 if a bar is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="few rounds; only the memory can fail")
    options.add_argument("--peak", help=argparse.SUPPRESS)
    options.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.peak:
        print(json.dumps(peak_of_sending(chosen.peak, chosen.port)))
        return 0
    settings.configure()
    times = {name: measure(case, quick=chosen.quick) for name, case in CASES.items()}
    memory = peaks()
    print(f"Measured on {machine()}; with {versions(('postroom', 'postroom-smtp', 'django'))}.\n")
    print("CPU time for a message to become bytes, in multiples of postroom's. postroom and Django start from their")
    print("message, the standard library from strings. The second row builds and checks postroom's message as well.\n")
    own = [f"1 ({statistics.median(taken[POSTROOM]) * 1e6:.0f} µs)" for taken in times.values()]
    others = [
        (name, *(figure(1 / ratio(taken, name, POSTROOM)) for taken in times.values()))
        for name in SUBJECTS
        if name != POSTROOM
    ]
    print(table(("", *times), [(POSTROOM, *own), *others]))
    print("Peak memory of sending a file of 25 MB, in multiples of its size, the file itself included.\n")
    print(table(("", "peak"), [(name, f"{value:.2f}") for name, value in memory.items()]))
    print(bars_table(held := bars(times, memory), decisive=not chosen.quick))
    return 1 if failed(held, decisive=not chosen.quick) else 0


if __name__ == "__main__":
    sys.exit(main())
