"""Header lines: RFC 5322 (syntax, folding), RFC 2047 (encoded words), RFC 2231 (parameters).

Our own writer, because the standard library's folds an encoded line end in a subject into a second header line,
encodes IDN domains into something undeliverable, encodes long `List-Unsubscribe` values, and costs many times more.
Every function returns whole lines, each ending with CRLF. The message has refused control characters already.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote_from_bytes

from postroom import Address

_LINE = 78  # characters, RFC 5322 section 2.1.1
_ENCODED_WORD = 75  # characters, RFC 2047 section 2; a line that holds one has at most 76
_LONGEST_RUN = 900  # a run without a space cannot be folded, and a line holds 998
_Q_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")  # RFC 2047 section 5 (3)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PRINTABLE = re.compile(r"[ -~]*")
_SIMPLE_FILENAME = re.compile(r"[A-Za-z0-9_.()+-]+(?: [A-Za-z0-9_.()+-]+)*")


def text(name: str, value: str) -> str:
    """Write a header of free text, such as Subject: plain if it can be read back exactly, else as encoded words."""
    plain = _PRINTABLE.fullmatch(value) and value == value.strip() and "=?" not in value
    if plain and not _has_long_run(value):
        return verbatim(name, value)
    room = max(40, _ENCODED_WORD - len(name) - 1)  # the first word shares its line with the name
    return _fold(name, (f" {word}" for word in encoded_words(value, room)))


def verbatim(name: str, value: str) -> str:
    """Write an ASCII value as it is, folded only where it has a blank: a URL or a message id stays whole."""
    return _fold(name, re.findall(r"[ \t]+[^ \t]+", f" {value.strip()}"))


def addresses(name: str, mailboxes: Iterable[Address]) -> str:
    """Write an address list. Domains are A-labels already; a non-ASCII local part needs SMTPUTF8."""
    words: list[str] = []
    for mailbox in mailboxes:
        words += [f" {word}" for word in _phrase(mailbox.name)] if mailbox.name else []
        words.append(f" <{mailbox.spec}>," if mailbox.name else f" {mailbox.spec},")
    words[-1] = words[-1].removesuffix(",")
    return _fold(name, words)


def with_filename(value: str, filename: str) -> str:
    """Return a header value with the parameter `filename`, as RFC 2231 has it where it is not simply ASCII."""
    if _SIMPLE_FILENAME.fullmatch(filename) and len(filename) <= 60:
        return f'{value}; filename="{filename}"'
    chunks = list(_percent_chunks(filename))
    if len(chunks) == 1:
        return f"{value};\r\n filename*=utf-8''{chunks[0]}"
    chunks[0] = f"utf-8''{chunks[0]}"
    return value + "".join(f";\r\n filename*{number}*={chunk}" for number, chunk in enumerate(chunks))


def encoded_words(value: str, room: int) -> list[str]:
    """Split `value` into RFC 2047 encoded words of at most `room` characters, never inside a character."""
    as_q = sum(map(_q_size, value)) <= len(value.encode()) * 4 / 3
    payload = room - len("=?utf-8?b??=")
    words: list[str] = []
    chunk, size = "", 0
    for char in value:
        cost = _q_size(char) if as_q else len(char.encode())
        if size + cost > (payload if as_q else payload // 4 * 3):
            words.append(chunk)
            chunk, size = "", 0
        chunk += char
        size += cost
    words.append(chunk)
    return [f"=?utf-8?q?{_q(word)}?=" if as_q else f"=?utf-8?b?{_b(word)}?=" for word in words]


def _q_size(char: str) -> int:
    return 1 if char in _Q_SAFE or char == " " else 3 * len(char.encode())


def _q(word: str) -> str:
    return "".join(
        char if char in _Q_SAFE else "_" if char == " " else "".join(f"={byte:02X}" for byte in char.encode())
        for char in word
    )


def _b(word: str) -> str:
    return binascii.b2a_base64(word.encode(), newline=False).decode()


def _phrase(name: str) -> list[str]:
    if "=?" not in name:
        if _ATOMS.fullmatch(name) and not _has_long_run(name):
            return name.split(" ")
        if _PRINTABLE.fullmatch(name) and name == name.strip() and len(name) <= _LINE:
            return ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    return encoded_words(name, _ENCODED_WORD - len("Reply-To:"))


def _has_long_run(value: str) -> bool:
    return len(value) > _LONGEST_RUN and any(len(run) > _LONGEST_RUN for run in re.findall(r" *[^ ]+", value))


def _percent_chunks(filename: str) -> Iterator[str]:
    chunk = ""
    for char in filename:
        quoted = quote_from_bytes(char.encode(), safe="")
        if len(chunk) + len(quoted) > 50:
            yield chunk
            chunk = ""
        chunk += quoted
    yield chunk


def _fold(name: str, words: Iterable[str]) -> str:
    """Join words, each with its leading blanks, into lines of at most 78 characters where that is possible."""
    lines = [name + ":"]
    for word in words:
        # The first word follows the name: a line of nothing but the name upsets some receivers.
        if len(lines[-1]) + len(word) > _LINE and lines != [name + ":"]:
            lines.append(word)
        else:
            lines[-1] += word
    return "\r\n".join(lines) + "\r\n"
