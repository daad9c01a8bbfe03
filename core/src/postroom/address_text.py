"""The text of address lists, taken apart: RFC 5322 section 3.4, with the non-ASCII characters of RFC 6532.

Every text has one reading here, or none. What two programs read as two different addresses is refused: a program that
checks an address and a server that delivers to it must not differ (CVE-2023-27043 of Python's `email.utils`).
"""

import re
from collections.abc import Iterator, Sequence

from postroom.errors import MailMessageError

# Blanks of other scripts and characters without a picture may stand bare (RFC 6532), but nobody could see them; they
# are quoted like a space. The joiners U+200C and U+200D stay: Persian, Indic and emoji need them.
INVISIBLE = r"\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
ATEXT = rf"(?:[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]|[^\s\x00-\x7f{INVISIBLE}])"
DOT_ATOM = re.compile(rf"{ATEXT}+(?:\.{ATEXT}+)*")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# One piece of an address list: a quoted string, an <address>, a comma, or one other character. A quote that nobody
# closes takes the rest, or hostile input would be searched for the closing one again and again.
_PIECE = re.compile(rf'{_QUOTED}|<(?:{_QUOTED}|[^<>"])*>|".*|.', re.DOTALL)
# Without quotes, a name holds no character that has a meaning in a list, or a program that gives it that meaning would
# find another address. Brackets in pairs are taken, since people write them; a comment has no address and no quote in
# it then, and may be read as a comment or as a part of the name.
_WORDS = r'[^()\[\]<>@:;,\\"]'
NAME = re.compile(rf"(?:{_WORDS}++|{_QUOTED}|\({_WORDS}*+\)|\[{_WORDS}*+\])*+")


def quote(text: str) -> str:
    """Return `text` as a quoted string (RFC 5322 section 3.2.4)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def split(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each item of an address list: where it begins, and its pieces, blanks included."""
    start = end = 0
    item: list[str] = []
    for piece in (*_PIECE.findall(text), ","):
        end += len(piece)
        if piece == ",":
            yield start, item
            start, item = end, []
        else:
            item.append(piece)


def trim(pieces: list[str]) -> list[str]:
    """Return the pieces without the blanks around them."""
    solid = [position for position, piece in enumerate(pieces) if not piece.isspace()]
    return pieces[solid[0] : solid[-1] + 1] if solid else []


def read(pieces: Sequence[str]) -> tuple[str, str, str]:
    """Return the part before the @, the domain and the display name of one item, which is not empty.

    Raises:
        MailMessageError: It is no mailbox. The domain has not been looked at.
    """
    item = spec = "".join(pieces)
    name = ""
    *words, last = pieces
    bracketed = last[0] == "<" and last[-1] == ">"
    if any(piece[0] in "<>" for piece in (words if bracketed else pieces)):
        raise _malformed(item, "< and > stand only once, around the address at its end")
    if bracketed:
        if odd := NAME.sub("", "".join(words), count=1):
            raise _malformed(item, f"{odd[0]!r} cannot stand in a name without quotes")
        name, spec = "".join(map(_unquote, trim(words))), last[1:-1].strip()
    local_part, at, domain = spec.rpartition("@")
    if not at:
        raise _malformed(item, "it has no @")
    if not (re.fullmatch(_QUOTED, local_part) or DOT_ATOM.fullmatch(local_part)):
        raise _malformed(item, f"{local_part[:64]!r} cannot stand before the @ without quotes")
    return _unquote(local_part), domain, name


def _malformed(item: str, reason: str) -> MailMessageError:
    return MailMessageError(f"{item[:100]!r} is not an address: {reason}")


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if re.fullmatch(_QUOTED, text) else text
