"""Header lines: standard readers read back what was written, within the limits of RFC 5322, 2047 and 2231."""

import email.header
import email.policy
import email.utils
import quopri
import re
from base64 import b64decode
from email import message_from_string
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from message_strategies import display_names, file_names, header_names, header_texts, header_values, mailboxes, subjects
from postroom import Address
from postroom_smtp import headers

thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

_ENCODED_WORD = re.compile(r"=\?utf-8\?(?:b\?[A-Za-z0-9+/=]+|q\?[A-Za-z0-9!*+/=_-]+)\?=")
# One item of an address list: a comma separates, except in a quoted string. Encoded words hold none.
_MAILBOX = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+')


def _unfold(header: str) -> str:
    """Return the value of a header as RFC 5322 section 2.2.3 unfolds it."""
    lines = header.removesuffix("\r\n").split("\r\n")
    assert all(line[0] in " \t" for line in lines[1:])
    return "".join(lines).partition(":")[2].removeprefix(" ")


def _decode(value: str) -> str:
    """Return what the older reader of the standard library makes of encoded words."""
    parts = email.header.decode_header(value)
    return "".join(part if isinstance(part, str) else part.decode(charset or "ascii") for part, charset in parts)


def _without_blanks(value: str) -> str:
    return re.sub(r"\s", "", value)


def _assert_limits(header: str) -> None:
    """Check what RFC 5322 section 2.1.1 and RFC 2047 section 2 say of lines and encoded words."""
    assert header.endswith("\r\n")
    lines = header.removesuffix("\r\n").split("\r\n")
    for number, line in enumerate(lines):
        assert "\r" not in line
        assert "\n" not in line
        assert line.strip(" \t")
        assert len(line.encode()) <= 998
        words = line.replace("\t", " ").split()
        name_too_long = number == 0 and line.index(":") > 34
        if any("=?" in word for word in words) and not name_too_long:
            assert len(line) <= 76
        # A line that is longer than it should be has no blank where it could have been folded.
        assert len(line) <= 76 or '"' in line or len(words) <= (2 if number == 0 else 1)


# --- free text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Your code is 123456", "Your code is 123456"),
        ("two  blanks, (a comment?) and \"quotes\" \\ = _", "two  blanks, (a comment?) and \"quotes\" \\ = _"),
        ("Gr\u00fc\u00dfe", "=?utf-8?b?R3LDvMOfZQ==?="),
        ("Gr\u00fc\u00dfe aus der Werkstatt", "=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_der_Werkstatt?="),
        ("\u540d\u524d", "=?utf-8?b?5ZCN5YmN?="),
        (" begins with a blank", "=?utf-8?q?_begins_with_a_blank?="),
        ("a\ttab", "=?utf-8?b?YQl0YWI=?="),
        ("=?utf-8?q?as_it_stands?=", "=?utf-8?b?PT91dGYtOD9xP2FzX2l0X3N0YW5kcz89?="),
    ],
)  # fmt: skip
def test_text_is_plain_if_that_can_be_read_back_and_encoded_if_not(value: str, written: str) -> None:
    """A subject of ASCII stays readable; what a reader would strip or decode, or not take, becomes encoded words."""
    assert headers.text("Subject", value) == f"Subject: {written}\r\n"


def test_plain_text_is_folded_before_a_blank_and_keeps_runs_of_blanks() -> None:
    """Folding puts a line end before a blank and changes nothing else."""
    value = "word " * 10 + "  three blanks " + "word " * 10 + "end"
    written = headers.text("Subject", value)
    assert written == (
        "Subject: word word word word word word word word word word   three blanks\r\n"
        " word word word word word word word word word word end\r\n"
    )
    assert _unfold(written) == value


@thorough
@given(subjects())
def test_any_subject_survives(value: str) -> None:
    """Both readers of the standard library give the subject back exactly, without complaint."""
    written = headers.text("Subject", value)
    parsed = message_from_string(written + "\r\n", policy=email.policy.default)["Subject"]
    assert parsed == value
    assert parsed.defects == ()
    assert _decode(_unfold(written)) == value


