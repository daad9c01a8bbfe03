"""The page that lists the messages of a folder, made of what the folder holds."""

import re
from collections.abc import Iterable, Iterator
from html import escape, unescape
from pathlib import Path

from postroom_file import names
from postroom_file.page import page
from postroom_file.writing import write

NAME = "index.html"
_BEGINNING = 16384  # octets of a preview that hold what is listed, whatever stands in it
_LISTED = re.compile(
    r'<title>([^<]*)</title>\n<meta name="from" content="([^"]*)">\n<meta name="to" content="([^"]*)">'
)


def rebuild(folder: Path) -> None:
    """Write the index anew, until it lists what is there.

    Several writers need no lock: who replaces the index as the last one has looked afterwards whether anything is
    missing in it, and whoever adds a message later will replace it later.
    """
    listed: list[str] | None = None
    while (found := _stems(folder)) != listed:
        write(folder / NAME, page("Mails", _body(_rows(folder, found))))
        listed = found


def _stems(folder: Path) -> list[str]:
    """Return the stems of the previews in a folder, newest first. A preview is the last that is written of a mail."""
    return sorted((path.stem for path in folder.glob("*.html") if names.moment_of(path.stem)), reverse=True)


def _rows(folder: Path, stems: Iterable[str]) -> Iterator[str]:
    for stem in stems:
        try:
            with (folder / f"{stem}.html").open("rb") as file:
                beginning = file.read(_BEGINNING).decode("utf-8", "replace")
        except FileNotFoundError:
            continue  # somebody tidies up
        if found := _LISTED.search(beginning):
            subject, sender, recipients = (escape(unescape(value)) for value in found.groups())
            yield (
                f"<tr><td>{names.moment_of(stem)}</td><td>{sender}</td><td>{recipients}</td>"
                f'<td><a href="{stem}.html">{subject}</a></td><td><a href="{stem}.eml">.eml</a></td></tr>'
            )


def _body(rows: Iterable[str]) -> str:
    head = "<tr><th>Date</th><th>From</th><th>To</th><th>Subject</th><th></th></tr>"
    return "\n".join(["<h1>Mails</h1>", "<table>", head, *rows, "</table>"])
