"""What a mail by an HTTP API costs the client: postroom against the vendors' own SDKs, in CPU time, in one run.

    uv run --group benchmarks python tests/benchmarks/http_api.py

Each side sends the same mails to the same server on loopback, over TLS, in a process of its own, and both trust the
same CAs. The rounds alternate. The run fails if postroom needs more than 1/15 of an SDK's CPU time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import certifi

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from postroom_testing import Certificates
from postroom_testing.http import HttpServer, Reply, Request

BAR = 1 / 15
SUBJECT, HTML = "Your code", "<p>Your code is <b>123456</b>. It is good for five minutes.</p>" * 8
SENDER, RECIPIENT = "no-reply@example.com", "grace@example.net"


def by_postroom(provider: str, url: str) -> Callable[[], object]:
    """Return a function that sends one mail by postroom."""
    from postroom import MailMessage, MailSenderFactory  # noqa: PLC0415  each side imports its own

    config = {"api_key": "re_benchmark", "api_url": url, "default_from": SENDER, "ca_file": os.environ["SSL_CERT_FILE"]}
    sender = MailSenderFactory.create_sender(provider, config)
    return lambda: sender.send(MailMessage(RECIPIENT, SUBJECT, HTML))


def by_resend_sdk(url: str) -> Callable[[], object]:
    """Return a function that sends one mail by the package `resend`."""
    import resend  # noqa: PLC0415

    resend.api_key, resend.api_url = "re_benchmark", url
    mail = {"from": SENDER, "to": [RECIPIENT], "subject": SUBJECT, "html": HTML}
    return lambda: resend.Emails.send(mail)


def by_sendgrid_sdk(url: str) -> Callable[[], object]:
    """Return a function that sends one mail by the package `sendgrid`."""
    import sendgrid  # noqa: PLC0415
    from sendgrid.helpers.mail import Mail  # noqa: PLC0415

    client = sendgrid.SendGridAPIClient("SG.benchmark", host=url)
    return lambda: client.send(Mail(SENDER, RECIPIENT, SUBJECT, html_content=HTML))


SIDES: dict[str, Callable[[str], Callable[[], object]]] = {
    "resend": lambda url: by_postroom("resend", url),
    "resend-sdk": by_resend_sdk,
    "sendgrid": lambda url: by_postroom("sendgrid", url),
    "sendgrid-sdk": by_sendgrid_sdk,
}


def measure(side: str, url: str, count: int) -> None:
    """Send so many mails, and print the CPU seconds that they took."""
    send = SIDES[side](url)
    before = time.process_time()
    for _ in range(count):
        send()
    print(json.dumps(time.process_time() - before))


def answer(request: Request) -> Reply:
    """Answer as the vendors do."""
    if request.path == "/emails":
        return Reply(200, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"})
    return Reply(202, b"", {"X-Message-Id": "14c5d75ce93.dfd.64b469"})


def run(side: str, server: HttpServer, bundle: Path, count: int) -> float:
    """Run one side in a process of its own, and return its CPU seconds."""
    before = len(server.requests)
    done = subprocess.run(
        [sys.executable, __file__, "--side", side, "--url", server.url, "--count", str(count)],
        env={**os.environ, "SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    assert len(server.requests) - before == count, "a mail is missing"
    return float(json.loads(done.stdout))


def main() -> int:
    """Run all sides in turn, print the table, and return 1 if a ratio is above the bar."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=200, help="mails of each side in a round")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options.add_argument("--url", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.side:
        measure(chosen.side, chosen.url, chosen.count)
        return 0
    taken: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        ca = Certificates(Path(folder))
        bundle = Path(folder, "bundle.pem")
        bundle.write_text(Path(certifi.where()).read_text("utf-8") + Path(ca.ca_file).read_text("utf-8"), "utf-8")
        with HttpServer(answer=answer, tls=ca.good) as server:
            for _ in range(chosen.rounds):
                for side in SIDES:
                    taken[side].append(run(side, server, bundle, chosen.count))
    print(f"{chosen.count} mails over TLS, CPU of the client, median of {chosen.rounds} rounds\n")
    print("| vendor | postroom | SDK | ratio |\n| --- | --- | --- | --- |")
    worst = 0.0
    for vendor in ("resend", "sendgrid"):
        ours, theirs = statistics.median(taken[vendor]), statistics.median(taken[f"{vendor}-sdk"])
        worst = max(worst, ours / theirs)
        version = metadata.version(vendor)
        print(f"| {vendor} | {ours:.2f} s | {theirs:.2f} s ({version}) | 1/{theirs / ours:.1f} |")
    print(f"\nbar: 1/{1 / BAR:.0f}, {'met' if worst <= BAR else 'missed'}")
    return 0 if worst <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