@thorough
@given(header_names(), header_texts(tab=True))
def test_text_keeps_the_limits_under_any_name(name: str, value: str) -> None:
    """No line is too long, blank or broken, and all is ASCII, whatever the header is called."""
    written = headers.text(name, value)
    _assert_limits(written)
    assert written.isascii()
    assert written.startswith(f"{name}: ")
    assert _decode(_unfold(written)) == value


def test_a_run_that_no_line_can_hold_is_encoded() -> None:
    """A word or a run of blanks too long for a line becomes encoded words, which can be folded."""
    for value in ("x" * 5000, "a" + " " * 5000 + "b"):
        written = headers.text("Subject", value)
        _assert_limits(written)
        assert _decode(_unfold(written)) == value


def test_a_word_that_fits_a_line_stays_whole() -> None:
    """A long URL in a subject can still be clicked."""
    assert headers.text("Subject", "x" * 900) == f"Subject: {'x' * 900}\r\n"


def test_a_name_without_room_gets_encoded_words_of_a_useful_length() -> None:
    """A header's name may be 76 characters long: its first line is too long then, and no other."""
    written = headers.text("X-" + "y" * 74, "\u00e9" * 100)
    first, *others = written.removesuffix("\r\n").split("\r\n")
    assert first == "X-" + "y" * 74 + ": =?utf-8?b?w6nDqcOpw6nDqcOpw6nDqcOpw6k=?="
    assert max(map(len, others)) <= 76


def test_a_subject_of_60_kilobytes_survives() -> None:
    """A very long subject is only long."""
    for value in ("\u540d" * 20_000, "lorem ipsum d\u00f8lor " * 3_000):
        written = headers.text("Subject", value)
        _assert_limits(written)
        assert message_from_string(written + "\r\n", policy=email.policy.default)["Subject"] == value


# --- encoded words -----------------------------------------------------------------------------------------------


@thorough
@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(40, 75))
def test_encoded_words_are_whole_short_and_strict(value: str, room: int) -> None:
    """Each is at most as long as asked, holds only what RFC 2047 section 5 (3) allows, and whole characters."""
    decoded = ""
    for word in headers.encoded_words(value, room):
        assert len(word) <= room
        assert _ENCODED_WORD.fullmatch(word)
        kind, payload = word[8], word[10:-2]
        octets = b64decode(payload, validate=True) if kind == "b" else quopri.decodestring(payload, header=True)
        decoded += octets.decode()
    assert decoded == value


def test_encoded_words_take_the_shorter_encoding() -> None:
    """Text that is mostly ASCII stays half readable, other text takes two thirds of the room."""
    assert headers.encoded_words("caf\u00e9 au lait", 75) == ["=?utf-8?q?caf=C3=A9_au_lait?="]
    assert headers.encoded_words("\u043f\u0440\u0438\u0432\u0435\u0442", 75) == ["=?utf-8?b?0L/RgNC40LLQtdGC?="]


def test_encoded_words_fill_their_room() -> None:
    """No line is shorter than it must be."""
    assert [len(word) for word in headers.encoded_words("\u00e9" * 40, 75)] == [72, 60]
    assert [len(word) for word in headers.encoded_words("a" * 70 + "\u00e9", 75)] == [75, 25]


# --- values as they are ------------------------------------------------------------------------------------------


@thorough
@given(header_names(), header_values().filter(str.isascii))
def test_an_ascii_value_goes_out_as_it_is(name: str, value: str) -> None:
    """Only the blanks around it are lost."""
    assert headers.verbatim("X", " \ta  b ") == "X: a  b\r\n"
    written = headers.verbatim(name, value)
    assert _unfold(written).strip(" \t") == value.strip(" \t")
    assert all(line.strip() for line in written.splitlines())
    assert max(map(len, written.split("\r\n"))) <= 998


