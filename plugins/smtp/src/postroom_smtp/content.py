"""A rendered message: its bytes in pieces, so that a large file is in memory once."""

import re
from collections.abc import Iterable, Iterator

import attrs

_COMMAND = re.compile(rb"^(?:MAIL|RCPT|DATA|BDAT)\b", re.IGNORECASE | re.MULTILINE)
_BLOCK = 65_536  # octets; pieces are joined up to here, so that a small message is one write


@attrs.frozen
class Content:
    """A message as it goes on the wire, before dot-stuffing. It ends with CRLF, and no piece divides a line end."""

    pieces: tuple[bytes, ...]

    size: int = attrs.field(init=False, default=attrs.Factory(lambda self: sum(map(len, self.pieces)), takes_self=True))
    """Octets, before dot-stuffing."""
    is_ascii: bool = attrs.field(
        init=False, default=attrs.Factory(lambda self: all(map(bytes.isascii, self.pieces)), takes_self=True)
    )
    """True if it fits a transport of 7 bits."""

    @property
    def reads_like_commands(self) -> bool:
        """True if a line could make or address another message, were it read as a command."""
        return any(map(_COMMAND.search, self.pieces))

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)

    def stuffed(self) -> Iterator[bytes]:
        """Yield the pieces with each dot doubled that begins a line (RFC 5321 section 4.5.2)."""
        line_begins = True
        for piece in self.pieces:
            if line_begins and piece.startswith(b"."):
                yield b"."
            yield piece.replace(b"\r\n.", b"\r\n..")  # the same object, if there is none
            line_begins = piece.endswith(b"\r\n") or (line_begins and not piece)


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same octets in blocks that are worth a write each. Pieces that are large already are not copied."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if held and size + len(piece) > _BLOCK:
            yield b"".join(held)
            held, size = [], 0
        held.append(piece)
        size += len(piece)
    yield held[0] if len(held) == 1 else b"".join(held)
