"""Messages as bytes: what arrives is what was meant, whatever the model takes, and nothing on the wire is ambiguous."""

import datetime
import email.policy
import quopri
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.header import decode_header
from email.message import EmailMessage
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from message_strategies import LINE_TRAPS, TRAPS, messages
from postroom import Address, Attachment, MailMessage, MailMessageError
from postroom_smtp import mime

thorough = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])

_MOMENT = datetime.datetime(2026, 3, 1, 12, 30, 5, tzinfo=datetime.UTC)
_PNG = b"\x89PNG\r\n\x1a\n"


def render(message: MailMessage) -> bytes:
    """Return the whole message as it goes on the wire."""
    return bytes(mime.render(message))


def _message(**fields: Any) -> MailMessage:
    """Return a message with a fixed id and date; a body of text unless there is another."""
    given: dict[str, Any] = {"to": "grace@example.com", "from_": "ada@example.org", "id": "one", "date": _MOMENT}
    body = {} if "html" in fields else {"text": "Hi\n"}
    return MailMessage(**({"subject": "Hello"} | given | body | fields))


# --- a reader that shares nothing with the writer or with email.parser -------------------------------------------


@attrs.frozen
class _Entity:
    """A MIME entity: header fields as they stand, unfolded, and the body still encoded."""

    fields: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return dict(self.fields).get(name, "")

    @property
    def type(self) -> str:
        return self["Content-Type"].partition(";")[0]

    @property
    def boundary(self) -> bytes:
        found = re.search(r'boundary="([^"]+)"', self["Content-Type"])
        assert found
        return found[1].encode()

    @property
    def content(self) -> bytes:
        encoding = self["Content-Transfer-Encoding"]
        if encoding == "base64":
            return b64decode(self.body.replace(b"\r\n", b""), validate=True)
        return quopri.decodestring(self.body) if encoding == "quoted-printable" else self.body

    @property
    def parts(self) -> "list[_Entity]":
        """The parts of a multipart; none of anything else."""
        if not self.type.startswith("multipart/"):
            return []
        preamble, *parts, end = (b"\r\n" + self.body).split(b"\r\n--" + self.boundary)
        assert (preamble, end) == (b"", b"--\r\n")
        return [_read(part.removeprefix(b"\r\n")) for part in parts]

    @property
    def leaves(self) -> "list[_Entity]":
        return [leaf for part in self.parts for leaf in part.leaves] or [self]

    @property
    def shape(self) -> str:
        inside = ", ".join(part.shape for part in self.parts)
        return f"{self.type.removeprefix('multipart/')}({inside})" if inside else self.type


def _read(data: bytes) -> _Entity:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert all(line.strip(" \t") for line in lines)
    fields: list[tuple[str, str]] = []
    for line in lines:
        if line[0] in " \t":
            name, value = fields.pop()
            fields.append((name, value + line))
        else:
            name, _, value = line.partition(":")
            fields.append((name, value.removeprefix(" ")))
    return _Entity(fields, body)


def _wire(message: MailMessage) -> _Entity:
    return _read(render(message))


def _specs(value: str) -> list[str]:
    """Return the bare addresses of an address header."""
    quoted = r'"(?:[^"\\]|\\.)*"'
    items = re.findall(rf'(?:{quoted}|[^",])+', value)
    named = [re.fullmatch(rf'(?:{quoted}|[^"<])*<((?:{quoted}|[^"<>])*)>', item) for item in items]
    return [match[1] if match else item.strip() for match, item in zip(named, items, strict=True)]


def _crlf(data: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def _assert_sound(message: MailMessage) -> None:
    """Check that the wire holds the headers that were meant, each once, and nothing that readers see differently."""
    wire = render(message)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)
    assert wire.endswith(b"\r\n")
    assert max(map(len, wire.split(b"\r\n"))) <= 998

    whole = _read(wire)
    names = [name for name, _ in whole.fields]
    meant = ["From", "To", *["Cc"] * bool(message.cc), *["Reply-To"] * bool(message.reply_to), "Subject", "Date"]
    meant += ["Message-ID", *message.headers, "MIME-Version", "Content-Type"]
    assert names == meant + ["Content-Transfer-Encoding"] * (not whole.parts)
    assert message.from_ is not None
    for name, mailboxes in (
        ("From", [message.from_]),
        ("To", message.to),
        ("Cc", message.cc),
        ("Reply-To", message.reply_to),
    ):
        assert _specs(whole[name]) == [mailbox.spec for mailbox in mailboxes]
    for name, value in message.headers.items():
        assert not value.isascii() or whole[name].strip(" \t") == value.strip(" \t")

    everybody = (message.from_, *message.to, *message.cc, *message.reply_to)
    body_starts = wire.index(b"\r\n\r\n")
    assert wire[body_starts:].isascii()
    assert wire[:body_starts].isascii() == all(mailbox.local_part.isascii() for mailbox in everybody)
    _assert_encoded_words(message, wire[:body_starts].decode())
    _assert_parts(whole, wire)


