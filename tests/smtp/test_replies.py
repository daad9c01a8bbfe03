"""Replies are read whole, within bounds, however they are cut."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_smtp.connection import Connection, Deadline
from postroom_smtp.replies import ProtocolError, Reply, clean, read_reply


@contextlib.contextmanager
def connection(*segments: bytes) -> Iterator[Connection]:
    """Give a connection to which each of the segments comes alone, and then the end."""
    # A pair of datagram sockets keeps apart what was written apart, and is a stream in all else that matters here.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def feed() -> None:
        with contextlib.suppress(OSError):  # whoever has read enough closes
            for segment in (*segments, b""):
                theirs.send(segment)

    feeder = threading.Thread(target=feed)  # the queue between them may hold ten datagrams only
    with theirs:
        with contextlib.closing(Connection(ours, Deadline(10))) as made:
            feeder.start()
            yield made
        feeder.join()


def read(*segments: bytes, hidden: tuple[str, ...] = ()) -> Reply:
    with connection(*segments) as made:
        return read_reply(made, 5, hidden)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"250 ok\r\n", Reply(250, ("ok",))),
        (b"250\r\n", Reply(250, ("",))),
        (b"250 \r\n", Reply(250, ("",))),
        (b"250 ok\n", Reply(250, ("ok",))),
        (b"250-one\r\n250-two\r\n250 three\r\n", Reply(250, ("one", "two", "three"))),
        (b"250-one\r\n250\r\n", Reply(250, ("one", ""))),
        ("250 grüß dich\r\n".encode(), Reply(250, ("grüß dich",))),
        (b"250 caf\xe9\r\n", Reply(250, ("caf�",))),
    ],
)
def test_what_servers_say_is_understood(raw: bytes, expected: Reply) -> None:
    """One line or many, with or without text, in UTF-8 or not."""
    assert read(raw) == expected


def test_an_enhanced_code_has_digits_of_mail() -> None:
    """Digits of other scripts are words, and make no code that a rule could know."""
    reply = read("550 5.\u0667.\u0661 no\r\n".encode())
    assert (reply.enhanced_code, reply.text) == (None, "5.\u0667.\u0661 no")


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"ok\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"250_ok\r\n",
        b" 250 ok\r\n",
        b"\x00250 ok\r\n",
        b"250-one\r\n251 two\r\n",
        b"250-one\r\ntwo\r\n",
        "٢٥٠ ok\r\n".encode(),
    ],
)
def test_what_is_not_a_reply_is_refused(raw: bytes) -> None:
    """A line without a code, with a code outside of 200 to 599, or with another code than the line before."""
    with pytest.raises(ProtocolError, match="not an SMTP reply"):
        read(raw)


@given(
    code=st.integers(200, 599),
    texts=st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=30), min_size=1),
    cuts=st.lists(st.integers(1, 40), max_size=30),
)
@settings(deadline=None)
def test_a_reply_is_the_same_however_it_is_cut(code: int, texts: list[str], cuts: list[int]) -> None:
    """TCP keeps no boundaries: any segmentation gives the same reply."""
    raw = b"".join(f"{code}-{text}\r\n".encode() for text in texts[:-1]) + f"{code} {texts[-1]}\r\n".encode()
    segments = []
    rest = raw
    for cut in cuts:
        segments.append(rest[:cut])
        rest = rest[cut:]
    segments.append(rest)
    expected = Reply(code, tuple(text.strip() for text in texts))
    assert read(*filter(None, segments)) == read(raw) == expected


@given(
    codes=st.lists(st.integers(200, 599), min_size=2, max_size=5),
    cuts=st.lists(st.integers(1, 20), max_size=10),
)
@settings(deadline=None)
def test_each_reply_is_read_once_and_no_further(codes: list[int], cuts: list[int]) -> None:
    """What stands behind a reply in the same segment stays for the next one."""
    rest = b"".join(f"{code}-x\r\n{code} y\r\n".encode() for code in codes)
    segments = []
    for cut in cuts:
        segments.append(rest[:cut])
        rest = rest[cut:]
    with connection(*filter(None, [*segments, rest])) as made:
        assert [read_reply(made, 5).code for _ in codes] == codes


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=8))
@settings(deadline=None)
def test_arbitrary_octets_are_a_reply_or_an_error_of_two_kinds(segments: list[bytes]) -> None:
    """Nothing that a server sends raises anything but `ProtocolError` or `OSError`, and texts are printable."""
    try:
        reply = read(*segments)
        shown, code = str(reply), reply.code
    except (ProtocolError, OSError) as error:
        shown, code = str(error), 500
    assert shown.isprintable()
    assert 200 <= code <= 599


def test_a_reply_of_a_hundred_lines_is_read_and_a_longer_one_refused() -> None:
    """The number of lines is bounded."""
    assert len(read(b"250-x\r\n" * 99 + b"250 x\r\n").lines) == 100
    with pytest.raises(ProtocolError, match="more than 100 lines"):
        read(b"250-x\r\n" * 100 + b"250 x\r\n")


def test_a_line_without_end_is_refused() -> None:
    """The length of a line is bounded."""
    with pytest.raises(ConnectionError, match="line without end"):
        read(*[b"250 " + b"x" * 4000] * 3)


def test_a_long_line_is_read() -> None:
    """Some servers send lines of kilobytes."""
    assert len(read(b"250 " + b"x" * 4000, b"x" * 4000 + b"\r\n").lines[0]) == 8000


@pytest.mark.parametrize(
    ("reply", "enhanced_code", "text"),
    [
        (Reply(250, ("2.1.5 ok",)), "2.1.5", "ok"),
        (
            Reply(550, ("5.7.60 SMTP; Client does not have permissions",)),
            "5.7.60",
            "SMTP; Client does not have permissions",
        ),
        (Reply(550, ("5.1.1",)), "5.1.1", ""),
        (Reply(550, ("5.1.1 no", "5.1.1 such user")), "5.1.1", "no such user"),
        (Reply(550, ("", "")), None, ""),
        (Reply(250, ("3.1.5 ok",)), None, "3.1.5 ok"),
        (Reply(550, ("5.1 ok",)), None, "5.1 ok"),
        (Reply(550, ("5.1.1234 ok",)), None, "5.1.1234 ok"),
        (Reply(550, ("host 10.4.2.1 is blocked",)), None, "host 10.4.2.1 is blocked"),
        (Reply(550, ("5.7.1 host 10.4.2.1 is blocked",)), "5.7.1", "host 10.4.2.1 is blocked"),
        (Reply(550, ("see 5.7.1 there",)), None, "see 5.7.1 there"),
    ],
)
def test_the_enhanced_code_is_what_begins_the_text(reply: Reply, enhanced_code: str | None, text: str) -> None:
    """RFC 2034 section 4: it stands at the beginning of each line; an address elsewhere in the text is left whole."""
    assert (reply.enhanced_code, reply.text) == (enhanced_code, text)


def test_the_text_is_cut_at_200_characters() -> None:
    """Some servers answer with a page."""
    assert len(Reply(550, ("x" * 199,)).text) == 199
    assert Reply(550, ("x" * 300,)).text == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("code", "text", "transient"),
    [(451, "x", True), (550, "x", False), (550, "4.2.2 full", True), (450, "5.1.1 gone", False), (250, "x", False)],
)
def test_the_enhanced_code_decides_whether_a_refusal_lasts(code: int, text: str, transient: bool) -> None:
    """Where basic and enhanced code disagree, the enhanced one is the more precise."""
    assert Reply(code, (text,)).transient is transient


def test_only_2yz_is_positive() -> None:
    """3yz asks for more."""
    assert [code for code in (200, 299, 354, 421, 550) if Reply(code, ("",)).positive] == [200, 299]


def test_a_reply_shows_as_its_codes_and_words() -> None:
    """That is how it stands in errors and logs."""
    assert str(Reply(550, ("5.1.1 no", "5.1.1 such user"))) == "550 5.1.1 no such user"
    assert str(Reply(250, ("",))) == "250"


def test_what_cannot_be_printed_is_replaced() -> None:
    """Escape sequences, direction marks and line separators do not reach a terminal or a log."""
    assert clean("a\x1b[31mb\u202ec\u2028d\te".encode()) == "a?[31mb?c?d?e"
    assert clean(b"  padded \r") == "padded"
    assert "\x1b" not in str(read(b"550 \x1b[2J\r\n"))


@pytest.mark.parametrize("record", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x16\x03\x03\x00\x7a\x02"])
def test_tls_where_plain_text_is_expected_is_recognised(record: bytes) -> None:
    """A TLS alert or handshake record is named, and not shown as garbage."""
    with pytest.raises(ProtocolError, match="speaks TLS where plain text is expected"):
        read(record + b"\n")


SECRET = "AHVzZXIAc3dvcmRmaXNoLWFuZC1jaGlwcw=="


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"no: {SECRET}", "no: ***"),
        (f"{SECRET} and {SECRET}", "*** and ***"),
        (f"cut: {SECRET[:20]}", "cut: ***"),
        (f"{SECRET[20:]} is the end of it", "*** is the end of it"),
        (f"<{SECRET[5:25]}>", "<***>"),
        (f"wrapped {SECRET[:18]} {SECRET[18:]}", "wrapped *** ***"),
        ("nothing of it", "nothing of it"),
    ],
)
@pytest.mark.parametrize("code", ["535 ", ""])
def test_a_secret_is_hidden_whole_and_in_pieces(code: str, said: str, shown: str) -> None:
    """Servers quote what they were sent, cut it at a limit, or wrap it; in a reply and in what is not even one."""
    raw = f"{code}{said}\r\n".encode()
    if code:
        assert read(raw, hidden=(SECRET,)).text == shown
    else:
        with pytest.raises(ProtocolError) as caught:
            read(raw, hidden=(SECRET,))
        assert repr(shown) in str(caught.value)


def test_a_short_secret_is_hidden_whole() -> None:
    """A secret of few characters is recognised as a whole, so that the rest of the text stays readable."""
    assert (
        read(b"535 abc is not abcd, ab is neither\r\n", hidden=("abcd", "zz")).text == "abc is not ***, ab is neither"
    )


def test_several_secrets_are_hidden() -> None:
    """The line that was sent and the password in it are both secrets."""
    assert read(b"535 swordfish alias c3dvcmRmaXNo\r\n", hidden=("swordfish", "c3dvcmRmaXNo")).text == "*** alias ***"
