"""What the benchmarks share: medians of ratios, the bars, Markdown tables, and what they ran on."""

import importlib.metadata
import os
import platform
import ssl
import statistics
from collections.abc import Iterable, Mapping, Sequence

import attrs

SENDER, RECIPIENT = "no-reply@example.com", "grace@example.net"
SUBJECT = "Your code"
ASCII_HTML = "<p>Your code is <b>123456</b>. It is good for five minutes.</p>\n" * 32
"""2 KB, as a mail with a code has it."""


@attrs.frozen
class Bar:
    """A figure that must be reached."""

    text: str
    wanted: float
    got: float
    at_most: bool = False
    """True if less is better."""
    counted: bool = False
    """True if it is a count, which a busy machine does not change; False for a ratio of times."""

    @property
    def met(self) -> bool:
        """True if it is reached."""
        return self.got <= self.wanted if self.at_most else self.got >= self.wanted


def ratio(rounds: Mapping[str, Sequence[float]], subject: str, base: str) -> float:
    """Return how often the subject goes into the base, by the median of the rounds; above 1 it is faster.

    Args:
        rounds: Seconds for each message of every subject, one figure for each round.
        subject: Name of the subject.
        base: Name of what it is measured against in the same round.
    """
    return statistics.median(theirs / ours for ours, theirs in zip(rounds[subject], rounds[base], strict=True))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


def figure(value: float | None) -> str:
    """Return a ratio as it stands in a table: two or three digits that count."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 4 else f"{value:.2f}"


def bars_table(bars: Iterable[Bar], *, decisive: bool = True) -> str:
    """Return the bars as a table.

    Args:
        bars: What was to be reached.
        decisive: False if only counts are held against the run.
    """
    rows = []
    for bar in bars:
        verdict = "met" if bar.met else "missed" if decisive or bar.counted else "not decisive in a small run"
        rows.append((bar.text, f"{'≤' if bar.at_most else '≥'} {bar.wanted:g}", figure(bar.got), verdict))
    return table(("bar", "wanted", "measured", ""), rows)


def failed(bars: Iterable[Bar], *, decisive: bool = True) -> bool:
    """Return True if a bar is missed; see `bars_table`."""
    return any(not bar.met for bar in bars if decisive or bar.counted)


def machine() -> str:
    """Return what it ran on, in one line: nothing that names a host or a person."""
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}), {platform.system()} {platform.release().split('-')[0]}, "
        f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}"
    )


def versions(names: Iterable[str]) -> str:
    """Return the distributions that are installed, with their versions."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