def _assert_encoded_words(message: MailMessage, head: str) -> None:
    """Check the length of a line that holds one, RFC 2047 section 2; a caller's own are the caller's matter."""
    name = ""
    for line in head.split("\r\n"):
        first = line[0] not in " \t"
        name = line.partition(":")[0] if first else name
        ours = name == "Subject" or not message.headers.get(name, "").isascii()
        if ours and "=?" in line and not (first and len(name) > 34):
            assert len(line) <= 76


def _assert_parts(entity: _Entity, wire: bytes) -> None:
    parts = entity.parts
    if parts:
        # Once where it is declared, once before each part, once at the end.
        assert wire.count(entity.boundary) == len(parts) + 2
    elif entity["Content-Transfer-Encoding"] == "7bit":
        assert not re.search(rb"[^\t\r\n -~]", entity.body)
    else:
        assert max(map(len, entity.body.split(b"\r\n"))) <= 76
    for part in parts:
        _assert_parts(part, wire)


def _without_name(content_type: str) -> tuple[str, str | None]:
    """Return a content type without the name that is in it as encoded words, and that name."""
    kind, found, words = content_type.removesuffix('"').partition('; name="')
    parts = decode_header(words)
    name = "".join(part if isinstance(part, str) else part.decode(charset or "ascii") for part, charset in parts)
    return (kind, name) if found else (content_type, None)


def _assert_arrived(message: MailMessage) -> None:
    """Check bodies and attachments, in their order, against the leaves on the wire."""
    whole = _wire(message)
    leaves = iter(whole.leaves)
    for kind, text in (("text/plain", message.text), ("text/html", message.html)):
        if text is not None:
            leaf, data = next(leaves), _crlf(text.encode())
            assert leaf.type == kind
            # A message ends with a line end, so a body that is the whole of it may get one.
            assert leaf.content == data or (leaf is whole and leaf.content == data + b"\r\n")
    for attachment in sorted(message.attachments, key=lambda each: not each.inline):
        leaf, kind = next(leaves), attachment.content_type_with_charset
        type_, name = (leaf["Content-Type"], None) if "name=" in kind else _without_name(leaf["Content-Type"])
        assert name in (None, attachment.filename)
        if not kind.lower().startswith("message/"):
            assert (type_, leaf.content) == (kind, attachment.content)
        elif leaf["Content-Transfer-Encoding"] == "7bit":
            assert (type_, leaf.content) == (kind, _crlf(attachment.content))
        else:
            assert (type_, leaf.content) == ("application/octet-stream", attachment.content)
        meant = ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
        assert [name for name, _ in leaf.fields] == meant + ["Content-ID"] * (attachment.content_id is not None)
        assert leaf["Content-Disposition"].startswith("inline;" if attachment.inline else "attachment;")
        assert leaf["Content-ID"] == (f"<{attachment.content_id}>" if attachment.content_id else "")
    assert next(leaves, None) is None


# --- whatever the model takes ------------------------------------------------------------------------------------


@thorough
@given(messages(ascii_only=False))
def test_any_message_arrives_and_is_unambiguous(message: MailMessage) -> None:
    """Exactly the meant headers, recipients, bodies and files are on the wire, in clean lines; twice the same bytes."""
    _assert_sound(message)
    _assert_arrived(message)
    assert render(message) == render(attrs.evolve(message))


