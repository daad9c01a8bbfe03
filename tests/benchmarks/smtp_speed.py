"""What a mail by SMTP costs: postroom against what else a program can use, in one run.

    uv run --group benchmarks python tests/benchmarks/smtp_speed.py

Each subject sends the same mail, which it builds anew each time, in a process of its own. The rounds alternate.
Servers: a sink that counts how often it is waited for, and Postfix's smtp-sink where it is installed. Networks:
loopback, and 20 ms of round trip through a proxy. Nodemailer takes part where node finds it (`npm install --no-save
nodemailer`). The run fails if a bar is missed; with `--quick`, which is for CI, only counts can fail it.
"""
# ruff: noqa: PLC0415  each subject imports its own

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

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

from delay_proxy import DelayProxy
from postroom_testing import Certificates
from smtp_sink import SmtpSink

ROUND_TRIP = 0.020
QUIET = 0.030
BASE = "smtplib, reused"
LOGIN = ("benchmark", "benchmark")

Target = dict[str, Any]
Send = Callable[[int], object]
"""Sends so many mails."""


# --- The subjects. Each imports its own. ---


def postroom(target: Target, **options: object) -> Any:
    """Return a sender of postroom's."""
    from postroom import MailSenderFactory

    config = {"server": target["host"], "port": target["port"], "default_from": SENDER, **options}
    if target["ca_file"]:
        username, password = LOGIN
        config |= {"tls_mode": "starttls", "ca_file": target["ca_file"], "username": username, "password": password}
    return MailSenderFactory.create_sender("smtp", config)


def postroom_send(target: Target) -> Send:
    """Call `send` again and again."""
    from postroom import MailMessage

    sender = postroom(target)

    def send(count: int) -> None:
        for _ in range(count):
            sender.send(MailMessage(RECIPIENT, SUBJECT, ASCII_HTML))

    return send


def postroom_threads(target: Target) -> Send:
    """Call `send` from ten threads."""
    from concurrent.futures import ThreadPoolExecutor

    from postroom import MailMessage

    sender = postroom(target, pool_size=10)
    threads = ThreadPoolExecutor(10)

    def send(count: int) -> None:
        for _ in threads.map(lambda _: sender.send(MailMessage(RECIPIENT, SUBJECT, ASCII_HTML)), range(count)):
            pass

    return send


def postroom_many(target: Target) -> Send:
    """Call `deliver_many`, over one connection for all."""
    from postroom import MailMessage, Receipt

    sender = postroom(target, pool_size=1, pool_max_messages=1_000_000)

    def send(count: int) -> None:
        messages = (MailMessage(RECIPIENT, SUBJECT, ASCII_HTML) for _ in range(count))
        for result in sender.deliver_many(messages):
            assert isinstance(result, Receipt), result

    return send


def dify(target: Target) -> Send:
    """Do what Dify's SMTP client does: a new connection for each mail."""
    import smtplib
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText

    def send(count: int) -> None:
        for _ in range(count):
            smtp = smtplib.SMTP(target["host"], target["port"], timeout=10)
            if target["ca_file"]:
                smtp.ehlo()
                smtp.starttls()  # verifies nothing
                smtp.ehlo()
                smtp.login(*LOGIN)
            message = MIMEMultipart()
            message["Subject"], message["From"], message["To"] = SUBJECT, SENDER, RECIPIENT
            message.attach(MIMEText(ASCII_HTML, "html"))
            smtp.sendmail(SENDER, RECIPIENT, message.as_string())
            smtp.quit()

    return send


def email_message() -> Any:
    """Return the mail as a careful user of the standard library builds it."""
    from email.message import EmailMessage
    from email.utils import localtime, make_msgid

    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = SUBJECT, SENDER, RECIPIENT
    message["Date"], message["Message-ID"] = localtime(), make_msgid(domain="example.com")
    message.set_content(ASCII_HTML, subtype="html")
    return message


