"""What surely does not belong to a value: quotes around it, blanks, line ends and invisible characters, a comment.

`docker --env-file` keeps quotes and comments, `echo` ends a file with a line end, and text that is copied from a web
page brings invisible characters. What is said about a value never holds it.

https://docs.docker.com/reference/cli/docker/container/run/#env
"""

import re

from postroom.secret import Secret

_QUOTES = "\"'`“”„‘’«»"
_PAIRS = {'""', "''", "``", "“”", "””", "„“", "‘’", "’’", "«»"}
_LINE_ENDS = "\r\n"
_BLANKS = " \t"
_MARK = "\ufeff"
_COMMENT = re.compile(r"[ \t]#\s[^>]*$")  # not `Team # 1 <team@example.com>`
_ANY_COMMENT = re.compile(r"[ \t]#")  # in a value that is refused anyway


def doubt(raw: object, *, refused: bool = False) -> str | None:
    """Return what is suspicious about a raw value, why, and how to write it; None if nothing is.

    Args:
        raw: The value; what is no text is never suspicious.
        refused: True if the value is known to be wrong, so that a weak sign counts.
    """
    found = _slips(raw, refused=refused)
    return f"{', and '.join(found)}: write it {_all(found)}" if found else None


def remedy(raw: object, *, refused: bool = False) -> str | None:
    """Return how to write a suspicious value, such as `without quotes`; None if nothing is suspicious about it."""
    return _all(_slips(raw, refused=refused)) or None


def because(reason: str, raw: object) -> str:
    """Return why a value is refused, with what may be the cause."""
    said = doubt(raw, refused=True)
    return f"{reason} ({said})" if said else reason


def _all(found: dict[str, str]) -> str:
    return " and ".join(dict.fromkeys(found.values()))


def _slips(raw: object, *, refused: bool) -> dict[str, str]:
    """Return what is suspicious, from the outside to the inside, and how to write the value instead."""
    text = raw.reveal() if isinstance(raw, Secret) else raw
    if not isinstance(text, str):
        return {}
    found: dict[str, str] = {}
    while text:
        at, char = next(((at, text[at]) for at in (0, -1) if _is_unseen(text[at])), (0, ""))
        if char:
            text = text.strip(char)
            found |= _unseen(("begins", "ends")[at], char, text)
        elif (pattern := _ANY_COMMENT if refused else _COMMENT).search(text):
            text = pattern.split(text, maxsplit=1)[0]
            found["a comment follows it, which docker --env-file keeps"] = "without the comment"
        else:
            return found | _quotes(text)
    return found


def _is_unseen(char: str) -> bool:
    return char.isspace() or not char.isprintable()


def _unseen(verb: str, char: str, rest: str) -> dict[str, str]:
    if char in _LINE_ENDS:
        if any(each in rest for each in _LINE_ENDS):
            return {}  # of several lines, the last one ends like the others, as in a PEM file
        return {f"it {verb} with a line end, as echo writes one": "without the line end"}
    if char in _BLANKS:
        return {f"it {verb} with a blank": "without the blank"}
    if char == _MARK:
        return {f"it {verb} with a byte order mark, as some editors write one": "without the byte order mark"}
    name = f"invisible character (U+{ord(char):04X})"
    return {f"it {verb} with an {name}, as text that is copied from a web page does": f"without the {name}"}


def _quotes(text: str) -> dict[str, str]:
    if len(text) > 1 and text[0] + text[-1] in _PAIRS:
        return {"it is in quotes, which docker --env-file keeps": "without quotes"}
    for verb, char in (("begins", text[0]), ("ends", text[-1])):
        if char in _QUOTES and text.count(char) % 2:  # not `"Ada, Inc." <ada@example.com>`
            return {f"it {verb} with a quote that has no counterpart": "without the quote, unless that belongs to it"}
    return {}