@thorough
@given(messages())
def test_any_message_survives_the_standard_reader(message: MailMessage) -> None:
    """`email.parser` finds no defect, and gives back headers, bodies and files."""
    parsed = message_from_bytes(render(message), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    for name in ("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version"):
        assert name not in parsed or parsed[name].defects == ()
    assert parsed["Subject"] == message.subject
    assert parsed["Message-ID"] == message.message_id
    assert abs(parsed["Date"].datetime - message.date) < datetime.timedelta(seconds=1)
    assert len(parsed["To"].addresses) == len(message.to)
    for name, value in message.headers.items():
        assert value.isascii() or not name.startswith("X-") or parsed[name] == value

    parts = list(_parts(parsed))
    for part in parts:
        assert part.defects == []
        # Encoded words in quotes are what some mail programs want, and what RFC 2047 does not.
        assert all("encoded" in str(defect) for defect in part["Content-Type"].defects)
        assert part["Content-Transfer-Encoding"] is None or part["Content-Transfer-Encoding"].defects == ()
    if message.text is not None:
        assert _crlf(_text(parsed, "plain").encode()).rstrip(b"\r\n") == _crlf(message.text.encode()).rstrip(b"\r\n")
    if message.html is not None:
        assert _crlf(_text(parsed, "html").encode()).rstrip(b"\r\n") == _crlf(message.html.encode()).rstrip(b"\r\n")
    files = [part for part in parts if part["Content-Disposition"]]
    meant = sorted(message.attachments, key=lambda each: not each.inline)
    assert [part["Content-Disposition"].params["filename"] for part in files] == [each.filename for each in meant]
    assert [part["Content-Disposition"].defects for part in files] == [()] * len(meant)
    for part, attachment in zip(files, meant, strict=True):
        if part.get_content_maintype() != "message":
            assert part.get_payload(decode=True) == attachment.content


def _parts(entity: EmailMessage) -> Iterator[EmailMessage]:
    """Walk our own parts; what stands within an attached message is its author's."""
    yield entity
    if entity.get_content_maintype() == "multipart":
        for part in entity.iter_parts():
            assert isinstance(part, EmailMessage)
            yield from _parts(part)


def _text(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


_HOSTILE = (
    *(
        "\r\n",
        "\n",
        "\r",
        "\x00",
        "\x0b",
        "\x85",
        "\r\nBcc: eve@example.net",
        "\r\n\r\n",
        "\n.\n",
        "\r\n\t",
        "\r\n.\r\n",
    ),
    *("=?utf-8?q?=0D=0ABcc:_eve@example.net?=", "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm5ldA==?=", "=?utf-7?q?+AA0ACg-?="),
    *("eve@example.net", "a/b", "; x=", '"a"', "X-Y", "Bcc", "Content-Type", "one", "example.com", "1.2"),
)


@settings(thorough, max_examples=400)
@given(st.data())
def test_hostile_text_in_any_field_is_refused_or_harmless(data: st.DataObject) -> None:
    """Line ends, raw or encoded, and all else that could begin a header or name a recipient, do not."""
    pieces = st.sampled_from(_HOSTILE) | st.sampled_from(TRAPS) | st.characters()
    value = data.draw(st.lists(pieces, min_size=1, max_size=4).map("".join))
    fields: dict[str, Callable[[], dict[str, object]]] = {
        "to": lambda: {"to": value},
        "local part": lambda: {"to": Address(value, "b.example")},
        "domain": lambda: {"cc": Address("a", value)},
        "sender's name": lambda: {"from_": Address("a", "b.example", value)},
        "name": lambda: {"to": Address("a", "b.example", value), "reply_to": Address("a", "b.example", value)},
        "subject": lambda: {"subject": value},
        "text": lambda: {"text": value},
        "html": lambda: {"html": value},
        "id": lambda: {"id": value},
        "header name": lambda: {"headers": {value: "x"}},
        "header value": lambda: {"headers": {"X": value}},
        "file name": lambda: {"attachments": [Attachment(value, b"x")]},
        "content type": lambda: {"attachments": [Attachment("x", b"x", value)]},
        "content id": lambda: {"attachments": [Attachment("x", b"x", content_id=value)]},
    }
    field = data.draw(st.sampled_from(sorted(fields)))
    try:
        message = _message(**fields[field]())
    except MailMessageError:
        return
    _assert_sound(message)
    _assert_arrived(message)


# --- the same bytes on every Python ------------------------------------------------------------------------------


def _golden(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def test_a_plain_message_has_these_bytes() -> None:
    """Text alone is one part, readable as it is."""
    message = _message(text="Hi Grace,\n\n.. see you\r.\r\nAda", cc="Charles <charles@example.net>")
    assert render(message) == _golden("""\
From: ada@example.org
To: grace@example.com
Cc: Charles <charles@example.net>
Subject: Hello
Date: Sun, 01 Mar 2026 12:30:05 +0000
Message-ID: <one@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

Hi Grace,

.. see you
.
Ada
""")


def test_a_message_with_headers_in_other_scripts_has_these_bytes() -> None:
    """Names and subject are encoded words, custom ASCII headers stay whole, mostly ASCII text is quoted-printable."""
    message = _message(
        to=["Grüße <grace@münchen.example>", Address("hopper", "example.com", "Hopper, Grace")],
        subject="Übersicht über die Aufträge des Jahres, die noch offen sind und bezahlt werden müssen",
        reply_to="名前 <reply@example.org>",
        headers={
            "List-Unsubscribe": "<https://example.org/unsubscribe?token=0123456789abcdef0123456789abcdef0123456789>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "X-Ort": "Köln",
        },
        html="<p>Die Aufträge sind noch offen, 1 + 1 = 2, und diese Zeile ist sehr lang, so lang \t\n</p>\n.\n",
    )
    assert render(message) == _golden("""\
From: ada@example.org
To: =?utf-8?b?R3LDvMOfZQ==?= <grace@xn--mnchen-3ya.example>, "Hopper, Grace"
 <hopper@example.com>
Reply-To: =?utf-8?b?5ZCN5YmN?= <reply@example.org>
Subject: =?utf-8?q?=C3=9Cbersicht_=C3=BCber_die_Auftr=C3=A4ge_des_Jahres?=
 =?utf-8?q?=2C_die_noch_offen_sind_und_bezahlt_werden_m=C3=BCssen?=
Date: Sun, 01 Mar 2026 12:30:05 +0000
Message-ID: <one@example.org>
List-Unsubscribe: <https://example.org/unsubscribe?token=0123456789abcdef0123456789abcdef0123456789>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
X-Ort: =?utf-8?b?S8O2bG4=?=
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Die Auftr=C3=A4ge sind noch offen, 1 + 1 =3D 2, und diese Zeile ist sehr=
 lang, so lang =09
</p>
=2E
""")


def test_a_message_of_all_parts_has_these_bytes() -> None:
    """The shape is mixed(alternative(text, related(html, image)), files)."""
    message = _message(
        text="Siehe 名前\n",
        html='<img src="cid:logo">\n',
        attachments=[
            Attachment("Übersicht (1).pdf", bytes(range(120)), "application/pdf"),
            Attachment("logo.png", _PNG, content_id="logo", inline=True),
            Attachment("forwarded.eml", b"Subject: inner\n\nText\n", "message/rfc822"),
        ],
    )
    assert render(message) == _golden("""\
From: ada@example.org
To: grace@example.com
Subject: Hello
Date: Sun, 01 Mar 2026 12:30:05 +0000
Message-ID: <one@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed;
 boundary="=_7692c3ad3540bb803c020b3a_m"

--=_7692c3ad3540bb803c020b3a_m
Content-Type: multipart/alternative;
 boundary="=_7692c3ad3540bb803c020b3a_a"

--=_7692c3ad3540bb803c020b3a_a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

U2llaGUg5ZCN5YmNDQo=
--=_7692c3ad3540bb803c020b3a_a
Content-Type: multipart/related; type="text/html";
 boundary="=_7692c3ad3540bb803c020b3a_r"

--=_7692c3ad3540bb803c020b3a_r
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 7bit

<img src="cid:logo">

--=_7692c3ad3540bb803c020b3a_r
Content-Type: image/png
Content-Transfer-Encoding: base64
Content-Disposition: inline;
 filename="logo.png"
Content-ID: <logo>

iVBORw0KGgo=
--=_7692c3ad3540bb803c020b3a_r--

--=_7692c3ad3540bb803c020b3a_a--

--=_7692c3ad3540bb803c020b3a_m
Content-Type: application/pdf;
 name="=?utf-8?b?w5xiZXJzaWNodCAoMSkucGRm?="
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
 filename*=utf-8''%C3%9Cbersicht%20%281%29.pdf

AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4
OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3Bx
cnN0dXZ3
--=_7692c3ad3540bb803c020b3a_m
Content-Type: message/rfc822
Content-Transfer-Encoding: 7bit
Content-Disposition: attachment;
 filename="forwarded.eml"

Subject: inner

Text

--=_7692c3ad3540bb803c020b3a_m--
""")


def test_a_message_for_smtputf8_has_these_bytes() -> None:
    """A local part outside ASCII stands as UTF-8, and nothing else does."""
    message = _message(to="Grüße <grüße@münchen.example>", from_="用户@example.org", text="名前\n")
    assert render(message) == _golden("""\
From: 用户@example.org
To: =?utf-8?b?R3LDvMOfZQ==?= <grüße@xn--mnchen-3ya.example>
Subject: Hello
Date: Sun, 01 Mar 2026 12:30:05 +0000
Message-ID: <one@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

5ZCN5YmNDQo=
""")


# --- shape -------------------------------------------------------------------------------------------------------

_IMAGE = Attachment("logo.png", _PNG, content_id="logo", inline=True)
_FILE = Attachment("report.pdf", b"%PDF", "application/pdf")
_INNER = Attachment("mail.eml", b"Subject: inner\r\n\r\nText\r\n", "message/rfc822")


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"text": "T"}, "text/plain"),
        ({"html": "H"}, "text/html"),
        ({"text": "T", "html": "H"}, "alternative(text/plain, text/html)"),
        ({"html": "H", "attachments": [_IMAGE]}, "related(text/html, image/png)"),
        (
            {"text": "T", "html": "H", "attachments": [_IMAGE, _IMAGE]},
            "alternative(text/plain, related(text/html, image/png, image/png))",
        ),
        ({"text": "T", "attachments": [_FILE]}, "mixed(text/plain, application/pdf)"),
        ({"html": "H", "attachments": [_FILE, _INNER]}, "mixed(text/html, application/pdf, message/rfc822)"),
        (
            {"text": "T", "html": "H", "attachments": [_FILE, _IMAGE]},
            "mixed(alternative(text/plain, related(text/html, image/png)), application/pdf)",
        ),
        ({"text": "T", "attachments": [_FILE, _IMAGE]}, "mixed(text/plain, image/png, application/pdf)"),
    ],
)
def test_a_message_has_no_more_levels_than_it_needs(fields: dict[str, Any], shape: str) -> None:
    """Inline images belong to the HTML, or, where there is none, stand before the files."""
    message = _message(**fields)
    assert _wire(message).shape == shape
    _assert_sound(message)
    _assert_arrived(message)