def test_a_long_list_unsubscribe_stays_whole() -> None:
    """Mail programs find the URL only if it is neither folded inside nor encoded."""
    url = "https://example.com/unsubscribe?token=" + "0123456789abcdef" * 20
    written = headers.verbatim("List-Unsubscribe", f"<{url}>, <mailto:unsubscribe@example.com?subject=stop>")
    assert written == (
        f"List-Unsubscribe: <{url}>,\r\n <mailto:unsubscribe@example.com?subject=stop>\r\n"
    )  # fmt: skip


def test_references_are_folded_between_ids() -> None:
    """A thread of any length goes out with every id whole."""
    ids = [f"<{number:032}@mail.example.com>" for number in range(40)]
    written = headers.verbatim("References", " ".join(ids))
    _assert_limits(written)
    assert written.split("\r\n")[:3] == [f"References: {ids[0]}", f" {ids[1]}", f" {ids[2]}"]
    assert _unfold(written).split() == ids


def test_an_empty_value_is_an_empty_header() -> None:
    """Nothing follows the colon, not even a blank."""
    assert headers.verbatim("X-Nothing", "") == headers.verbatim("X-Nothing", " \t ") == "X-Nothing:\r\n"


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mailbox", "written"),
    [
        (Address("grace", "example.com"), "grace@example.com"),
        (Address("grace", "example.com", "Grace Hopper"), "Grace Hopper <grace@example.com>"),
        (Address("grace", "example.com", "Hopper, Grace B."), '"Hopper, Grace B." <grace@example.com>'),
        (Address("grace", "example.com", 'a "b" \\ c'), '"a \\"b\\" \\\\ c" <grace@example.com>'),
        (Address("grace", "example.com", "Gr\u00e4ce"), "=?utf-8?b?R3LDpGNl?= <grace@example.com>"),
        (Address("grace", "example.com", "=?utf-8?q?a?="), "=?utf-8?b?PT91dGYtOD9xP2E/PQ==?= <grace@example.com>"),
        (Address("grace", "example.com", " "), "=?utf-8?q?_?= <grace@example.com>"),
        (Address("grace", "m\u00fcnchen.example"), "grace@xn--mnchen-3ya.example"),
        (Address("grace", "[127.0.0.1]"), "grace@[127.0.0.1]"),
        (Address("a b", "example.com"), '"a b"@example.com'),
        (Address('q"uote', "example.com", "Q"), 'Q <"q\\"uote"@example.com>'),
        (Address("gr\u00e4ce", "example.com", "Gr\u00e4ce"), "=?utf-8?b?R3LDpGNl?= <gr\u00e4ce@example.com>"),
    ],
)
def test_a_mailbox_is_written_as_the_books_say(mailbox: Address, written: str) -> None:
    """Names are atoms, one quoted string, or encoded words, never a mixture; domains are A-labels."""
    assert headers.addresses("To", [mailbox]) == f"To: {written}\r\n"


@thorough
@given(st.sampled_from(("From", "To", "Cc", "Reply-To")), st.lists(mailboxes(), min_size=1, max_size=4))
def test_any_mailboxes_survive(name: str, meant: list[Address]) -> None:
    """The newer reader of the standard library, and one that only splits at commas, find the mailboxes meant."""
    written = headers.addresses(name, meant)
    _assert_limits(written)
    assert written.isascii()
    parsed = message_from_string(written + "\r\n", policy=email.policy.default)[name]
    assert parsed.defects == ()
    assert len(parsed.addresses) == len(meant)
    for found, address in zip(parsed.addresses, meant, strict=True):
        assert found.domain == address.domain
        # This reader makes one blank of a run of blanks, and many of its releases put one between encoded words.
        assert _without_blanks(found.username) == _without_blanks(address.local_part)
        assert _without_blanks(found.display_name) == _without_blanks(address.name)
    for item, address in zip(_MAILBOX.findall(_unfold(written)), meant, strict=True):
        assert item.endswith(f" <{address.spec}>") if address.name else item.strip() == address.spec


