"""SMTP replies: RFC 5321 section 4.2, with the enhanced codes of RFC 3463, read within bounds."""

import re
from collections.abc import Collection

import attrs

from postroom_smtp.connection import Connection

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]|$)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")
_MOST_LINES = 100  # the longest real EHLO reply has about thirty
_TEXT_LIMIT = 200  # characters that are shown to people
_SHORTEST_PIECE = 8  # characters of a secret that are recognised where it is cut or wrapped


class ProtocolError(Exception):
    """The server said something that is not SMTP, or said it at the wrong time."""


@attrs.frozen(repr=False)
class Reply:
    """One reply: its code and the text of each line.

    What is decided goes by `lines`, which are what the server said. What people see, `text` and `str`, is without the
    secrets that a server may quote.
    """

    code: int
    lines: tuple[str, ...]
    """The text of each line as it came, unprintable characters replaced."""
    hidden: Collection[str] = attrs.field(default=(), eq=False)
    """Secrets, as `clean` leaves them."""

    @property
    def enhanced_code(self) -> str | None:
        """The enhanced status code, such as `5.7.60`."""
        found = _ENHANCED.match(self.lines[0])
        return found[1] if found else None

    @property
    def text(self) -> str:
        """The words on one line, without enhanced codes and secrets, at most 200 characters."""
        words = " ".join(_ENHANCED.sub("", line, count=1).strip() for line in self.lines).strip()
        words = conceal(words, self.hidden) if self.hidden else words
        return words if len(words) <= _TEXT_LIMIT else words[: _TEXT_LIMIT - 1] + "…"

    @property
    def positive(self) -> bool:
        """True for 2yz."""
        return self.code // 100 == 2

    @property
    def transient(self) -> bool:
        """True if the same command may succeed later. The enhanced code decides where the two disagree."""
        return (self.enhanced_code or str(self.code))[0] == "4"

    def __str__(self) -> str:
        """Code, enhanced code and text, for people."""
        return " ".join(filter(None, (str(self.code), self.enhanced_code, self.text)))

    def __repr__(self) -> str:
        return f"<Reply {self}>"


def read_reply(connection: Connection, timeout: float, hidden: Collection[str] = ()) -> Reply:
    """Read one whole reply, however it is cut into segments.

    Args:
        connection: Where to read.
        timeout: Seconds for the whole reply, so that a server that drips bytes does not hold us.
        hidden: Secrets, as `clean` leaves them, that neither the reply nor an error shows.

    Raises:
        ProtocolError: It is not a reply, its lines disagree, or it does not end.
        TimeoutError: It did not come in time.
        ConnectionError: The server closed the connection.
    """
    until = connection.deadline.after(timeout)
    code: bytes | None = None
    lines: list[str] = []
    while len(lines) < _MOST_LINES:
        line = connection.read_line(until)
        found = _LINE.fullmatch(line)
        if found is None or code not in (None, found[1]):
            raise ProtocolError(_describe(line, hidden))
        code = found[1]
        lines.append(clean(found[3]))
        if found[2] != b"-":
            return Reply(int(code), tuple(lines), hidden)
    raise ProtocolError(f"the reply has more than {_MOST_LINES} lines")


def clean(raw: bytes) -> str:
    """Return what a server sent as printable text, fit for a log and a terminal."""
    text = raw.decode("utf-8", "replace").strip()
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def conceal(text: str, hidden: Collection[str]) -> str:
    """Return `text` without the secrets and without long pieces of them: servers quote, cut and wrap what they got."""
    for secret in hidden:
        size = min(len(secret), _SHORTEST_PIECE)
        if " " not in secret and all(len(word) < size for word in text.split()):
            continue  # as in nearly every reply
        shown, at = "", 0
        while at < len(text):
            end = at + size
            if end > len(text) or text[at:end] not in secret:
                shown, at = shown + text[at], at + 1
                continue
            while end < len(text) and text[at : end + 1] in secret:
                end += 1
            shown, at = shown + "***", end
        text = shown
    return text


def _describe(line: bytes, hidden: Collection[str]) -> str:
    if line.startswith((b"\x15\x03", b"\x16\x03")):  # a TLS alert or handshake record, RFC 8446 section 5.1
        return "the server speaks TLS where plain text is expected"
    return f"not an SMTP reply: {conceal(clean(line), hidden)[:60]!r}"