def test_related_names_its_root_type() -> None:
    """RFC 2387 section 3.1 demands it."""
    message = _message(html="H", attachments=[_IMAGE])
    assert _wire(message)["Content-Type"].startswith('multipart/related; type="text/html"; boundary=')


# --- bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["text", "html"])
@pytest.mark.parametrize(
    "body",
    [*filter(None, LINE_TRAPS), "\n", "\r", "\n\n", "no end", "end\n", "x" * 100_000, "a\rb\nc\r\nd\n\re", "=" * 200],
)
def test_any_line_arrives(where: str, body: str) -> None:
    """Alone, in the middle and at the end, in a message of one part and in one of two, a line is what it was."""
    for text in (body, f"{body}\n", f"before\r\n{body}\r\nafter"):
        for fields in ({where: text}, {"text": text, "html": text}):
            message = _message(**fields)
            _assert_sound(message)
            _assert_arrived(message)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("plain\ttext \n", "7bit"),
        ("x" * 998, "7bit"),
        ("--boundary\n.\nFrom me\n", "7bit"),
        ("x" * 999, "quoted-printable"),
        ("=_ may begin a boundary", "quoted-printable"),
        ("nul \x00", "base64"),
        ("start of heading \x01", "base64"),
        ("bell \x07 and escape \x1b", "quoted-printable"),
        ("delete \x7f", "quoted-printable"),
        ("form\x0cfeed", "quoted-printable"),
        ("Herzliche Grüße aus dem Norden", "quoted-printable"),
        ("é" + "x" * 11, "quoted-printable"),
        ("é" + "x" * 10, "base64"),
        ("名前を入力してください", "base64"),
        ("Привет", "base64"),
    ],
)
def test_a_body_takes_the_encoding_that_it_needs(body: str, encoding: str) -> None:
    """ASCII in lines of at most 998 octets goes as it is; what is mostly ASCII is quoted-printable, the rest base64."""
    assert _wire(_message(text=body))["Content-Transfer-Encoding"] == encoding


