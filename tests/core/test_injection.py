"""Header injection: no text that is taken holds a line end, before or after somebody decodes it."""

import base64
import time
from collections.abc import Callable
from email.errors import HeaderParseError
from email.header import decode_header, make_header

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom import Address, Attachment, MailMessage, MailMessageError
from postroom.injection import check_text, check_unicode


def b(data: bytes) -> str:
    """Return an encoded text of the encoding B."""
    return base64.b64encode(data).decode()


ENCODED_LINE_ENDS = {
    "q": "=?utf-8?q?Hello=0ABcc:_x=40example.com?=",
    "q with a lower-case digit": "=?utf-8?q?Hello=0d?=",
    "q with NUL": "=?utf-8?q?Hello=00?=",
    "q in capitals": "=?UTF-8?Q?Hello=0A?=",
    "q after a stray equals sign": "=?utf-8?q?Hello==0A?=",
    "q with a language": "=?utf-8*en?q?Hello=0A?=",
    "q in an unknown charset": "=?nonsense?q?Hello=0A?=",
    "q in no charset": "=??q?Hello=0A?=",
    "q within text": "Hello =?utf-8?q?=0A?= world",
    "q without blanks around": "Hello=?utf-8?q?=0A?=world",
    "q with blanks inside": "=?utf-8?q?Hello world=0A?=",
    "q with a question mark inside": "=?utf-8?q?Hello?world=0A?=",
    "q within a b word": "=?utf-8?b?x=?utf-8?q?=0A?=",
    "q behind a word that shares its end mark": "=?nonsense?q?x?=?utf-8?q?=0A?=",
    "b": f"=?utf-8?b?{b(b'Hello' + bytes([10]))}?=",
    "b with CR": f"=?utf-8?B?{b(b'Hello' + bytes([13]))}?=",
    "b without padding": "=?utf-8?b?Cg?=",
    "b with too little padding": "=?utf-8?b?Cg=?=",
    "b with too much padding": "=?utf-8?b?Cg====?=",
    "b with a stray character at its end": "=?utf-8?b?CgAAA?=",
    "b with what is not base64 between": "=?utf-8?b?C.g!=é=?=",
    "b that begins anew after padding": "=?utf-8?b?QQ==Cg==?=",
    "b with padding that means nothing": "=?utf-8?b?Q=Qo?=",
    "utf-7": "=?utf-7?q?+AAo-?=",
    "utf-7 as b": f"=?utf-7?b?{b(b'+AAo-')}?=",
    "utf-7 by another name": "=?unicode_1_1_utf_7?q?+AAo-?=",
    "utf-7 in blanks": "=? utf-7 ?q?+AAo-?=",
    "utf-7 with a language": "=?utf-7*en?q?+AAo-?=",
    "utf-7 split over two words": "=?utf-7?q?+AA?= =?utf-7?q?o-?=",
    "utf-7 split behind other text": "=?utf-7?q?+AA?= x =?utf-7?q?+AA?= =?utf-7?q?o-?=",
    "utf-16": f"=?utf-16?b?{b('x'.encode('utf-16') + bytes([10, 0]))}?=",
    "utf-16 in halves": "=?utf-16-be?q?=00?= =?utf-16-be?q?=0A?=",
    "utf-16, a line separator of another script": f"=?utf-16-be?b?{b(chr(0x0A0D).encode('utf-16-be'))}?=",
    "EBCDIC": "=?cp037?q?=25?=",
    "EBCDIC as it stands": "=?cp037?q?%?=",
    "escapes of Python": r"=?unicode_escape?q?\n?=",
    "other escapes of Python": r"=?raw_unicode_escape?q?\u000a?=",
    "punycode": "=?punycode?q?a-?=",
}

HARMLESS = {
    "an encoded word": "=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
    "an encoded word as b": f"=?utf-8?b?{b('Grüße'.encode())}?=",
    "a word in an older charset": "=?iso-8859-1?q?Gr=FC=DFe?=",
    "a word in a charset of two bytes": f"=?gb18030?b?{b('名字'.encode('gb18030'))}?=",
    "a word in an unknown charset": "=?x-unknown?q?Hello?=",
    "an encoded equals sign before 0A": "=?utf-8?q?=3D0A?=",
    "a word that never ends": "=?utf-8?q?Hello=0A",
    "a word of another encoding": "=?utf-8?x?Hello=0A?=",
    "a word without text": "=?utf-8?q??=",
    "question marks": "Really =? yes ?= no =0A",
    "quoted-printable outside of a word": "100 =0A",
}