def smtplib_reused(target: Target) -> Send:
    """Use smtplib with one connection for all."""
    import smtplib
    import ssl

    smtp = smtplib.SMTP(target["host"], target["port"], timeout=10)
    if target["ca_file"]:
        smtp.starttls(context=ssl.create_default_context(cafile=target["ca_file"]))
        smtp.login(*LOGIN)

    def send(count: int) -> None:
        for _ in range(count):
            smtp.send_message(email_message())

    return send


def django(target: Target) -> Any:
    """Set Django up, and return its mail module."""
    from django.conf import settings
    from django.core import mail

    tls = bool(target["ca_file"])
    username, password = LOGIN if tls else ("", "")
    settings.configure(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST=target["host"],
        EMAIL_PORT=target["port"],
        EMAIL_USE_TLS=tls,
        EMAIL_HOST_USER=username,
        EMAIL_HOST_PASSWORD=password,
    )
    return mail


def django_reused(target: Target) -> Send:
    """Use Django's SMTP backend with one connection for all."""
    mail = django(target)
    connection = mail.get_connection()
    connection.open()

    def send(count: int) -> None:
        for _ in range(count):
            message = mail.EmailMessage(SUBJECT, ASCII_HTML, SENDER, [RECIPIENT], connection=connection)
            message.content_subtype = "html"
            message.send()

    return send


def django_each(target: Target) -> Send:
    """Use Django's `send_mail`, which opens a connection for each mail."""
    mail = django(target)

    def send(count: int) -> None:
        for _ in range(count):
            message = mail.EmailMessage(SUBJECT, ASCII_HTML, SENDER, [RECIPIENT])
            message.content_subtype = "html"
            message.send()

    return send