@thorough
@given(st.integers(60, 90), st.sampled_from((" ", "\t", "é", "= ", "=", "é\t", ".")), st.booleans())
def test_a_line_of_quoted_printable_has_at_most_76_characters(length: int, tail: str, ended: bool) -> None:
    """A blank at the end of a line is encoded without making the line longer; soft line breaks are CRLF."""
    body = "=_" + "x" * length + tail + "\n" * ended
    part = _wire(_message(text=body + "\n" + body, html="=_")).leaves[0]
    assert part["Content-Transfer-Encoding"] == "quoted-printable"
    assert max(map(len, part.body.split(b"\r\n"))) <= 76
    assert not re.search(rb"[ \t]\r\n|(?<!\r)\n", part.body)
    assert part.content == (body + "\n" + body).replace("\n", "\r\n").encode()


def test_a_body_of_one_part_ends_with_a_line_end() -> None:
    """It is added only where it is missing."""
    for body in ("Hi", "Hi\n", "Herzliche Grüße aus dem Norden", "Herzliche Grüße aus dem Norden\r\n"):
        content = _wire(_message(text=body)).content
        assert content == body.rstrip().encode() + b"\r\n"


def test_a_body_cannot_end_its_own_part() -> None:
    """A body that quotes the message's own boundary is encoded, so that the boundary stays unique."""
    plain = _message(html="H")
    boundary = _wire(_message(text="T", html="H")).boundary.decode()
    forged = attrs.evolve(plain, text=f"\r\n--{boundary}\r\n\r\nforged\r\n--{boundary}--\r\n")
    assert _wire(forged).boundary.decode() == boundary
    _assert_sound(forged)
    _assert_arrived(forged)