@pytest.mark.parametrize("value", ENCODED_LINE_ENDS.values(), ids=ENCODED_LINE_ENDS)
def test_an_encoded_line_end_is_refused(value: str) -> None:
    """An encoded word that holds a line end, in whatever disguise, is refused."""
    with pytest.raises(MailMessageError, match="subject contains an encoded line end"):
        check_text(value, "subject")


@pytest.mark.parametrize("value", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_word_is_left_as_it_is(value: str) -> None:
    """Text that looks encoded, and hides nothing, is taken as it stands."""
    assert check_text(value, "subject") == value


@pytest.mark.parametrize("char", [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))], ids=ascii)
def test_control_characters_are_refused(char: str) -> None:
    """Every control character is refused by its position; a tab is allowed where the caller says so."""
    with pytest.raises(
        MailMessageError, match=r"subject contains a control character \('.*' at position 2\)"
    ) as caught:
        check_text(f"ab{char}", "subject")
    assert "\n" not in str(caught.value)
    if char == "\t":
        assert check_text(char, "subject", tab=True) == char
    else:
        with pytest.raises(MailMessageError, match="control character"):
            check_text(char, "subject", tab=True)


def test_lone_surrogates_are_refused() -> None:
    """What cannot be encoded as UTF-8 is refused by its position, in headers and in bodies."""
    for check in (check_text, check_unicode):
        with pytest.raises(MailMessageError, match="x is not valid Unicode: lone surrogate at position 1"):
            check("a\ud800", "x")
    assert check_unicode("a\r\n\0", "html") == "a\r\n\0"


def test_what_is_not_text_is_refused() -> None:
    """A value that is no text is refused with its type."""
    with pytest.raises(MailMessageError, match="subject must be text, not bytes"):
        check_text(b"x", "subject")  # type: ignore[arg-type]


def decoded(value: str) -> str:
    """Return what the standard library's decoder makes of a header; what it cannot decode as a whole, word by word."""
    try:
        words = decode_header(value)
    except HeaderParseError:  # a word of base64 that is none
        return value
    try:
        return str(make_header(words))
    except (LookupError, ValueError):
        return "".join(word if isinstance(word, str) else word.decode("latin-1", "replace") for word, _ in words)


def fields_of(text: str) -> dict[str, Callable[[], tuple[str, ...]]]:
    """Return, by field, how to put a text there and what a header would then hold."""
    made = {"to": "grace@example.com", "subject": "Hello", "html": "x"}
    return {
        "subject": lambda: (MailMessage(**{**made, "subject": text}).subject,),
        "to": lambda: tuple(map(str, MailMessage(**{**made, "to": text}).to)),
        "from": lambda: (str(MailMessage(**made, from_=text).from_),),
        "name": lambda: (Address("grace", "example.com", text).name,),
        "local part": lambda: (Address(text, "example.com").spec,),
        "domain": lambda: (Address("grace", text).spec,),
        "header name": lambda: tuple(MailMessage(**made, headers={text: "x"}).headers),
        "header value": lambda: tuple(MailMessage(**made, headers={"X-Test": text}).headers.values()),
        "tag": lambda: MailMessage(**made, tags=[text]).tags,
        "metadata": lambda: next(iter(MailMessage(**made, metadata={text: text}).metadata.items())),
        "id": lambda: (MailMessage(**made, id=text).id,),
        "idempotency key": lambda: (MailMessage(**made, idempotency_key=text).idempotency_key,),
        "file name": lambda: (Attachment(text, b"").filename,),
        "content type": lambda: (Attachment("x", b"", text).content_type,),
        "content type parameter": lambda: (Attachment("x", b"", f'text/plain; name="{text}"').content_type,),
        "content id": lambda: (str(Attachment("x", b"", content_id=text).content_id),),
    }


_CHARSET = st.sampled_from(
    [
        "utf-8",
        "UTF-8",
        "us-ascii",
        "iso-8859-1",
        "utf-7",
        "utf-16",
        "utf-16-be",
        "cp037",
        "hz",
        "x",
        "",
        "utf-8*en",
        "idna",
    ]
)
_PAYLOAD = st.one_of(
    st.binary(max_size=6).map(b),
    st.binary(max_size=6).map(lambda data: b(data).rstrip("=")),
    st.binary(max_size=6).map(lambda data: "".join(f"={byte:02x}" for byte in data)),
    st.text(st.sampled_from("=0aAdDCg+-?_o \\nu\u00e9"), max_size=10),
)
_WORD = st.builds("=?{}?{}?{}?=".format, _CHARSET, st.sampled_from("qQbBx"), _PAYLOAD)
_PIECES = st.one_of(
    _WORD, st.text(max_size=3), st.sampled_from(["=?", "?=", "?q?", " ", "\r\n", "\n", "\r", "\0", "@x", "<", ">", ","])
)
HOSTILE = st.lists(_PIECES, max_size=5).map("".join)