def aiosmtplib(target: Target, connections: int) -> Send:
    """Use aiosmtplib with so many connections."""
    import asyncio

    from aiosmtplib import SMTP

    loop = asyncio.new_event_loop()
    options: dict[str, Any] = {"hostname": target["host"], "port": target["port"], "timeout": 10}
    if target["ca_file"]:
        username, password = LOGIN
        options |= {"start_tls": True, "cert_bundle": target["ca_file"], "username": username, "password": password}
    else:
        options |= {"start_tls": False}

    async def connect() -> list[SMTP]:
        clients = [SMTP(**options) for _ in range(connections)]
        await asyncio.gather(*(client.connect() for client in clients))
        return clients

    async def share(client: SMTP, count: int) -> None:
        for _ in range(count):
            await client.send_message(email_message())

    async def all_of(count: int) -> None:
        await asyncio.gather(*(share(client, count // connections) for client in clients))

    clients = loop.run_until_complete(connect())
    return lambda count: loop.run_until_complete(all_of(count))


NODEMAILER = """
const nodemailer = require("nodemailer"), readline = require("readline"), fs = require("fs");
const [target, job] = process.argv.slice(1, 3).map(JSON.parse);
const options = { host: target.host, port: target.port, pool: true, maxConnections: job.connections, secure: false,
                  ignoreTLS: !target.ca_file };
if (target.ca_file) Object.assign(options, { requireTLS: true, tls: { ca: fs.readFileSync(target.ca_file) },
                                             auth: { user: job.login[0], pass: job.login[1] } });
const transport = nodemailer.createTransport(options);
const mail = () => transport.sendMail({ from: job.sender, to: job.recipient, subject: job.subject, html: job.html });
async function send(count) {
  let left = count;
  const worker = async () => { while (left-- > 0) await mail(); };
  await Promise.all(Array.from({ length: job.connections }, worker));
}
(async () => {
  await send(2 * job.connections);
  console.log("ready");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const before = process.hrtime.bigint();
    await send(Number(line));
    console.log(Number(process.hrtime.bigint() - before) / 1e9);
    break;
  }
  transport.close();
  process.exit(0);
})();
"""


@attrs.frozen
class Subject:
    """Something that sends mail, and how many of them in a round."""

    build: Callable[[Target], Send] | None
    """None for nodemailer."""
    fast: int
    """Mails in a round on loopback, where they take about half a second."""
    connections: int = 1


SUBJECTS = {
    "postroom `send`": Subject(postroom_send, 1000),
    "postroom `send`, ten threads": Subject(postroom_threads, 2000, 10),
    "postroom `deliver_many`, one connection": Subject(postroom_many, 4000),
    "Dify's way, a connection each": Subject(dify, 400),
    BASE: Subject(smtplib_reused, 400),
    "Django, a connection each": Subject(django_each, 400),
    "Django, reused": Subject(django_reused, 500),
    "aiosmtplib, one connection": Subject(lambda target: aiosmtplib(target, 1), 300),
    "aiosmtplib, ten connections": Subject(lambda target: aiosmtplib(target, 10), 300, 10),
    "nodemailer, one connection": Subject(None, 500),
    "nodemailer, ten connections": Subject(None, 1000, 10),
}
POSTROOM, THREADS, MANY, DIFY, _, _, DJANGO, _, AIOSMTPLIB, *_ = SUBJECTS


def perform(name: str, target: Target) -> None:
    """Play a subject: warm up, say so, and send as many mails as standard input says."""
    subject = SUBJECTS[name]
    assert subject.build is not None
    send = subject.build(target)
    send(2 * subject.connections)
    print("ready", flush=True)
    count = int(sys.stdin.readline())
    before = time.perf_counter()
    send(count)
    print(time.perf_counter() - before, flush=True)
    os._exit(0)  # what it costs to end is not measured, and a pool of threads would wait


def run(name: str, target: Target, count: int, sink: SmtpSink | None = None) -> tuple[float, float | None]:
    """Let a subject send so many mails; return the seconds for one, and the sink's round trips for one."""
    subject = SUBJECTS[name]
    if subject.build is None:
        job = {
            "connections": subject.connections,
            "login": LOGIN,
            "sender": SENDER,
            "recipient": RECIPIENT,
            "subject": SUBJECT,
            "html": ASCII_HTML,
        }
        command = ["node", "-e", NODEMAILER, json.dumps(target), json.dumps(job)]
    else:
        command = [sys.executable, __file__, "--subject", name, "--target", json.dumps(target)]
    environment = dict(os.environ)
    if target["ca_file"]:
        environment["SSL_CERT_FILE"] = target["ca_file"]  # Django has no setting for it
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name} does not send to {target}")
        before = sink.counts if sink is not None else None
        process.stdin.write(f"{count}\n")
        process.stdin.flush()
        seconds = float(process.stdout.readline()) / count
        if sink is None or before is None:
            return seconds, None
        seen = sink.counts.since(before)
        assert seen.messages == count, f"{name}: {seen.messages} of {count} mails have come"
        return seconds, seen.round_trips / count


# --- The servers. ---

SERVERS = {
    "PIPELINING": ("chunking",),
    "PIPELINING, CHUNKING": (),
    "neither": ("pipelining", "chunking"),
    "STARTTLS, AUTH, PIPELINING, CHUNKING": (),
}
PIPELINING, CHUNKING, NEITHER, TLS = SERVERS
POSTFIX = "Postfix's smtp-sink"


@contextlib.contextmanager
def our_sink(server: str, ca: Certificates, quiet: float = 0.0) -> Iterator[tuple[SmtpSink, Target]]:
    """Start our sink as the named server."""
    tls = server == TLS
    options: dict[str, Any] = {"certificate": ca.good_files(), "login": LOGIN} if tls else {}
    with SmtpSink(without=SERVERS[server], quiet=quiet, **options) as sink:
        yield sink, {"host": sink.host, "port": sink.port, "ca_file": ca.ca_file if tls else None}


@contextlib.contextmanager
def postfix_sink() -> Iterator[Target]:
    """Start smtp-sink."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(smtp_sink()), *(["-u", "nobody"] if os.geteuid() == 0 else []), f"127.0.0.1:{port}", "100"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < until, "smtp-sink does not listen"
            time.sleep(0.05)
        yield {"host": "127.0.0.1", "port": port, "ca_file": None}
    finally:
        process.terminate()
        process.wait(10)


def smtp_sink() -> str | None:
    """Return where smtp-sink is, or None."""
    return shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def nodemailer() -> str | None:
    """Return the version of nodemailer, or None if it is not there."""
    if shutil.which("node") is None:
        return None
    script = 'console.log(require("nodemailer/package.json").version)'
    found = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=False, timeout=60)
    return found.stdout.strip() or None


# --- The run. ---

Times = dict[str, list[float]]
"""Seconds for a mail of each subject, one figure for each round."""


def rounds(target: Target, counts: Mapping[str, int], number: int) -> Times:
    """Let the subjects send in turn, each of them as many mails as `counts` says."""
    taken: Times = {name: [] for name in counts}
    for _ in range(number):
        for name, count in counts.items():
            taken[name].append(run(name, target, count)[0])
    return taken


def round_trips(server: str, ca: Certificates, subjects: Sequence[str], part: int) -> dict[str, float]:
    """Count the round trips of a mail of each subject."""
    counted = {}
    with our_sink(server, ca, QUIET) as (sink, target):
        for name in subjects:
            count = 100 if name == MANY else 20 // part * SUBJECTS[name].connections
            counted[name] = run(name, target, count, sink)[1] or 0.0
    return counted


@attrs.frozen
class Results:
    """All that was measured: for each server, the times of the subjects, or the round trips."""

    slow: Mapping[str, Times]
    fast: Mapping[str, Times]
    trips: Mapping[str, Mapping[str, float]]

    def bars(self) -> list[Bar]:
        """Hold the figures against what is promised, as far as they were measured."""
        slow, fast = self.slow, self.fast
        timed = [
            (slow, PIPELINING, "20 ms, PIPELINING: `send`, times Django reused", 1.9, POSTROOM, DJANGO),
            (slow, CHUNKING, "20 ms, CHUNKING: `send`, times Django reused", 3.8, POSTROOM, DJANGO),
            (slow, TLS, "20 ms, STARTTLS and AUTH: `send`, times Dify's way", 6, POSTROOM, DIFY),
            (slow, CHUNKING, "20 ms, CHUNKING: `deliver_many`, times smtplib reused", 30, MANY, BASE),
            (
                *(slow, PIPELINING, "20 ms, PIPELINING: ten threads, times aiosmtplib with ten connections"),
                *(1.9, THREADS, AIOSMTPLIB),
            ),
            (fast, CHUNKING, "loopback, CHUNKING: `send`, times Django reused", 3.5, POSTROOM, DJANGO),
        ]
        counted = [
            (PIPELINING, "PIPELINING: round trips of `send`", 2.1),
            (CHUNKING, "CHUNKING: round trips of `send`", 1.1),
        ]
        return [
            *(
                Bar(text, wanted, ratio(times[server], ours, theirs))
                for times, server, text, wanted, ours, theirs in timed
                if server in times
            ),
            *(
                Bar(text, wanted, self.trips[server][POSTROOM], at_most=True, counted=True)
                for server, text, wanted in counted
            ),
        ]


def measure(subjects: Sequence[str], *, quick: bool) -> Results:
    """Do all there is to do; or quickly, what is counted, and times of one server to see that they can be taken."""
    # Loopback is noisier: what else the machine does weighs more there.
    slow_rounds, fast_rounds, part = (1, 1, 5) if quick else (3, 7, 1)
    slow: dict[str, Times] = {}
    fast: dict[str, Times] = {}
    trips: dict[str, dict[str, float]] = {}
    many = {name: SUBJECTS[name].fast // part for name in subjects}
    with tempfile.TemporaryDirectory() as folder:
        ca = Certificates(Path(folder))
        for server in (PIPELINING, CHUNKING) if quick else SERVERS:
            say(f"{server}, round trips")
            trips[server] = round_trips(server, ca, subjects, part)
            if quick and server != CHUNKING:
                continue
            few = {name: _few(SUBJECTS[name], counted, part) for name, counted in trips[server].items()}
            with our_sink(server, ca) as (sink, target):
                say(f"{server}, loopback")
                fast[server] = rounds(target, many, fast_rounds)
                with DelayProxy(sink.port, ROUND_TRIP) as proxy:
                    say(f"{server}, 20 ms")
                    slow[server] = rounds({**target, "port": proxy.port}, few, slow_rounds)
    if smtp_sink() is not None and not quick:
        with postfix_sink() as target:
            say(f"{POSTFIX}, loopback")
            fast[POSTFIX] = rounds(target, many, fast_rounds)
    return Results(slow, fast, trips)


def _few(subject: Subject, counted: float, part: int) -> int:
    """Return how many mails fill about a second and a half with 20 ms."""
    return max(2, int(1.5 / part / ROUND_TRIP / counted)) * subject.connections


def say(text: str) -> None:
    """Tell who waits what is being done."""
    print(f"… {text}", file=sys.stderr, flush=True)


# --- The report. ---


def ratios(times: Mapping[str, Times]) -> str:
    """Return a table of how much faster than the base each subject is, for each server."""
    first = next(iter(times.values()))
    return table(
        ("", *times),
        [(name, *(figure(ratio(taken, name, BASE)) for taken in times.values())) for name in first],
    )


def report(results: Results, left_out: Sequence[str], *, quick: bool) -> str:
    """Return the results as Markdown."""
    trips = table(
        ("", *results.trips),
        [
            (name, *(f"{counted[name]:.2f}" for counted in results.trips.values()))
            for name in next(iter(results.trips.values()))
        ],
    )
    out = "".join(f"Left out: {each}.\n\n" for each in left_out)
    return f"""{out}## 20 ms round trip

*{BASE}* is 1.00. What has 2.00 sends twice as many mails in the same time.

{ratios(results.slow)}
## Loopback

Here the client's CPU decides. Again, *{BASE}* is 1.00.

{ratios(results.fast)}
## Round trips for a mail

Counted by the sink. Who keeps a connection has it open already. Ten connections need as many for a mail as one, but ten
mails at the same time.

{trips}
## What must hold

{bars_table(results.bars(), decisive=not quick)}"""


def rendering() -> tuple[bool, str]:
    """Run the other benchmark; return if all is well, and its results as Markdown without the line on the machine."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("rendering.py"))],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=900,
    )
    return done.returncode == 0, done.stdout.partition("\n\n")[2].strip()


def page(results: Results, rendered: str, left_out: Sequence[str], node: str | None) -> str:
    """Return docs/performance.md."""
    used = versions(("postroom", "postroom-smtp", "postroom-smtp-basic", "django", "aiosmtplib"))
    used += f", nodemailer {node}" if node else ""
    return f"""# Performance

What sending by SMTP costs, compared with other clients. All figures are ratios from one run. Yours will differ: what
counts is which is faster, and by about how much.

![Mails in the same time, 20 ms round trip](images/performance.svg)

Over a network, a mail costs round trips, not CPU. smtplib waits four times for each mail: after MAIL, RCPT, DATA and
the message. A new connection costs four more, and again four with STARTTLS and a login. postroom keeps its
connections. It writes MAIL, RCPT and DATA at once where the server offers PIPELINING, and the message with them where
it offers CHUNKING. `deliver_many` has several mails on their way at once.

Measured on {machine()}; with {used}.

{report(results, left_out, quick=False)}
## Writing the message

{rendered}

## How it is measured

Each client sends the same mail of 2 KB of HTML and builds it anew each time. It runs in a process of its own, and
sends some mails before the clock starts. The clients take turns: three rounds with 20 ms, seven on loopback. A ratio is
the median of the rounds. The server reads, answers and keeps nothing. The 20 ms are made by a proxy that delays each
direction by 10 ms.

Settings of postroom are the defaults, but for two rows: ten threads share a pool of ten (`pool_size=10`), and
`deliver_many` keeps to one connection (`pool_size=1`, `pool_max_messages` out of reach). Dify's way does not verify the
certificate, and writes neither Date nor Message-ID. All others do both.

## What is not shown

A real server is slower than a sink: it checks, and writes to disk. There the client's CPU matters less. Round trips
matter as much as here. Servers limit how many mails they take in a minute; no client is faster than that. Lost packets,
narrow lines, and how long a large attachment takes to send are not measured.

## Run it yourself

In a checkout:

```sh
npm install --no-save nodemailer  # if node is there, and you want that row
uv run --group benchmarks python tests/benchmarks/smtp_speed.py
uv run --group benchmarks python tests/benchmarks/rendering.py
```

With `--write docs`, the first runs the second as well, and writes this page. It takes about a quarter of an hour.
"""


def chart(results: Results) -> str:
    """Return a bar chart as SVG: each subject, on a server with PIPELINING and CHUNKING, with 20 ms."""
    taken = results.slow[CHUNKING]
    values = sorted(((ratio(taken, name, BASE), name) for name in taken), reverse=True)
    left, width, step, top = 300, 380, 26, 64
    height = top + step * len(values) + 14
    scale = width / values[0][0]
    rows = []
    for index, (value, name) in enumerate(values):
        middle = top + step * index + 13
        kind = "ours" if name.startswith("postroom") else "other"
        length = max(1.0, value * scale)
        rows.append(
            f'<text x="{left - 8}" y="{middle + 4.5}" text-anchor="end">{name.replace("`", "")}</text>'
            f'<rect class="{kind}" x="{left}" y="{middle - 9}" width="{length:.1f}" height="18" rx="2"/>'
            f'<text x="{left + length + 6:.1f}" y="{middle + 4.5}">{figure(value)}</text>'
        )
    body = "\n".join(rows)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 60} {height}" role="img">
