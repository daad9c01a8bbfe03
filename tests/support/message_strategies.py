"""Hypothesis strategies for whole messages and their fields.

They draw from all that the model takes, and often what has broken mailers: `TRAPS` in headers, `LINE_TRAPS` in bodies.
"""

import datetime
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from postroom import Address, Attachment, MailMessage, MailMessageError

TRAPS = (
    *(" ", "  ", " " * 30, "\u00a0", "\u3000", "\u2028", "\u2029"),  # blanks and what some take for line ends
    *("=?", "?=", "=?utf-8?q?word?=", "=?utf-8?b?d29yZA==?=", "=?utf-8?q?", "=41", "_"),
    *('"', "\\", '\\"', "'", "%", "%41", "%0A", "*", "*0*=", "utf-8''", "/", "..", "=", "?"),
    *(
        ",",
        ";",
        ":",
        "<",
        ">",
        "(",
        ")",
        "@",
        "[",
        "]",
        ", eve@example.net",
        "<eve@example.net>",
        "Bcc: eve@example.net",
    ),
    *(
        "e\u0301",
        "\u05d0\u05d1",
        "\u202e",
        "\u200d",
        "\ufeff",
        "\U0001f600",
        "\U0001f468\u200d\U0001f469",
        "\u00e9",
        "\u540d",
    ),
    *("word", "Grace Hopper", "x" * 75, "x" * 80, "x" * 1000, "\u00e9" * 60, "\u540d" * 60, "word " * 40),
)
"""Fragments of header text that are hard to write or to read back."""

LINE_TRAPS = (
    *(
        "",
        ".",
        "..",
        ".hidden",
        "From me",
        ">From",
        "--",
        "--=_",
        "=_",
        "=",
        "=20",
        "=\t",
        "==",
        "Bcc: eve@example.net",
    ),
    *(
        " ",
        "\t",
        "blank ",
        "tab\t",
        "\x00",
        "\x07\x1b[0m",
        "\x7f",
        "\x0b",
        "\x0c",
        "\x85",
        "\u2028",
        "\ufeff",
        "<img src=x>",
    ),
    *("x" * 75, "x" * 76, "x" * 74 + " ", "x" * 75 + "\t", "x" * 998, "x" * 999, "x" * 5000, "x " * 60),
    *(
        "\u00e9",
        "x" * 20 + "\u00e9",
        "\u00e9" * 40,
        "\u540d" * 40,
        "\U0001f600" * 30,
        "Gr\u00fc\u00dfe aus M\u00fcnchen ",
    ),
)
"""Lines of a body that are hard to carry."""

DOMAINS = (
    "example.com",
    "a.b.c.example.org",
    "m\u00fcnchen.example",
    "\u65e5\u672c.example",
    "[127.0.0.1]",
    "x" * 63 + ".example",
)


def _taken(make: Callable[[Any], object]) -> Callable[[Any], bool]:
    """Return a test for whether the model takes a value; what it refuses needs no writing."""

    def test(value: Any) -> bool:
        try:
            make(value)
        except MailMessageError:
            return False
        return True

    return test


def header_texts(*, tab: bool = False) -> SearchStrategy[str]:
    """Text without control characters, from all of Unicode, possibly blank or very long."""
    characters = st.characters(codec="utf-8", exclude_categories=["Cc"])
    pieces = st.sampled_from((*TRAPS, "\t") if tab else TRAPS)
    return st.lists(pieces | characters, min_size=1, max_size=6).map("".join)


def subjects() -> SearchStrategy[str]:
    """Subjects, tabs included."""
    return header_texts(tab=True).filter(_taken(lambda value: MailMessage("a@example.com", value, text="-")))


def display_names() -> SearchStrategy[str]:
    """Display names, of which some are empty."""
    return st.just("") | header_texts().filter(_taken(lambda value: Address("a", "example.com", value)))


def file_names() -> SearchStrategy[str]:
    """Names of attached files."""
    names = header_texts() | st.sampled_from(
        ("report.pdf", "year end.tar.gz", "x" * 60, "x" * 61, "\u00dcbersicht.pdf")
    )
    taken = names.filter(_taken(lambda value: Attachment(value, b"", "a/b")))
    return taken.map(lambda value: Attachment(value, b"", "a/b").filename)