@thorough
@given(st.lists(display_names().filter(bool), min_size=1, max_size=4))
def test_any_display_name_survives_exactly(names: list[str]) -> None:
    """The older reader of the standard library gives every name back, to the blank."""
    written = headers.addresses("Cc", [Address("grace", "example.com", name) for name in names])
    found = email.utils.getaddresses([_unfold(written)])
    assert [(_decode(name), address) for name, address in found] == [(name, "grace@example.com") for name in names]


def test_a_display_name_too_long_for_a_line_is_encoded() -> None:
    """Neither an atom nor a quoted string can be folded inside."""
    for name in ("x" * 901, "Hopper, " * 20 + "Grace", "a" + " " * 2000 + "b"):
        written = headers.addresses("To", [Address("grace", "example.com", name)])
        assert max(map(len, written.split("\r\n"))) <= 76
        assert _decode(_unfold(written)) == f"{name} <grace@example.com>"


@thorough
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=10))
def test_a_short_display_name_survives_the_newer_reader(name: str) -> None:
    """One encoded word is read exactly, but for blanks in a row."""
    written = headers.addresses("To", [Address("grace", "example.com", name)])
    (found,) = message_from_string(written + "\r\n", policy=email.policy.default)["To"].addresses
    assert found.display_name == re.sub(r" \s*", " ", name)


def test_an_address_never_makes_a_line_with_an_encoded_word_too_long() -> None:
    """76 characters is the limit of such a line, and the address counts."""
    for length in range(1, 60):
        for name in ("\u00e9", "\u00e9" * 25):
            _assert_limits(headers.addresses("To", [Address("x" * length, "example.com", name)] * 3))


def test_500_recipients_are_folded() -> None:
    """A long list is folded between mailboxes, names stay beside their addresses where they fit."""
    meant = [Address(f"user{number}", "example.com", f"User {number}") for number in range(500)]
    written = headers.addresses("To", meant)
    _assert_limits(written)
    assert written.startswith(
        "To: User 0 <user0@example.com>, User 1 <user1@example.com>, User 2\r\n <user2@example.com>"
    )
    parsed = message_from_string(written + "\r\n", policy=email.policy.default)["To"].addresses
    assert [str(address) for address in parsed] == [str(address) for address in meant]


# --- file names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "parameters"),
    [
        ("report.pdf", ['filename="report.pdf"']),
        ("year end (2).tar.gz", ['filename="year end (2).tar.gz"']),
        ("a,b #1 & [c]; it's 100% * =.txt", ['filename="a,b #1 & [c]; it\'s 100% * =.txt"']),
        ("two  blanks.txt", ['filename="two  blanks.txt"']),
        ("x" * 900, [f'filename="{"x" * 900}"']),
        ("\u00dcbersicht.pdf", ["filename*=utf-8''%C3%9Cbersicht.pdf"]),
        ('5" <b>.txt', ["filename*=utf-8''5%22%20%3Cb%3E.txt"]),
        ("=?utf-8?q?x?=", ["filename*=utf-8''%3D%3Futf-8%3Fq%3Fx%3F%3D"]),
        ("x" * 901, [f"filename*{n}*=" + "utf-8''" * (n == 0) + "x" * (50 if n < 18 else 1) for n in range(19)]),
        ("\u540d" * 6, ["filename*0*=utf-8''" + "%E5%90%8D" * 5, "filename*1*=%E5%90%8D"]),
    ],
)  # fmt: skip
def test_a_file_name_is_in_quotes_or_as_rfc_2231_has_it(filename: str, parameters: list[str]) -> None:
    """A name of ASCII is quoted, another percent-encoded, in sections if it is long; the first names the charset."""
    written = headers.disposition("attachment", filename)
    assert written == "Content-Disposition: attachment;\r\n " + ";\r\n ".join(parameters) + "\r\n"