<title>Mails in the same time, with 20 ms round trip, on a server with PIPELINING and CHUNKING</title>
<style>
text {{ font: 13px system-ui, sans-serif; fill: #24292f }}
.ours {{ fill: #3949ab }} .other {{ fill: #9aa4b2 }} .paper {{ fill: #ffffff }}
.head {{ font-weight: 600; font-size: 15px }}
</style>
<rect class="paper" width="100%" height="100%" rx="6"/>
<text class="head" x="16" y="24">Mails in the same time: 20 ms round trip, PIPELINING and CHUNKING</text>
<text x="16" y="46">1 is: {BASE}</text>
{body}
</svg>
"""


def main() -> int:
    """Measure, print, write if asked to, and return 1 if a bar is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--quick", action="store_true", help="what is counted, and few mails to one server; only counts can fail it"
    )
    options.add_argument(
        "--write", type=Path, metavar="DOCS", help="folder to write performance.md and its picture into"
    )
    options.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    options.add_argument("--target", type=json.loads, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.subject:
        perform(chosen.subject, chosen.target)
    if chosen.quick and chosen.write is not None:
        options.error("a small run is not worth writing down")
    node = nodemailer()
    left_out = []
    if node is None:
        left_out.append("nodemailer, which is not installed")
    if smtp_sink() is None:
        left_out.append(f"{POSTFIX}, which is not installed")
    subjects = [name for name, subject in SUBJECTS.items() if subject.build is not None or node is not None]
    results = measure(subjects, quick=chosen.quick)
    print(report(results, left_out, quick=chosen.quick))
    good = not failed(results.bars(), decisive=not chosen.quick)
    if chosen.write is not None:
        say("rendering")
        all_well, rendered = rendering()
        good = good and all_well
        (chosen.write / "images").mkdir(parents=True, exist_ok=True)
        (chosen.write / "performance.md").write_text(page(results, rendered, left_out, node), "utf-8")
        (chosen.write / "images" / "performance.svg").write_text(chart(results), "utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
