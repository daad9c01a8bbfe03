"""Header lines: RFC 5322 (syntax, folding), RFC 2047 (encoded words), RFC 2231 (parameters).

Our own writer, because the standard library's folds an encoded line end in a subject into a second header line,
encodes IDN domains into something undeliverable, encodes long `List-Unsubscribe` values, and costs many times more.
Every function that writes a header returns whole lines, each ending with CRLF. The message has refused control
characters already.
"""

import binascii
import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from postroom import Address

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LINE = 76  # characters if a line holds an encoded word, RFC 2047 section 2; RFC 5322 would like 78 for the others
_LONGEST_RUN = 900  # a run without a space cannot be folded, and a line holds 998
_Q_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")  # RFC 2047 section 5 (3)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PRINTABLE = re.compile(r"[ -~]*")
# Without what has to be escaped in quotes, or looks like more quotes: many readers take an escape as it stands, and the
# standard library's removes quotes and < > twice.
_QUOTABLE = re.compile(rf"[ !#-;=-\[\]-~]{{1,{_LONGEST_RUN}}}")
_NAME = re.compile(r"; *name\*?[0-9]*\*?=", re.IGNORECASE)


def text(name: str, value: str) -> str:
    """Write a header of free text, such as Subject: plain if it can be read back exactly, else as encoded words."""
    if _PRINTABLE.fullmatch(value) and value == value.strip() and "=?" not in value and not _has_long_run(value):
        return verbatim(name, value)
    return _fold(name, [f" {word}" for word in encoded_words(value, _room(name))])


def verbatim(name: str, value: str) -> str:
    """Write an ASCII value as it is, folded only where it has a blank: a URL or a message id stays whole."""
    line = f"{name}: {value.strip()}"
    if len(line) <= _LINE and line[-1] != " ":
        return f"{line}\r\n"
    return _fold(name, re.findall(r"[ \t]+[^ \t]+", f" {value.strip()}"))


def date(moment: datetime.datetime) -> str:
    """Write the Date header, in UTC (RFC 5322 section 3.3), in English whatever the locale is."""
    utc = moment.astimezone(datetime.UTC)
    day, month = _DAYS[utc.weekday()], _MONTHS[utc.month - 1]
    return f"Date: {day}, {utc.day:02} {month} {utc.year:04} {utc.hour:02}:{utc.minute:02}:{utc.second:02} +0000\r\n"


def addresses(name: str, mailboxes: Iterable[Address]) -> str:
    """Write an address list. Domains are A-labels already; a non-ASCII local part needs SMTPUTF8."""
    words: list[str] = []
    for mailbox in mailboxes:
        words += [f" {word}" for word in _phrase(mailbox.name, _room(name))] if mailbox.name else []
        words.append(f" <{mailbox.spec}>," if mailbox.name else f" {mailbox.spec},")
    words[-1] = words[-1].removesuffix(",")
    return _fold(name, words)


def disposition(kind: str, filename: str) -> str:
    """Write Content-Disposition, with a file name that is simply ASCII in quotes, and any other as RFC 2231 has it.

    There is no second name in ASCII beside the latter: some readers would take that one.
    """
    if _fits_quotes(filename):
        parameters = [f'filename="{filename}"']
    else:
        first, *others = (quote(chunk, safe="") for chunk in _chunks(filename, _percent_size, 50))
        parameters = [f"filename*0*=utf-8''{first}"] if others else [f"filename*=utf-8''{first}"]
        parameters += [f"filename*{number}*={chunk}" for number, chunk in enumerate(others, 1)]
    return "Content-Disposition: " + ";\r\n ".join([kind, *parameters]) + "\r\n"


def content_type(kind: str, filename: str) -> str:
    """Write the Content-Type of a file. A name that is not simply ASCII is there as well, as encoded words in quotes.

    RFC 2047 section 5 (3) forbids them there, but QQ mail and older Outlook read no other name that is not ASCII:
    https://github.com/nodemailer/nodemailer/issues/374, https://github.com/jstedfast/MailKit/issues/277.
    """
    if _fits_quotes(filename) or _NAME.search(kind):
        return f"Content-Type: {kind}\r\n"
    words = encoded_words(filename, _LINE - len(' name=""'))
    return f'Content-Type: {kind};\r\n name="' + "\r\n ".join(words) + '"\r\n'


def encoded_words(value: str, room: int) -> list[str]:
    """Split `value` into RFC 2047 encoded words of at most `room` characters, in the shorter encoding for the whole."""
    payload = room - len("=?utf-8?q??=")
    if sum(map(_q_size, value)) <= len(value.encode()) * 4 / 3:
        return [f"=?utf-8?q?{_q(chunk)}?=" for chunk in _chunks(value, _q_size, payload)]
    return [f"=?utf-8?b?{_b(chunk)}?=" for chunk in _chunks(value, _octets, payload // 4 * 3)]


def _room(name: str) -> int:
    """Return how long an encoded word may be that shares its line with the name of the header."""
    return max(40, _LINE - len(f"{name}: "))  # a name so long that less is left spoils its own line only


def _chunks(value: str, size: Callable[[str], int], room: int) -> Iterator[str]:
    """Cut `value` into pieces that take at most `room`, never inside a character."""
    start = used = 0
    for position, char in enumerate(value):
        used += size(char)
        if used > room:
            yield value[start:position]
            start, used = position, size(char)
    yield value[start:]


def _octets(char: str) -> int:
    return len(char.encode())


def _percent_size(char: str) -> int:
    return len(quote(char, safe=""))


def _q_size(char: str) -> int:
    return 1 if char in _Q_SAFE or char == " " else 3 * _octets(char)


def _q(chunk: str) -> str:
    return "".join(
        char if char in _Q_SAFE else "_" if char == " " else "".join(f"={octet:02X}" for octet in char.encode())
        for char in chunk
    )


def _b(chunk: str) -> str:
    return binascii.b2a_base64(chunk.encode(), newline=False).decode()


def _phrase(name: str, room: int) -> list[str]:
    """Return a display name as the words between which it may be folded; encoded and plain ones never mix."""
    if "=?" not in name:
        if _ATOMS.fullmatch(name) and not _has_long_run(name):
            return name.split(" ")
        if _PRINTABLE.fullmatch(name) and name == name.strip() and len(name) <= _LINE:
            return ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    return encoded_words(name, room)


def _fits_quotes(filename: str) -> bool:
    return _QUOTABLE.fullmatch(filename) is not None and "=?" not in filename


def _has_long_run(value: str) -> bool:
    return len(value) > _LONGEST_RUN and any(len(run) > _LONGEST_RUN for run in re.findall(r" *[^ ]+", value))


def _fold(name: str, words: list[str]) -> str:
    """Join words, each with its leading blanks, into lines of at most 76 characters where that is possible."""
    whole = f"{name}:{''.join(words)}"
    if len(whole) <= _LINE:
        return f"{whole}\r\n"
    lines = [name + ":"]
    for word in words:
        # The first word follows the name: a line of nothing but the name upsets some receivers.
        if len(lines[-1]) + len(word) > _LINE and lines != [name + ":"]:
            lines.append(word)
        else:
            lines[-1] += word
    return "\r\n".join(lines) + "\r\n"