def header_values() -> SearchStrategy[str]:
    """Values of custom headers, possibly blank."""
    return header_texts(tab=True).filter(
        _taken(lambda value: MailMessage("a@example.com", "-", text="-", headers={"X": value}))
    )


def header_names() -> SearchStrategy[str]:
    """Names of custom headers, some of them well known, some silly."""
    known = st.sampled_from(("List-Unsubscribe", "References", "In-Reply-To", "Auto-Submitted", "Resent-To", "Sender"))
    silly = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1, max_size=40)
    return known | silly.map("X-{}".format) | st.just("X-" + "y" * 74)


def local_parts(*, ascii_only: bool = True) -> SearchStrategy[str]:
    """What stands before an @, with and without need of quotes.

    Without "=?": `=?utf-8?q?a?=@example.com` is an address by the book, but mail programs disagree about it.
    """
    highest = 126 if ascii_only else 0x10FFFF
    characters = st.characters(codec="utf-8", min_codepoint=32, max_codepoint=highest, exclude_categories=["Cc"])
    parts = st.sampled_from(("grace", "a.b", "a+tag", ".dot", "two  blanks", 'q"uote', "back\\slash", "a@b", " "))
    return (parts | st.text(characters, min_size=1, max_size=16)).filter(lambda value: "=?" not in value)


def mailboxes(*, ascii_only: bool = True) -> SearchStrategy[Address]:
    """Mailboxes with and without a display name."""
    return st.builds(Address, local_parts(ascii_only=ascii_only), st.sampled_from(DOMAINS), display_names())


def bodies() -> SearchStrategy[str]:
    """Bodies with every kind of line end, control characters included."""
    lines = st.sampled_from(LINE_TRAPS) | st.text(st.characters(codec="utf-8"), max_size=20)
    ends = st.sampled_from(("\n", "\r\n", "\r", "\n\n", ""))
    return st.lists(st.tuples(lines, ends).map("".join), min_size=1, max_size=4).map("".join).filter(bool)


def contents() -> SearchStrategy[bytes]:
    """Contents of attachments."""
    return st.binary(max_size=300) | bodies().map(str.encode) | st.just(bytes(range(256)) * 8)


def attachments() -> SearchStrategy[Attachment]:
    """Files and inline images; those of type `message/…` hold anything at all."""
    types = st.sampled_from(
        (None, "application/pdf", "text/plain; charset=utf-8", 'a/b; name="c; d"', "message/rfc822", "MESSAGE/Partial")
    )
    files = st.builds(Attachment, file_names(), contents(), types)
    ids = st.sampled_from(("logo", "logo@example.com", "x" * 100))
    images = st.builds(Attachment, file_names(), contents(), st.just("image/png"), ids, st.booleans())
    return files | images


def dates() -> SearchStrategy[datetime.datetime]:
    """Moments in zones whose offset may hold seconds and microseconds."""
    day = datetime.timedelta(hours=23, minutes=59)
    zones = st.timedeltas(-day, day).map(datetime.timezone)
    return st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001


@st.composite
def messages(draw: st.DrawFn, *, ascii_only: bool = True) -> MailMessage:
    """Complete messages: any of the bodies, attachments, copies and custom headers may be there.

    Args:
        draw: Given by hypothesis.
        ascii_only: False draws local parts that need SMTPUTF8, too.
    """
    people = mailboxes(ascii_only=ascii_only)
    several = st.lists(people, max_size=2)
    text, html = draw(st.tuples(st.none() | bodies(), st.none() | bodies()).filter(any))
    pairs = st.tuples(header_names(), header_values()).filter(
        _taken(lambda pair: MailMessage("a@example.com", "-", text="-", headers=dict([pair])))
    )
    headers = st.lists(pairs, max_size=3, unique_by=lambda pair: pair[0].lower())
    return MailMessage(
        draw(st.lists(people, min_size=1, max_size=3)),
        draw(subjects()),
        html,
        draw(people),
        draw(several),
        draw(several),
        draw(several),
        text=text,
        attachments=draw(st.lists(attachments(), max_size=3)),
        headers=dict(draw(headers)),
        date=draw(dates()),
    )