# --- attached messages -------------------------------------------------------------------------------------------


def _attached(content: bytes, kind: str = "message/rfc822", **fields: Any) -> _Entity:
    message = _message(attachments=[Attachment("mail.eml", content, kind)], **fields)
    _assert_sound(message)
    return _wire(message).leaves[-1]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_a_clean_message_is_attached_as_it_is(end: bytes) -> None:
    """It stays readable, and every line ends with CRLF."""
    part = _attached(end.join([b"Subject: inner", b"", b".text", b""]))
    assert (part.type, part["Content-Transfer-Encoding"]) == ("message/rfc822", "7bit")
    assert part.body == b"Subject: inner\r\n\r\n.text\r\n"


@pytest.mark.parametrize("content", [b"Subject: \xc3\xbc\n\ntext", b"\n\n" + b"x" * 999, b"Subject: s\n\n\x00"])
def test_a_message_that_7bit_cannot_hold_is_attached_as_a_file(content: bytes) -> None:
    """RFC 2046 section 5.2.1 forbids to encode a message, so it is declared as octets, and arrives to the byte."""
    part = _attached(content)
    assert (part.type, part["Content-Transfer-Encoding"]) == ("application/octet-stream", "base64")
    assert part.content == content


def test_a_message_of_ours_can_be_attached_to_another() -> None:
    """Both have boundaries of their own; the standard reader finds the inner one without defect."""
    inner = _message(id="inner", subject="Grüße", html="<b>Über =_ alles</b>", text="名前", attachments=[_FILE, _IMAGE])
    message = _message(attachments=[Attachment("mail.eml", render(inner), "message/rfc822")])
    _assert_sound(message)
    parsed = message_from_bytes(render(message), policy=email.policy.default)
    (attached,) = parsed.iter_attachments()
    found = attached.get_content()
    assert [part.defects for part in parsed.walk()] == [[]] * 10
    assert (found["Subject"], found["Message-ID"]) == ("Grüße", "<inner@example.org>")
    assert found.get_body(("plain",)).get_content() == "名前"
    assert [part.get_content() for part in found.iter_attachments()] == [b"%PDF"]


def test_a_message_with_the_same_boundary_is_attached_as_a_file() -> None:
    """Two messages of one id have one boundary, which must not stand inside a part."""
    inner = render(_message(html="H", text="T"))
    part = _attached(inner)
    assert part.type == "application/octet-stream"
    assert part.content == inner


def test_any_kind_of_message_is_left_unencoded() -> None:
    """The rule is about the top-level type, in whatever case."""
    assert (
        _attached(b"Reporting-MTA: dns; mx.example\r\n", "Message/Delivery-Status")["Content-Transfer-Encoding"]
        == "7bit"
    )


# --- headers -----------------------------------------------------------------------------------------------------


def test_bcc_is_nowhere() -> None:
    """Neither the header nor the address."""
    wire = render(_message(bcc=["Eve <eve@example.net>"]))
    assert b"bcc" not in wire.lower()
    assert b"eve" not in wire.lower()


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        ("2026-03-01T12:30:05.999999+00:00", "Sun, 01 Mar 2026 12:30:05 +0000"),
        ("2026-03-01T00:30:05+05:30", "Sat, 28 Feb 2026 19:00:05 +0000"),
        ("2026-12-31T23:00:00-08:00", "Fri, 01 Jan 2027 07:00:00 +0000"),
        ("2026-03-01T12:30:05+00:19:32", "Sun, 01 Mar 2026 12:10:33 +0000"),
    ],
)
def test_the_date_is_written_in_utc(moment: str, written: str) -> None:
    """A zone whose offset has seconds cannot be written in a header; UTC always can."""
    assert _wire(_message(date=datetime.datetime.fromisoformat(moment)))["Date"] == written


