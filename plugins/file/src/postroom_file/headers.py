"""Header lines of an `.eml`: RFC 5322 (syntax), RFC 2047 (encoded words), RFC 2231 (parameters).

The standard library carries MIME well, but its header objects lose things: they refuse a subject with U+2028, and
decode what looks like an encoded word in a name. So these lines are written here. The message has refused control
characters already.
"""

import base64
import re
from collections.abc import Iterable
from email.policy import EmailPolicy
from typing import Self
from urllib.parse import quote

from postroom import Address

_LONGEST = 900  # characters that are left in one line; a line holds 998 (RFC 5322 section 2.1.1)
_CHUNK = 9  # characters in an encoded word: at most 36 octets, and so 60 characters with everything around them
_PIECE = 60  # octets of a file name in one piece of a parameter, before some of them are escaped
# Without what has to be escaped in quotes, or looks like more quotes: many readers take an escape as it stands.
_QUOTABLE = re.compile(rf"[ !#-;=-\[\]-~]{{1,{_LONGEST}}}")
_NAME = re.compile(r"; *name\*?[0-9]*\*?=", re.IGNORECASE)


class Line(str):
    """The value of a header that is written as it stands.

    `EmailPolicy` takes a value with a `name` for one of its own header objects, and has it fold itself.
    """

    __slots__ = ("name",)

    name: str
    """Name of the header."""

    def __new__(cls, name: str, value: str) -> Self:
        """Make the value of the header `name`; it is folded already."""
        made = super().__new__(cls, value)
        made.name = name
        return made

    def fold(self, *, policy: EmailPolicy) -> str:
        """Return the whole header."""
        return f"{self.name}: {self}{policy.linesep}"


def text(name: str, value: str) -> Line:
    """Write a header of free text: plain if it can be read back exactly, else as encoded words."""
    plain = _is_plain(value) and value == value.strip() and len(value) <= _LONGEST
    return Line(name, value if plain else _encoded(value))


def custom(name: str, value: str) -> Line:
    """Write a header of the caller's: ASCII stays as it is, and is folded at its blanks if it is too long."""
    if not value.isascii():
        return text(name, value)
    value = value.strip()
    return Line(name, value if len(value) <= _LONGEST else re.sub(r"(?<=\S)(\s+)(?=\S)", r"\r\n\1", value))


def addresses(name: str, mailboxes: Iterable[Address]) -> Line:
    """Write an address list, a line for each. Non-ASCII local parts stay as they are (RFC 6532)."""
    return Line(name, ",\r\n ".join(map(_mailbox, mailboxes)))


def disposition(kind: str, filename: str) -> Line:
    """Write Content-Disposition, with a file name that is simply ASCII in quotes, and any other as RFC 2231 has it."""
    if _fits_quotes(filename):
        return Line("Content-Disposition", f'{kind};\r\n filename="{filename}"')
    octets = filename.encode()
    pieces = [quote(octets[start : start + _PIECE], safe="") for start in range(0, len(octets), _PIECE)]
    first, *others = pieces
    parameters = [f"filename*0*=utf-8''{first}"] if others else [f"filename*=utf-8''{first}"]
    parameters += [f"filename*{number}*={piece}" for number, piece in enumerate(others, 1)]
    return Line("Content-Disposition", ";\r\n ".join([kind, *parameters]))


def content_type(kind: str, filename: str) -> Line:
    """Write the Content-Type of a file. A name that is not simply ASCII is there as well, as encoded words in quotes.

    QQ mail and older Outlook read no other: https://github.com/nodemailer/nodemailer/issues/374.
    """
    plain = _fits_quotes(filename) or _NAME.search(kind)
    return Line("Content-Type", kind if plain else f'{kind};\r\n name="{_encoded(filename)}"')


def _mailbox(address: Address) -> str:
    whole = str(address)  # with quotes where they are needed
    if not address.name or (_is_plain(address.name) and len(whole) <= _LONGEST):
        return whole
    return f"{_encoded(address.name)}\r\n <{address.spec}>"


def _fits_quotes(filename: str) -> bool:
    return _QUOTABLE.fullmatch(filename) is not None and "=?" not in filename


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and "=?" not in value


def _encoded(value: str) -> str:
    """Return `value` as encoded words, a line for each, never cut inside a character."""
    chunks = (value[start : start + _CHUNK] for start in range(0, len(value), _CHUNK))
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(chunk.encode()).decode()}?=" for chunk in chunks)
