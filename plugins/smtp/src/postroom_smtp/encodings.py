"""Transfer encodings (RFC 2045), each of them a few passes in C over the whole: no loop of ours over lines."""

import binascii
import functools
import struct

_COLUMNS = 76  # characters of an encoded line, RFC 2045 sections 6.7 and 6.8
_BLOCK_LINES = 1024
_BLOCK = _BLOCK_LINES * _COLUMNS // 4 * 3  # octets that make a block of whole lines
_LONGEST_LINE = 998  # octets, RFC 5322 section 2.1.1

_ASCII = bytes(range(128))
_PLAIN = b"\t\r\n" + bytes(range(0x20, 0x7F))
# Stand for a blank and a tab that end a line: binascii encodes such a blank behind column 76.
_BLANK, _TAB = b"\x00", b"\x01"


def is_7bit(data: bytes) -> bool:
    """Return True if `data` may go as it is: printable ASCII, with lines of at most 998 octets ended by CRLF."""
    if not data.isascii() or data.translate(None, _PLAIN):
        return False
    end = 0  # of a line; the next one must end within the longest, so most lines are never looked at
    while len(data) - end > _LONGEST_LINE:
        found = data.rfind(b"\r\n", end, end + _LONGEST_LINE + 2)
        if found < 0:
            return False
        end = found + 2
    return True


def base64_lines(data: bytes) -> list[bytes]:
    """Return base64 in lines of 76 characters, in pieces of about 78 KB; only the last piece does not end with CRLF."""
    pieces: list[bytes] = []
    whole = len(data) - len(data) % _BLOCK
    view = memoryview(data)
    for start in range(0, whole, _BLOCK):
        encoded = binascii.b2a_base64(view[start : start + _BLOCK], newline=False)
        pieces.append(b"\r\n".join(_lines(_BLOCK_LINES).unpack(encoded)) + b"\r\n")
    encoded = binascii.b2a_base64(view[whole:], newline=False)
    count = len(encoded) // _COLUMNS
    full = struct.unpack_from("76s" * count, encoded)
    rest = [encoded[count * _COLUMNS :]] if len(encoded) % _COLUMNS else []
    pieces.append(b"\r\n".join([*full, *rest]))
    if len(pieces) > 1 and not pieces[-1]:
        pieces[-2:] = [pieces[-2].removesuffix(b"\r\n")]
    return pieces


def fits_quoted_printable(data: bytes) -> bool:
    """Return True if quoted-printable, 3 octets for each non-ASCII one, is shorter than base64, 4 for 3."""
    if _BLANK in data or _TAB in data:
        return False
    return len(data.translate(None, _ASCII)) * 6 < len(data)


def quoted_printable(data: bytes) -> bytes:
    """Return `data`, which fits and whose line ends are CRLF, in lines of at most 76 characters."""
    marked = (
        data + b"\r\n"
    )  # binascii writes soft line ends as it finds the first line end, and bare LF if there is none
    marked = marked.replace(b" \r\n", _BLANK + b"\r\n").replace(b"\t\r\n", _TAB + b"\r\n")
    encoded = binascii.b2a_qp(marked)
    return encoded.replace(b"=00\r\n", b"=20\r\n").replace(b"=01\r\n", b"=09\r\n").removesuffix(b"\r\n")


@functools.cache
def _lines(count: int) -> struct.Struct:
    return struct.Struct(f"{_COLUMNS}s" * count)
