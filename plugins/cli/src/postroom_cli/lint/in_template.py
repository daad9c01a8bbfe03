"""What is wrong with the HTML of a mail: a template, or the body of a message.

Jinja's expressions stand for text that is not known: what begins with one is taken for good.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from postroom_cli.lint import rules, tags
from postroom_cli.lint.finding import Check, Finding

_CLIPPED = 102 * 1024  # octets of HTML; Gmail shows the rest on a page of its own
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def template(path: Path, data: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a template, whose plain text stands in a file beside it."""
    if not path.with_suffix(".txt").is_file():
        yield rules.NO_TEXT_FILE.at(path, f"there is no {path.with_suffix('.txt').name} beside it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield rules.NOT_UTF_8.at(path, f"the file is not UTF-8: octet {data[error.start]:#04x} at {error.start}")
        text = data.decode("utf-8", "replace")
    yield from elements(path, text)


def elements(path: Path, html: str) -> Iterator[Finding]:
    """Yield what is wrong with HTML, each kind of it once, with the line where it is first and how often it is."""
    size = len(html.encode("utf-8", "replace"))
    if size > _CLIPPED:
        yield rules.HTML_CLIPPED.at(path, f"the HTML has {size} octets, and Gmail shows about {_CLIPPED}")
    found: dict[Check, tuple[str, int]] = {}
    for tag in tags.tags(html):
        for check, what in _problems(tag):
            first, count = found.get(check, (f"line {tag.line} of the HTML: {what}", 0))
            found[check] = first, count + 1
    for check, (first, count) in found.items():
        yield check.at(path, first if count == 1 else f"{first}, and {count - 1} more")


def _problems(tag: tags.Tag) -> Iterator[tuple[Check, str]]:
    if tag.name == "script":
        yield rules.SCRIPT, "a script"
    elif tag.name == "link" and "stylesheet" in tag.attributes.get("rel", "").lower().split():
        yield rules.EXTERNAL_STYLESHEET, f"the stylesheet {_quoted(tag.attributes.get('href', ''))}"
    elif tag.name == "img" and "src" in tag.attributes:
        yield from _image(tag.attributes["src"])
    elif tag.name in {"a", "area"} and "href" in tag.attributes:
        yield from _link(tag.attributes["href"])


def _image(address: str) -> Iterator[tuple[Check, str]]:
    if address.startswith(tags.UNKNOWN):
        return
    if address.lower().startswith("data:"):
        yield rules.DATA_IMAGE, "an image within the HTML, which Outlook and some others do not show"
    elif address.lower().startswith("http:"):
        yield rules.INSECURE_IMAGE, f"the image {_quoted(address)} comes without TLS"
    elif not _SCHEME.match(address):
        yield rules.RELATIVE_IMAGE, f"the image {_quoted(address)} has no whole address"


def _link(address: str) -> Iterator[tuple[Check, str]]:
    if address.startswith(tags.UNKNOWN):
        return
    if address in {"", "#"}:
        yield rules.EMPTY_LINK, "a link that leads nowhere"
    elif not address.startswith("#") and not _SCHEME.match(address):
        yield rules.RELATIVE_LINK, f"the link {_quoted(address)} has no whole address"


def _quoted(address: str) -> str:
    return repr(address if len(address) <= 60 else f"{address[:59]}…")
