"""Finds the start tags in HTML, in time that grows with its length, whatever it holds.

`html.parser` does not: until the releases of 2025, five seconds go into 20 KB of `<a <a <a …` (CVE-2025-6069).
"""

import html
import re
from collections.abc import Iterator

import attrs

UNKNOWN = "{{}}"
"""Stands for what Jinja will write."""

_JINJA = re.compile(r"\{\{|\{%|\{#")
_CLOSED = {"{{": "}}", "{%": "%}", "{#": "#}"}
_START = re.compile(r"<(!--|[A-Za-z][^\s/>]*+)")
# Possessive, so that a tag that nobody closes is given up at once.
_REST = re.compile(r"""((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_LONGEST = 2000  # characters of a value; nobody looks further into a data: URI
# Elements that hold no tags, and what ends them.
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "title", "textarea")}


@attrs.frozen
class Tag:
    """One start tag."""

    name: str
    """Its name, in lower case."""
    attributes: dict[str, str]
    """Its attributes by their names in lower case, the values decoded and without blanks around them."""
    line: int
    """Where it begins; the first line is 1."""


def tags(text: str) -> Iterator[Tag]:
    """Yield the start tags, without those in comments. Jinja's expressions are replaced by `UNKNOWN`."""
    text = _without_jinja(text)
    position, line, counted = 0, 1, 0
    while found := _START.search(text, position):
        line, counted = line + text.count("\n", counted, found.start()), found.start()
        name = found[1].lower()
        if name.startswith("!--"):
            end = text.find("-->", found.start() + 4)
            if end < 0:
                return
            position = end + 3
            continue
        rest = _REST.match(text, found.end())
        if rest is None:
            return  # a reader, too, takes all that follows for a part of this tag
        yield Tag(name, _attributes(rest[1]), line)
        position = rest.end()
        if name in _RAW:
            end_tag = _RAW[name].search(text, position)
            if end_tag is None:
                return
            position = end_tag.start()


def _attributes(text: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(text):
        bare = value[1:-1] if value[:1] in {'"', "'"} else value
        made.setdefault(name.lower(), html.unescape(bare[:_LONGEST]).strip())
    return made


def _without_jinja(text: str) -> str:
    """Replace expressions and blocks, drop comments, and keep the line ends, so that lines keep their numbers."""
    pieces: list[str] = []
    position = 0
    unclosed: set[str] = set()
    while found := _JINJA.search(text, position):
        closing = _CLOSED[found[0]]
        end = -1 if closing in unclosed else text.find(closing, found.end())
        if end < 0:
            unclosed.add(closing)
            pieces.append(text[position : found.end()])
            position = found.end()
            continue
        kept = "" if closing == "#}" else UNKNOWN
        pieces += [text[position : found.start()], kept, "\n" * text.count("\n", found.start(), end)]
        position = end + 2
    return "".join([*pieces, text[position:]])
