"""Sends many mails to servers that fail at random moments, and checks each verdict against what they have taken.

    uv run python tests/chaos/run.py --mails 50000 --seed 1

It prints what has happened, and fails if a verdict is false, a mail is taken twice, or something is left behind. With
`--write docs`, it writes the figures into docs/reliability.md. Everything is on loopback.
"""

import argparse
import logging
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from measuring import machine, table, versions

from chaos.interrupts import KINDS as FROM_OUTSIDE
from chaos.kinds import KINDS
from chaos.rounds import ROUND, Figures, run
from chaos.threads import INTERRUPTED
from postroom_testing import Certificates

OUTCOMES = ("accepted", "not sent", "unknown", INTERRUPTED)
MARKS = "<!-- chaos: written by tests/chaos/run.py -->", "<!-- end of chaos -->"
LEAST = 20_000  # mails of a run that goes into the docs


def summary(figures: Mapping[str, Figures]) -> str:
    """Return what has become of the mails, by kind of server."""
    whole = Figures()
    for each in figures.values():
        whole.add(each)
    rows = [
        (
            name,
            f"{each.mails:,}",
            *(f"{each.outcomes[outcome]:,}" for outcome in OUTCOMES),
            f"{each.again:,}",
            f"{sum(each.faults.values()):,}",
        )
        for name, each in [*figures.items(), ("all", whole)]
    ]
    return table(("server", "mails", *OUTCOMES, "sent again", "faults"), rows)


def faults(figures: Mapping[str, Figures]) -> str:
    """Return how often what has gone wrong: a row for each manner, with the moments added up."""
    manners: dict[str, Counter[str]] = {}
    for name, each in figures.items():
        for (_, manner), count in each.faults.items():
            manners.setdefault(manner, Counter())[name] += count
    rows = [
        (manner, *(f"{seen[name]:,}" if seen[name] else "" for name in figures)) for manner, seen in ordered(manners)
    ]
    return table(("fault", *figures), rows)


def ordered(manners: Mapping[str, Counter[str]]) -> Iterator[tuple[str, Counter[str]]]:
    """Yield what comes by the network first, what comes from outside last."""
    outside = {kind.__name__ for kind in FROM_OUTSIDE}
    for manner in sorted(manners, key=lambda each: (each in outside, each)):
        yield manner, manners[manner]


def report(figures: Mapping[str, Figures], seed: int) -> str:
    """Return the figures as they stand in the docs."""
    count = sum(each.mails for each in figures.values())
    gone_wrong = sum(sum(each.faults.values()) for each in figures.values())
    moments = {fault for each in figures.values() for fault in each.faults}
    return (
        f"{count:,} mails, {gone_wrong:,} faults of {len(moments)} kinds (what and when), seed {seed}. Nothing "
        "was lost, nothing was taken twice, and no verdict was false.\n\n"
        f"Run on {machine()}; with {versions(['postroom', 'postroom-smtp', 'postroom-http'])}.\n\n"
        f"{summary(figures)}\n"
        "How often what went wrong:\n\n"
        f"{faults(figures)}"
    )


def write(docs: Path, text: str) -> None:
    """Put the figures between the marks of the page."""
    page = docs / "reliability.md"
    begin, end = map(re.escape, MARKS)
    old = page.read_text("utf-8")
    new, count = re.subn(f"(?<={begin}\n).*?(?={end})", lambda _: f"\n{text}\n", old, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page} does not have the marks {MARKS} once")
    page.write_text(new, "utf-8")


def main() -> int:
    """Send, print, write if asked to; return 1 if something does not hold."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--mails", type=int, default=50_000, help="how many in all; each kind of server gets its share"
    )
    options.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the faults; drawn if not given")
    options.add_argument("--only", choices=KINDS, help="one kind of server")
    options.add_argument(
        "--write", type=Path, metavar="DOCS", help="folder with reliability.md, to write the figures into"
    )
    chosen = options.parse_args()
    if chosen.write is not None and (chosen.only or chosen.mails < LEAST):
        options.error(f"--write wants every kind of server and at least {LEAST:,} mails")
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it warns of each answer that is cut
    # What is interrupted in a finalizer cannot leave it; Python would print it.
    sys.unraisablehook = lambda said: None if isinstance(said.exc_value, FROM_OUTSIDE) else sys.__unraisablehook__(said)
    names = [chosen.only] if chosen.only else [*KINDS]
    share = -(-chosen.mails // len(names) // ROUND) * ROUND  # whole rounds
    figures: dict[str, Figures] = {}
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder))
        for name in names:
            try:
                figures[name] = run(name, share, chosen.seed, certificates)
            except AssertionError as error:
                print(f"FAILED {error}")
                return 1
            print(f"{name}: {share:,} mails in {figures[name].seconds:.0f} s", flush=True)
    text = report(figures, chosen.seed)
    print(f"\n{text}")
    if chosen.write is not None:
        write(chosen.write, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