def test_the_message_id_and_references_are_never_encoded() -> None:
    """Threads hold together by their exact text."""
    ids = " ".join(f"<{'x' * 80}.{number}@mail.example.com>" for number in range(3))
    whole = _wire(_message(id="y" * 200, headers={"References": ids, "In-Reply-To": ids}))
    assert whole["Message-ID"] == f"<{'y' * 200}@example.org>"
    assert whole["References"] == whole["In-Reply-To"] == ids


def test_500_recipients_arrive() -> None:
    """They are folded, each whole."""
    people = [Address(f"user{number}", "münchen.example", f"Günther {number}") for number in range(500)]
    message = _message(to=people)
    _assert_sound(message)
    parsed = message_from_bytes(render(message), policy=email.policy.default)
    assert [(each.display_name, each.addr_spec) for each in parsed["To"].addresses] == [
        (each.name, each.spec) for each in people
    ]


def test_only_a_local_part_makes_a_header_utf_8() -> None:
    """Everything else has an ASCII form, which every server takes."""
    others = {"subject": "Ü", "headers": {"X-City": "Ü"}, "cc": "Ü <u@ü.example>", "text": "Ü"}
    assert render(_message(**others)).isascii()
    wire = render(_message(to="ü@ü.example", **others))
    assert [line for line in wire.split(b"\r\n") if not line.isascii()] == ["To: ü@xn--tda.example".encode()]


# --- against the standard library's writer -----------------------------------------------------------------------

_WORD = st.text("abcxyzABC019äöüßéñ", min_size=1, max_size=7)
_WORDS = st.lists(_WORD, min_size=1, max_size=4).map(" ".join)
_LINES = st.lists(_WORDS | st.just("名前 =_ . --"), min_size=1, max_size=4).map(lambda lines: "\n".join(lines) + "\n")
_NAME = st.lists(_WORD, min_size=1, max_size=2).map(" ".join)


@st.composite
def _ordinary_messages(draw: st.DrawFn) -> MailMessage:
    text, html = draw(st.tuples(st.none() | _LINES, st.none() | _LINES).filter(any))
    images = st.lists(st.just(_IMAGE), max_size=1) if html else st.just([])
    files = st.lists(
        st.builds(Attachment, _NAME.map("{}.pdf".format), st.binary(), st.just("application/pdf")), max_size=2
    )
    return _message(
        to=[Address("grace", "example.com", draw(_NAME)), Address("g.h", "example.com")],
        cc=draw(st.lists(st.builds(Address, st.just("c"), st.just("example.com"), _NAME), max_size=1)),
        subject=draw(_WORDS),
        text=text,
        html=html,
        attachments=draw(images) + draw(files),
        headers={"X-Campaign": draw(_NAME)},
    )


def _by_standard_library(message: MailMessage) -> bytes:
    made = EmailMessage()
    made["From"], made["Subject"], made["Message-ID"] = str(message.from_), message.subject, message.message_id
    made["To"] = ", ".join(map(str, message.to))
    if message.cc:
        made["Cc"] = ", ".join(map(str, message.cc))
    made["Date"] = message.date
    for name, value in message.headers.items():
        made[name] = value
    if message.text is not None:
        made.set_content(message.text)
    if message.html is not None and message.text is not None:
        made.add_alternative(message.html, subtype="html")
    elif message.html is not None:
        made.set_content(message.html, subtype="html")
    html = made.get_body(("html",))
    for each in message.attachments:
        kind, subtype = each.content_type.split("/")
        if each.inline:
            assert html is not None
            cid = f"<{each.content_id}>"
            html.add_related(each.content, kind, subtype, filename=each.filename, disposition="inline", cid=cid)
        else:
            made.add_attachment(each.content, kind, subtype, filename=each.filename)
    return made.as_bytes(policy=email.policy.SMTP)


def _picture(wire: bytes) -> object:
    parsed = message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    names = ("From", "To", "Cc", "Subject", "Date", "Message-ID", "X-Campaign", "MIME-Version")
    parts = [
        (part.get_content_type(), part.get_content_disposition(), part.get_filename(), part["Content-ID"])
        + (() if part.is_multipart() else (part.get_content(),))
        for part in parsed.walk()
    ]
    return {name: parsed[name] for name in names}, [repr(part).replace("\\r\\n", "\\n") for part in parts]


