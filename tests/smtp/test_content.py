"""A message in pieces is the same as in one, and is in memory once."""

import itertools
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postroom import Attachment
from postroom_smtp.content import Content, blocks
from postroom_smtp.mime import render
from postroom_testing.smtp import SmtpServer
from smtp_checks import message

BLOCK = 65_536  # octets that are worth a write

PARTS = st.lists(
    st.sampled_from([b".", b"..", b"x", b"\r\n", b"\r\n.", b".\r\n", b"\r\n..\r\n", b" ", b"", b"\xc3\xa9"])
)


@st.composite
def divided(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Octets that end with CRLF, divided anywhere but inside a CRLF."""
    whole = b"".join(draw(PARTS)) + b"\r\n"
    inside = {at + 1 for at in range(len(whole)) if whole[at : at + 2] == b"\r\n"}
    cuts = [at for at in range(len(whole) + 1) if at not in inside]
    chosen = sorted(draw(st.lists(st.sampled_from(cuts), max_size=8)))
    return tuple(whole[start:end] for start, end in zip([0, *chosen], [*chosen, len(whole)], strict=True))


def stuff(whole: bytes) -> bytes:
    """RFC 5321 section 4.5.2, line by line."""
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in whole.split(b"\r\n"))


@settings(max_examples=150)
@given(divided())
@example((b".\r\n",))
@example((b"", b".", b".", b"\r\n"))
@example((b"x\r\n", b"", b".\r\n"))
@example((b"x\r\n", b"", b"", b".\r\n", b".", b"x\r\n"))
def test_dots_are_doubled_wherever_the_octets_are_divided(pieces: tuple[bytes, ...]) -> None:
    """A line begins with a dot or does not; how the message is held in memory plays no part."""
    content = Content(pieces)
    assert b"".join(content.stuffed()) == stuff(b"".join(pieces))
    assert bytes(content) == b"".join(pieces)
    assert content.size == len(bytes(content))
    assert content.is_ascii is bytes(content).isascii()


def test_a_piece_without_dots_is_not_copied() -> None:
    """A large file in base64 has none."""
    pieces = (b"head\r\n", b"x" * 100_000 + b"\r\n", b"end\r\n")
    assert all(mine is given for mine, given in zip(Content(pieces).stuffed(), pieces, strict=True))


@settings(max_examples=100)
@given(st.lists(st.sampled_from([0, 1, 10, 30_000, BLOCK - 1, BLOCK, BLOCK + 1, 200_000]), max_size=8))
def test_blocks_are_the_same_octets_in_few_writes(sizes: list[int]) -> None:
    """No two neighbours would fit one write, and a piece of a block's size or more is not copied."""
    pieces = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    made = list(blocks(pieces))
    assert b"".join(made) == b"".join(pieces)
    assert all(len(one) + len(two) > BLOCK for one, two in itertools.pairwise(made))
    assert len(made) >= 1
    for piece in pieces:
        if len(piece) > BLOCK:
            assert sum(block is piece for block in made) == 1


@pytest.mark.parametrize("size", [BLOCK, BLOCK + 1, 10 * BLOCK])
def test_a_piece_of_a_blocks_size_is_not_copied(size: int) -> None:
    """It goes to the socket as it is."""
    large = bytes(size)
    assert any(block is large for block in blocks([b"head", large, b"tail"]))


@pytest.mark.parametrize("size", [0, 1, 58_368, 58_369, 1_000_000])
def test_no_piece_of_a_message_divides_a_line_end(size: int) -> None:
    """Doubling dots relies on it; the message ends with CRLF, and an attachment is in pieces worth a write."""
    content = render(message(attachments=[Attachment("a.bin", bytes(size), "application/octet-stream")]))
    assert not any(piece.endswith(b"\r") or piece.startswith(b"\n") for piece in content.pieces)
    assert bytes(content).endswith(b"\r\n")
    assert max(map(len, content.pieces)) <= 80_000


MEASURED = """
import sys, tracemalloc
from postroom import Attachment, MailMessage, MailSenderFactory
small = MailMessage("ada@example.com", "Hello", "<p>x</p>", "grace@example.com")
with MailSenderFactory.create_sender("smtp", {"server": "127.0.0.1", "port": int(sys.argv[1])}) as made:
    made.send(small)  # imports and buffers are there
    tracemalloc.start()
    file = Attachment("film.bin", bytes(range(250)) * 100_000, "application/octet-stream")
    mail = MailMessage("ada@example.com", "Hello", "<p>x</p>", "grace@example.com", attachments=[file])
    (result,) = made.deliver_many([mail]) if sys.argv[2] == "deliver_many" else [made.deliver(mail)]
    print(tracemalloc.get_traced_memory()[1], type(result).__name__)
"""


@pytest.mark.parametrize("way", ["send", "deliver_many"])
@pytest.mark.parametrize("extensions", [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")], ids=len)
def test_a_large_file_needs_little_more_than_itself_in_base64(extensions: tuple[str, ...], way: str) -> None:
    """25 MB of attachment are at most 62.5 MB at the peak, the attachment itself among them."""
    with SmtpServer(extensions=extensions) as server:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(server.port), way],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    peak, kind = done.stdout.split()
    assert kind == "Receipt"
    assert 25_000_000 < int(peak) <= 2.5 * 25_000_000
    assert len(server.taken) == 2