@pytest.mark.parametrize(
    ("filename", "parameter"),
    [
        ("report.pdf", ""),
        ("a,b #1 & [c]; it's 100% * =.txt", ""),
        ("x" * 900, ""),
        ("\u00dcbersicht of the orders.pdf", ';\r\n name="=?utf-8?q?=C3=9Cbersicht_of_the_orders=2Epdf?="'),
        ("\u97e9\u5b89.jpg", ';\r\n name="=?utf-8?b?6Z+p5a6JLmpwZw==?="'),
        ('5" <b>.txt', ';\r\n name="=?utf-8?b?NSIgPGI+LnR4dA==?="'),
        (
            "\u540d" * 30 + ".txt",
            f';\r\n name="=?utf-8?b?{"5ZCN" * 14}?=\r\n =?utf-8?b?{"5ZCN" * 14}?=\r\n =?utf-8?b?5ZCN5ZCNLnR4dA==?="',
        ),
    ],
)
def test_a_file_name_that_is_not_ascii_is_in_the_content_type_as_well(filename: str, parameter: str) -> None:
    """Encoded words in quotes, folded between two of them, are what QQ mail and older Outlook read."""
    assert headers.content_type("text/plain; charset=utf-8", filename) == (
        f"Content-Type: text/plain; charset=utf-8{parameter}\r\n"
    )


@pytest.mark.parametrize("kind", ['a/b; name="c"', "a/b;NAME=c", "a/b; name*=utf-8''c", "a/b; x=y; name*0=c"])
def test_a_name_in_the_type_that_is_given_is_the_only_one(kind: str) -> None:
    """A parameter that is there twice means nothing."""
    assert headers.content_type(kind, "\u00fc.txt") == f"Content-Type: {kind}\r\n"


@thorough
@given(file_names())
def test_a_file_has_the_same_name_in_both_headers(filename: str) -> None:
    """The words in the quotes decode to the name that RFC 2231 carries, for a reader that knows one of them only."""
    written = headers.content_type("text/plain", filename)
    _assert_limits(written)
    assert written.isascii()
    found = re.fullmatch(r'text/plain; name="([^"]*)"', _unfold(written))
    assert _decode(found[1]) == filename if found else _unfold(written) == "text/plain"
    quoted = 'filename="' in headers.disposition("attachment", filename)
    assert quoted == (found is None)
    parsed = message_from_string(written + "\r\n", policy=email.policy.default)
    assert _without_blanks(parsed["Content-Type"].params.get("name", filename)) == _without_blanks(filename)


@thorough
@given(st.sampled_from(("attachment", "inline")), file_names())
def test_any_file_name_survives(kind: str, filename: str) -> None:
    """Both readers give the name back; the older one strips the blanks around it."""
    written = headers.disposition(kind, filename)
    _assert_limits(written)
    assert written.isascii()
    parsed = message_from_string(written + "\r\n", policy=email.policy.default)["Content-Disposition"]
    assert parsed.defects == ()
    assert parsed.content_disposition == kind
    assert dict(parsed.params) == {"filename": filename}
    assert message_from_string(written + "\r\n").get_filename() == filename.strip()


@thorough
@given(file_names())
def test_sections_of_a_file_name_keep_to_rfc_2231(filename: str) -> None:
    """Sections count from 0 and hold only attribute characters and whole ones; the first alone names the charset."""
    parameters = _unfold(headers.disposition("attachment", filename)).split("; ")[1:]
    if not parameters[0].startswith("filename="):
        names, values = zip(*(parameter.split("=", 1) for parameter in parameters), strict=True)
        counted = tuple(f"filename*{number}*" for number in range(len(names)))
        assert names == (counted if len(counted) > 1 else ("filename*",))
        assert values[0].startswith("utf-8''")
        sections = (values[0].removeprefix("utf-8''"), *values[1:])
        assert all(re.fullmatch(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+", section) for section in sections)
        assert "".join(unquote(section, errors="strict") for section in sections) == filename


def test_a_file_name_of_60_kilobytes_survives() -> None:
    """A very long name takes many sections."""
    written = headers.disposition("attachment", "\u540d" * 20_000)
    _assert_limits(written)
    assert message_from_string(written + "\r\n").get_filename() == "\u540d" * 20_000
    words = headers.content_type("a/b", "\u540d" * 20_000)
    _assert_limits(words)
    assert _decode(_unfold(words)) == 'a/b; name="' + "\u540d" * 20_000 + '"'