@given(text=HOSTILE)
@example(text="=?utf-8?q?==0A?=")
@example(text="=?utf-7?q?+AA?= =?utf-7?q?o-?=")
@example(text="text/plain;\r\n x=y")
@example(text="x\r\nBcc: ada@example.com")
def test_any_text_is_refused_or_holds_no_line_end(text: str) -> None:
    """Any text, in any field of a message, is refused with `MailMessageError` or is free of line ends when decoded."""
    for field, make in fields_of(text).items():
        try:
            held = make()
        except MailMessageError as error:
            said = str(error)
        else:
            said = "".join(value + decoded(value) for value in held)
        assert not set("\r\n\0") & set(said), (field, said)


@given(text=HOSTILE, charset=st.sampled_from(["utf-8", "utf-7", "utf-16", "iso-2022-jp", "cp037", "hz", "gb18030"]))
def test_a_line_end_is_found_in_what_the_charset_encodes(text: str, charset: str) -> None:
    """A text with a line end is refused in every charset and both encodings, whatever stands around it."""
    data = (text.encode(charset, "replace") if charset != "hz" else b"x") + "\n".encode(charset)
    for word in (f"=?{charset}?b?{b(data)}?=", f"=?{charset}?q?{''.join(f'={byte:02X}' for byte in data)}?="):
        with pytest.raises(MailMessageError, match="encoded line end"):
            check_text(f"Hello {word} world", "subject")


@pytest.mark.parametrize(
    "text",
    [
        "=?a?q?" * 20000,
        "=?" * 50000 + "?=",
        "=?a?b?" * 20000 + "?=",
        " ".join(f"=?charset{number}?q?x?=" for number in range(5000)),
        f"=?utf-8?b?{'Q' * 100000}?=",
        f"=?utf-8?b?{'Q=' * 50000}?=",
        f"=?utf-8?q?{'=' * 100000}?=",
        f"=?{'a' * 100000}?q?x?=",
        f"=?punycode?q?ab-{'9' * 50000}?=",
        f"=?idna?q?{'a.' * 50000}?=",
        "(" * 50000,
        "\\" * 50000,
    ],
    ids=lambda text: repr(text[:14]),
)
def test_hostile_text_is_dealt_with_at_once(text: str) -> None:
    """What looks like thousands of encoded words costs no more than its length."""
    start = time.process_time()  # a search that is not linear would take hours
    try:
        said = check_text(text, "subject")
    except MailMessageError as error:
        said = str(error)
    assert time.process_time() - start < 30
    assert said == text or len(said) < 200


@pytest.mark.parametrize(
    "value",
    ["a" + " " * 50000, " " * 50000 + "a", "a" + "\t" * 50000, "a b" * 20000],
    ids=lambda value: repr(value[:4]),
)
def test_a_hostile_header_value_is_dealt_with_at_once(value: str) -> None:
    """A header value of thousands of blanks costs no more than its length, wherever they stand."""
    start = time.process_time()  # a search that is not linear would take hours
    try:
        said = MailMessage("grace@example.com", "Hello", "x", headers={"X-Test": value}).headers["X-Test"]
    except MailMessageError as error:
        said = str(error)
    assert time.process_time() - start < 30
    assert said == value or len(said) < 200


def test_a_message_checks_every_field(message: MailMessage) -> None:
    """A line end is refused wherever a message has text that goes into a header, and the error names the place."""
    for where, change in {
        "subject": {"subject": "a\nb"},
        "an address": {"to": "a@b.c\n"},
        "header X-Test": {"headers": {"X-Test": "a\nb"}},
        "a header name": {"headers": {"X-\nTest": "b"}},
        "a tag": {"tags": ["a\nb"]},
        "a key in metadata": {"metadata": {"a\nb": "c"}},
        "metadata 'a'": {"metadata": {"a": "b\nc"}},
        "id contains": {"id": "a\nb"},
        "idempotency_key": {"idempotency_key": "a\nb"},
    }.items():
        with pytest.raises(MailMessageError, match=where):
            attrs.evolve(message, **change)
