"""What postroom costs when a process starts, in an environment of 300 distributions, against Dify's own mail modules.

    uv run --group benchmarks python tests/benchmarks/boot.py

Each subject is a whole process, whose processor time is taken, less that of a bare Python; the rounds alternate. The
run fails if a bar is missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from measuring import Bar, bars_table, failed, figure, machine, table, versions

from postroom_testing import write_distribution

DISTRIBUTIONS = 300
BARE, DIFY, SCAN, BUILT = "bare Python", "resend, sendgrid, smtplib", "postroom and the scan", "with smtp-basic built"
CONFIG = "{'MAIL_TYPE': 'smtp', 'SMTP_SERVER': 'smtp.example.com', 'SMTP_PORT': 587, 'SMTP_USE_TLS': 'true'}"
SUBJECTS = {
    BARE: "pass",
    DIFY: "import resend, sendgrid, smtplib, email.mime.multipart, email.mime.text",
    SCAN: "import postroom; assert len(postroom.MailSenderFactory.get_supported_types()) >= 5",
    BUILT: f"import postroom; assert postroom.MailSenderFactory.create_from_dify_config({CONFIG})",
}


def installed(folder: Path) -> None:
    """Fill a folder of the import path, so that the environment has as many distributions as Dify's."""
    there = sum(1 for path in sys.path if path for _ in Path(path).glob("*.dist-info"))
    for number in range(max(0, DISTRIBUTIONS - there)):
        name = f"filling-{number}"
        info = write_distribution(folder, name, f"[console_scripts]\n{name} = filling:main\n" if number % 3 else None)
        (info / "RECORD").write_text(f"{info.name}/METADATA,,\n", encoding="utf-8")
    # Every environment has a malformed one.
    write_distribution(folder, "filling-broken", b"[console_scripts\nno = section")


def seconds(source: str, environment: Mapping[str, str]) -> float:
    """Run a program and return the processor's time for it, from its start to its end."""
    with subprocess.Popen([sys.executable, "-c", source], env=environment) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, source
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure, print, and return 1 if a bar is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=25)
    rounds: int = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        installed(Path(folder))
        # Bytecode is kept for the run, where the environment forbids it, too: else each process compiles its modules.
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for source in SUBJECTS.values():
            seconds(source, environment)
        taken = [{name: seconds(source, environment) for name, source in SUBJECTS.items()} for _ in range(rounds)]
    typical = {name: statistics.median(each[name] for each in taken) for name in SUBJECTS}
    shares = {name: (typical[name] - typical[BARE]) / (typical[DIFY] - typical[BARE]) for name in (SCAN, BUILT)}
    used = versions(("postroom", "resend", "sendgrid", "requests"))
    print(f"{DISTRIBUTIONS} distributions, on {machine()}; with {used}.\n")
    rows = [(name, figure(shares.get(name, 1.0))) for name in (DIFY, SCAN, BUILT)]
    print(table(("what a process loads", f"share of *{DIFY}*"), rows))
    bars = [
        Bar("`import postroom` and the scan", 0.4, shares[SCAN], at_most=True),
        Bar("with smtp-basic built", 0.6, shares[BUILT], at_most=True),
    ]
    print(bars_table(bars))
    return 1 if failed(bars) else 0


if __name__ == "__main__":
    sys.exit(main())
