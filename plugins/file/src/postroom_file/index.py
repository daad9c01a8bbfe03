"""The page that lists the messages of a folder. A message adds one line to its end, whatever the folder holds.

The page is never closed, which HTML allows, and shows its last line on top. A line shows by itself, so one that is cut
short, or that another process writes before the beginning of the page, spoils no other.
"""

import os
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path

from postroom_file import names
from postroom_file.page import beginning
from postroom_file.preview import Summary
from postroom_file.writing import add, make, read_beginning

NAME = "index.html"
_BEGINNING = 16384  # octets of a preview that hold what is listed, whatever stands in it
_LISTED = re.compile(
    r'<title>([^<]*)</title>\n<meta name="from" content="([^"]*)">\n<meta name="to" content="([^"]*)">'
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222;
       display: flex; flex-direction: column-reverse; }
h1 { font-size: 1.4rem; order: 2; }
.head { color: #666; order: 1; }
div { display: grid; grid-template-columns: 11rem 1fr 1fr 2fr 3rem; gap: .8rem; padding: .3rem 0;
      overflow-wrap: anywhere; border-bottom: 1px solid #ddd; }
"""
_HEAD = "<div class=head><span>Date</span><span>From</span><span>To</span><span>Subject</span></div>"


def begin(folder: Path) -> None:
    """Begin the index with the messages that the folder holds, unless it is there.

    Each message is listed once, without a lock, if it is written after this: whoever makes the file has looked at the
    folder before there was one, so no preview that it has found is of a process that adds a line of its own.
    """
    path = folder / NAME
    if os.path.lexists(path):
        return
    page = f"{beginning('Mails', style=_STYLE)}<h1>Mails</h1>\n{_HEAD}{''.join(_rows(folder))}"
    make(path, page.encode("ascii", "xmlcharrefreplace"))


def enter(folder: Path, stem: str, summary: Summary) -> None:
    """Add the line of a message, once the index has begun."""
    # ASCII, so that it reads the same if it comes before the page says its charset.
    add(folder / NAME, _row(stem, summary).encode("ascii", "xmlcharrefreplace"))


def _rows(folder: Path) -> Iterator[str]:
    """Yield the line of each message in a folder, oldest first. The preview is the last that is written of one."""
    for path in sorted(folder.glob("*.html")):
        if names.moment_of(path.stem) and (found := _LISTED.search(read_beginning(path, _BEGINNING))):
            yield _row(path.stem, Summary(*map(unescape, found.groups())))


def _row(stem: str, summary: Summary) -> str:
    subject, sender, recipients = map(escape, summary)
    # Attributes have no quotes, since one that is not closed would take in the next line.
    return (
        f"\n<div><span>{names.moment_of(stem)}</span><span>{sender}</span><span>{recipients}</span>"
        f"<a href={stem}.html>{subject}</a><a href={stem}.eml>.eml</a></div>"
    )