@thorough
@given(_ordinary_messages())
def test_an_ordinary_message_reads_as_that_of_the_standard_library(message: MailMessage) -> None:
    """Where the standard writer is right, ours says the same: headers, shape, bodies and files."""
    assert _picture(render(message)) == _picture(_by_standard_library(message))


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "content", "kind"),
    [
        ("a.txt", "Grüße".encode(), "text/plain; charset=utf-8"),
        ("a.csv", "名前,1\r\n".encode(), "text/csv; charset=utf-8"),
        ("a.html", "\ufeff<p>x</p>".encode(), "text/html; charset=utf-8"),
        ("a.ics", "SUMMARY:Grüße".encode(), "text/calendar; charset=utf-8"),
        ("a.txt", b"ASCII", "text/plain"),
        ("a.txt", b"", "text/plain"),
        ("a.txt", "Grüße".encode("latin-1"), "text/plain"),
        ("a.txt", "Grüße".encode("utf-16"), "text/plain"),
        ("a.txt", "Grüße".encode()[:3], "text/plain"),
        ("a.txt", b"x" * 65535 + "ü".encode() + b"x", "text/plain; charset=utf-8"),
        ("a.txt", b"x" * 65535 + "ü".encode("latin-1") + b"x", "text/plain"),
        ("a.json", '{"a": "ü"}'.encode(), "application/json"),
        ("a.pdf", "ü".encode(), "application/pdf"),
    ],
)
def test_text_that_is_utf_8_says_so(filename: str, content: bytes, kind: str) -> None:
    """A text file whose type names no charset says utf-8 if it is UTF-8 and not ASCII; JSON never has one."""
    wire = render(_message(attachments=[Attachment(filename, content)]))
    assert _read(wire).leaves[1]["Content-Type"] == kind
    if "charset" in kind:
        _, part = message_from_bytes(wire, policy=email.policy.default).iter_parts()
        assert part.get_content() == content.decode()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("TEXT/PLAIN; format=flowed", "TEXT/PLAIN; format=flowed; charset=utf-8"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("text/plain;CHARSET=gb18030", "text/plain;CHARSET=gb18030"),
        ("application/xml", "application/xml"),
    ],
)
def test_a_charset_that_is_given_is_left_alone(given: str, kind: str) -> None:
    """What the caller says of a file's charset is the last word."""
    wire = _wire(_message(attachments=[Attachment("a", "ü".encode(), given)]))
    assert wire.leaves[1]["Content-Type"] == kind


@pytest.mark.parametrize(
    "filename",
    [
        "report.pdf",
        "x" * 300 + ".pdf",
        "a,b #1 & [c]; it's.pdf",
        "韩安.pdf",
        "Übersicht, Nr. 1.pdf",
        "名" * 80 + ".pdf",
        '5".pdf',
    ],
)
def test_the_name_of_a_file_is_read_by_old_and_new_readers(filename: str) -> None:
    """By the standard library's two readers, and by one that takes the words in the quotes, as QQ mail does."""
    wire = render(_message(attachments=[Attachment(filename, b"%PDF", "application/pdf")]))
    for policy in (email.policy.default, email.policy.compat32):
        parsed = message_from_bytes(wire, policy=policy)
        assert [part.get_filename() for part in parsed.walk() if part.get_filename()] == [filename]
    kind, name = _without_name(_read(wire).leaves[1]["Content-Type"])
    assert kind == "application/pdf"
    assert name == (filename if not filename.isascii() or '"' in filename else None)
    assert max(map(len, wire.split(b"\r\n"))) <= max(76, len(filename) + len(' filename=""'))


# --- size --------------------------------------------------------------------------------------------------------


def test_a_large_attachment_arrives() -> None:
    """Five megabytes are only more of the same."""
    content = bytes(range(256)) * 20_480
    message = _message(attachments=[Attachment("large.bin", content)])
    assert _wire(message).leaves[1].content == content


@pytest.mark.parametrize("line", ["x" * 998, "x" * 76, "é", "x" * 500 + " é"])
def test_a_large_body_arrives(line: str) -> None:
    """Neither long lines nor many lines are a burden."""
    text = (line + "\r\n") * (1_000_000 // len(line.encode()))
    assert _wire(_message(text=text)).content == text.encode()
