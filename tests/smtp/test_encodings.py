"""The encodings say what the standard library's decoders read, in lines that every server takes."""

import base64
import quopri
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postroom_smtp.encodings import base64_lines, fits_quoted_printable, is_7bit, quoted_printable

BLOCK = 58_368  # octets; the encoder works in blocks of 1,024 lines
FRAGMENTS = [
    *("", " ", "\t", "  ", " \t", "=", "==", "=20", "=3D", ".", "..", "-", "--", "_", "From ", "\x7f", "\x0b", "\x0c"),
    *("a", "word ", "é", "名", "\U0001f600", "\x85", "x" * 73, "x" * 74, "x" * 75, "x" * 76, "x" * 77, "x" * 998),
    *("=" * 30, " " * 80, "\t" * 80, "é" * 40, "\r\n", " \r\n", "\t\r\n", "\r\n.\r\n"),
]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=90)
DATA = st.lists(st.sampled_from(FRAGMENTS) | TEXT).map(lambda parts: "".join(parts).encode())
LINE_END = re.compile(rb"\r\n")


def assert_lines(encoded: bytes) -> None:
    """Assert that the octets are lines of ASCII that no server and no gateway touches."""
    assert encoded.isascii()
    lines = LINE_END.split(encoded)
    for line in lines:
        assert len(line) <= 76
        assert b"\r" not in line
        assert b"\n" not in line
        assert not line.endswith((b" ", b"\t"))


# Base64


@settings(max_examples=100)
@given(st.binary(max_size=600))
@example(b"")
@example(bytes(57))
@example(bytes(58))
def test_base64_is_the_standard_librarys_with_other_line_ends(data: bytes) -> None:
    """The same lines, and CRLF between them."""
    expected = base64.encodebytes(data).removesuffix(b"\n").replace(b"\n", b"\r\n")
    assert b"".join(base64_lines(data)) == expected


@pytest.mark.parametrize("blocks", [0, 1, 2, 5])
@pytest.mark.parametrize("more", [-58, -57, -56, -3, -2, -1, 0, 1, 2, 3, 56, 57, 58])
def test_base64_joins_its_blocks_without_a_seam(blocks: int, more: int) -> None:
    """Around a multiple of the block the lines are the same as anywhere; a piece ends at the end of a line."""
    data = bytes(number * 7 % 251 for number in range(max(0, blocks * BLOCK + more)))
    pieces = base64_lines(data)
    joined = b"".join(pieces)
    assert joined == base64.encodebytes(data).removesuffix(b"\n").replace(b"\n", b"\r\n")
    assert_lines(joined)
    assert all(piece.endswith(b"\r\n") for piece in pieces[:-1])
    assert not pieces[-1].endswith(b"\r\n")
    assert all(len(piece) <= 1024 * 78 for piece in pieces)


# Quoted-printable


@settings(max_examples=150)
@given(DATA)
@example(b" ")
@example(b"x" * 75 + b" ")
@example(b"x" * 75 + b"\t")
@example(b"x" * 74 + b" \r\n")
@example(b"x" * 75 + b" \r\ny")
@example(b"x" * 76 + b"\r\n" + b"=" * 26)
@example(b"\r\n")
@example(b" \r\n \r\n\t")
@example("é ".encode() * 40)
@example(b"x" * 75 + b"\r\n" + b".")
@example(b"line\r\n\r\n")
def test_quoted_printable_reads_back_exactly(data: bytes) -> None:
    """Every text with CRLF line ends that may go this way comes back, octet by octet, from short and plain lines."""
    if b"\x00" in data or b"\x01" in data:
        assert not fits_quoted_printable(data)
        return
    encoded = quoted_printable(data)
    assert quopri.decodestring(encoded.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n") == data
    assert_lines(encoded)


@given(DATA)
def test_what_fits_is_shorter_than_base64(data: bytes) -> None:
    """The choice by the number of octets that are not ASCII is never far off: blanks and equals signs cost as much."""
    if fits_quoted_printable(data):
        escaped = sum(octet > 127 for octet in data)
        assert escaped * 3 + (len(data) - escaped) < len(data) * 4 / 3


@pytest.mark.parametrize("octet", [b"\x00", b"\x01"])
def test_octets_that_the_encoder_needs_go_by_base64(octet: bytes) -> None:
    """They stand for something else inside."""
    assert not fits_quoted_printable(b"text" + octet)


@pytest.mark.parametrize(
    ("data", "fits"), [(b"", False), (b"x", True), ("éxxxxxxxxxx".encode(), False), ("éxxxxxxxxxxx".encode(), True)]
)
def test_a_sixth_of_other_octets_is_the_limit(data: bytes, fits: bool) -> None:
    """Where both are the same, base64 it is."""
    assert fits_quoted_printable(data) is fits


# As it is


def plainly_7bit(data: bytes) -> bool:
    """RFC 2045 section 2.7, less all control characters but the tab."""
    for line in data.decode("latin-1").split("\r\n"):
        if len(line) > 998 or any(not (char == "\t" or " " <= char <= "~") for char in line):
            return False
    return True


# A CR or an LF alone is not asked about: the caller has normalised line ends.
ANY = st.lists(
    st.sampled_from([b"\r\n", b"x", b" ", b"\t", b"~", b"\x7f", b"\x80", b"\x00", b"x" * 997, b"x" * 998, b"x" * 999]),
    max_size=8,
).map(b"".join)


@settings(max_examples=150)
@given(ANY | st.binary(max_size=40).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"\r\n")))
@example(b"")
@example(b"x" * 998 + b"\r\n" + b"x" * 998)
@example(b"x" * 999)
@example(b"x\r\n" + b"x" * 999)
def test_what_may_go_as_it_is_agrees_with_the_definition(data: bytes) -> None:
    """Printable ASCII and tabs, in lines of at most 998 octets."""
    assert is_7bit(data) is plainly_7bit(data)
