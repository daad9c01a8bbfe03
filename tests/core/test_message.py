"""Messages and attachments: what they take, what they refuse, and that they never change."""

import copy
import datetime
import email.message
import inspect
import pickle
import re
from collections.abc import Iterator, Mapping

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Address, Attachment, MailMessage, MailMessageError

UTC = datetime.UTC
MOMENT = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def a_message(**fields: object) -> MailMessage:
    """Return a message with the least that it needs, and with these fields."""
    return MailMessage(**{"to": "grace@example.com", "subject": "Hello", "html": "<p>Hello</p>", **fields})  # type: ignore[arg-type]


def full_message() -> MailMessage:
    """Return a message that uses every field."""
    return MailMessage(
        "grace@example.com, Ada <ada@example.com>",
        "Grüße",
        "<p>Hallo</p>",
        "Joan <joan@straße.de>",
        ["cc@example.com"],
        "bcc@example.com",
        "reply@example.com",
        text="Hallo",
        attachments=[Attachment("a.png", b"\x89PNG", content_id="a", inline=True)],
        headers={"List-Unsubscribe": "<https://example.com/u>"},
        tags=["welcome"],
        metadata={"user": "1"},
        send_at=MOMENT,
        id="one.two",
        date=MOMENT,
        idempotency_key="key-1",
    )


def test_positions_and_names_of_the_fields() -> None:
    """The first seven fields may be given by position, in Dify's order; all others by name only."""
    parameters = list(inspect.signature(MailMessage).parameters.values())
    positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert positional == ["to", "subject", "html", "from_", "cc", "bcc", "reply_to"]
    assert {each.name for each in parameters if each.kind is each.KEYWORD_ONLY} == {
        "text", "attachments", "headers", "tags", "metadata", "send_at", "id", "date", "idempotency_key",
    }  # fmt: skip
    message = MailMessage("to@a.b", "s", "h", "from@a.b", "cc@a.b", "bcc@a.b", "reply@a.b")
    assert (message.to, message.cc, message.bcc, message.reply_to) == tuple(
        (Address(name, "a.b"),) for name in ("to", "cc", "bcc", "reply")
    )
    assert message.from_ == Address("from", "a.b")


@pytest.mark.parametrize(
    "to",
    [
        'a@example.com, "B, C" <b@example.com>, c@example.com',
        ["a@example.com", '"B, C" <b@example.com>', Address("c", "example.com")],
        ("a@example.com", '"B, C" <b@example.com>,,c@example.com'),
        iter(["a@example.com, B <b@example.com>", "c@example.com"]),
    ],
    ids=["joined", "list", "list of joined", "iterator"],
)
def test_to_reaches_everybody(to: object) -> None:
    """Every recipient is there, whether they come joined by commas, as a sequence, or both."""
    message = a_message(to=to)
    assert [address.spec for address in message.to] == ["a@example.com", "b@example.com", "c@example.com"]
    assert message.recipients == ("a@example.com", "b@example.com", "c@example.com")


def test_recipients_are_everybody_once() -> None:
    """`recipients` is to, cc and bcc in that order, each address once, without names."""
    message = a_message(
        to="A <a@example.com>, b@example.com", cc="a@EXAMPLE.com, c@example.com", bcc=["b@example.com", "d@example.com"]
    )
    assert message.recipients == ("a@example.com", "b@example.com", "c@example.com", "d@example.com")


def test_one_address_object_is_enough() -> None:
    """Each address field takes a single `Address` as it is."""
    grace = Address("grace", "example.com", "Grace")
    message = a_message(to=grace, from_=grace, cc=grace, bcc=grace, reply_to=grace)
    assert message.to == message.cc == message.bcc == message.reply_to == (grace,)
    assert message.from_ is grace


@pytest.mark.parametrize("nobody", [None, "", " , ", (), []])
def test_optional_addresses_may_be_empty(nobody: object) -> None:
    """None, blank text and an empty sequence are nobody in the fields that may be empty."""
    message = a_message(cc=nobody, bcc=nobody, reply_to=nobody)
    assert message.cc == message.bcc == message.reply_to == ()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"to": ""}, "Recipient email address is required"),
        ({"to": None}, "Recipient email address is required"),
        ({"to": []}, "Recipient email address is required"),
        ({"to": " ,"}, "Recipient email address is required"),
        ({"to": "", "cc": "c@example.com"}, "Recipient email address is required"),
        ({"subject": ""}, "Email subject is required"),
        ({"subject": None}, "Email subject is required"),
        ({"subject": " \t "}, "Email subject is required"),
        ({"html": ""}, "Email content is required: html or text"),
        ({"html": None}, "Email content is required: html or text"),
        ({"html": None, "text": ""}, "Email content is required: html or text"),
    ],
)
def test_what_is_required_is_said_in_the_words_of_dify(fields: dict[str, object], text: str) -> None:
    """A missing recipient, subject or body is a `ValueError` that begins with the text that Dify's callers know."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$") as caught:
        a_message(**fields)
    assert type(caught.value) is MailMessageError


def test_one_body_is_enough() -> None:
    """A message has html, text, or both."""
    assert a_message().text is None
    assert a_message(html=None, text="Hello").html is None
    assert a_message(html="", text="Hello").html is None
    assert a_message(text="Hello").text == "Hello"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"to": "bogus"}, "'bogus' is not an address: it has no @"),
        ({"to": ["a@example.com", 5]}, "an address must be text, not int"),
        ({"cc": "bogus"}, "'bogus' is not an address"),
        ({"from_": "a@example.com, b@example.com"}, "holds 2 addresses where one is expected"),
        ({"from_": 5}, "an address must be text, not int"),
        ({"from_": ["a@example.com"]}, "an address must be text, not list"),
        ({"subject": 5}, "subject must be text, not int"),
        ({"html": b"<p>"}, "html takes str, not bytes"),
        ({"text": 5}, "text takes str, not int"),
        ({"text": "a\ud800"}, "text is not valid Unicode: lone surrogate at position 1"),
        ({"attachments": ["a.png"]}, "attachments takes Attachment, not str"),
        ({"tags": [5]}, "a tag must be text, not int"),
        ({"metadata": {"a": 5}}, "metadata 'a' must be text, not int"),
        ({"metadata": {5: "a"}}, "a key in metadata must be text, not int"),
        ({"headers": {"X-A": 5}}, "header X-A must be text, not int"),
        ({"headers": {5: "a"}}, "a header name must be text, not int"),
        ({"date": "today"}, "date takes datetime, not str"),
        ({"date": MOMENT.replace(tzinfo=None)}, "date must be a datetime with a time zone"),
        ({"send_at": MOMENT.replace(tzinfo=None)}, "send_at must be a datetime with a time zone"),
        ({"send_at": 1}, "send_at takes datetime, not int"),
        ({"id": ""}, "id must be letters, digits and single dots"),
        ({"id": "a..b"}, "id must be letters, digits and single dots"),
        ({"id": "a@b"}, "id must be letters, digits and single dots"),
        ({"id": "a" * 201}, "at most 200"),
        ({"id": 5}, "id must be text, not int"),
        ({"idempotency_key": ""}, "idempotency_key must be 1 to 256 visible ASCII characters"),
        ({"idempotency_key": "a b"}, "idempotency_key must be 1 to 256 visible ASCII characters"),
        ({"idempotency_key": "ü"}, "idempotency_key must be 1 to 256 visible ASCII characters"),
        ({"idempotency_key": "a" * 257}, "idempotency_key must be 1 to 256 visible ASCII characters"),
    ],
)
def test_what_cannot_be_sent_is_refused(fields: dict[str, object], reason: str) -> None:
    """A field that cannot be sent is refused when the message is made, and the error names the field."""
    with pytest.raises(MailMessageError, match=re.escape(reason)):
        a_message(**fields)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Bcc", "use the field bcc"),
        ("CC", "use the field cc"),
        ("date", "use the field date"),
        ("From", "use the field from_"),
        ("Message-ID", "use the field id"),
        ("Reply-To", "use the field reply_to"),
        ("Subject", "use the field subject"),
        ("To", "use the field to"),
        ("MIME-Version", "it is written for you"),
        ("Content-Type", "it is written for you"),
        ("Content-Anything", "it is written for you"),
        ("DKIM-Signature", "it is written for you"),
        ("Received", "it is written for you"),
        ("Return-Path", "it is written for you"),
    ],
)
def test_a_reserved_header_names_the_field_to_use(name: str, advice: str) -> None:
    """A header that the message's own fields write is refused in any case, with the field to use instead."""
    for spelt in (name, name.lower(), name.upper()):
        with pytest.raises(MailMessageError, match=f"headers: {spelt} cannot be set here, {advice}"):
            a_message(headers={spelt: "x"})


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X-Ü", "X-" + "a" * 75])
def test_a_malformed_header_name_is_refused(name: str) -> None:
    """A header name is 1 to 76 visible ASCII characters without a colon."""
    with pytest.raises(MailMessageError, match="is not a header name"):
        a_message(headers={name: "x"})


def test_a_header_name_is_there_once() -> None:
    """Two spellings of one header name are refused."""
    with pytest.raises(MailMessageError, match="headers: x-a is there twice"):
        a_message(headers={"X-A": "1", "x-a": "2"})


def test_a_word_that_no_line_can_hold_is_refused() -> None:
    """A header value may be long, but not without a blank to fold it at."""
    a_message(headers={"X-A": "a" * 900 + " " + "b" * 899})
    with pytest.raises(MailMessageError, match="header X-A has more than 900 characters without a word break"):
        a_message(headers={"X-A": "a" * 901})


def test_headers_take_tabs_and_any_script() -> None:
    """Header values and subjects may hold tabs and any script."""
    message = a_message(subject="Grüße\t名字 👋", headers={"X-A": "Grüße\t名字"})
    assert message.subject == "Grüße\t名字 👋"
    assert message.headers == {"X-A": "Grüße\t名字"}


def test_headers_and_metadata_are_copied() -> None:
    """A mapping that the caller changes later does not change the message."""
    headers, metadata, tags = {"X-A": "1"}, {"a": "1"}, ["a"]
    message = a_message(headers=headers, metadata=metadata, tags=tags)
    headers["X-B"] = "2"
    metadata["b"] = "2"
    tags.append("b")
    assert (message.headers, message.metadata, message.tags) == ({"X-A": "1"}, {"a": "1"}, ("a",))


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to", "tags"])
def test_a_mapping_where_a_list_is_expected_is_refused(field: str) -> None:
    """Its values would be lost: names of recipients, or whatever somebody takes them for."""
    with pytest.raises(MailMessageError, match="a dict would lose its values here: give a list, with "):
        a_message(**{field: {"grace@example.com": "Grace"}})


class _Several(Mapping[str, str]):
    """A mapping that has several values for a name and gives the first, as those of web frameworks do."""

    def __getitem__(self, name: str) -> str:
        return "a"

    def __iter__(self) -> Iterator[str]:
        return iter(("X-Tag", "X-Tag"))

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize("field", ["headers", "metadata"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([("X-Tag", "a"), ("X-Tag", "b")], 'takes a mapping, such as {"name": "value"}, not list'),
        ([("X-Tag", "a")], "not list"),
        ((("X-Tag", "a"),), "not tuple"),
        ({("X-Tag", "a")}, "not set"),
        ({"X-Tag": "a"}.items(), "not dict_items"),
        (iter([("X-Tag", "a")]), "not list_iterator"),
        ([], "not list"),
        ("X-Tag: a", "not str"),
        (["ab"], "not list"),
        (None, "not NoneType"),
        (email.message.Message(), "not Message"),
        (_Several(), "takes one value for each name; this _Several has several"),
    ],
)
def test_what_may_hold_a_name_twice_is_refused(field: str, value: object, reason: str) -> None:
    """Headers and metadata are mappings: of pairs, one of two with the same name would be lost."""
    with pytest.raises(MailMessageError, match=re.escape(reason)) as caught:
        a_message(**{field: value})
    assert str(caught.value).startswith(f"{field} takes ")


def test_one_tag_is_not_taken_apart() -> None:
    """A single tag may be given as text; it is one tag, not its letters."""
    assert a_message(tags="welcome").tags == ("welcome",)


def test_a_message_is_frozen() -> None:
    """No field of a message can be set, and no field added."""
    message = full_message()
    for name in [*attrs.fields_dict(MailMessage), "unknown"]:
        with pytest.raises(AttributeError):
            setattr(message, name, "x")


def test_identity_and_date_are_made_once() -> None:
    """Each message has an id of its own, fixed with its date when it is made; the idempotency key is the id."""
    first, second = a_message(from_="a@example.com"), a_message(from_="a@example.com")
    assert first.id != second.id
    assert re.fullmatch(r"[0-9a-f]{32}", first.id)
    assert first.idempotency_key == first.id
    assert first.message_id == first.message_id == f"<{first.id}@example.com>"
    assert first.date.utcoffset() == datetime.timedelta(0)
    assert abs(datetime.datetime.now(UTC) - first.date) < datetime.timedelta(minutes=5)


def test_the_message_id_is_at_the_domain_of_the_sender() -> None:
    """The Message-ID shows the sender's domain as an A-label, and no host name; without a sender there is none."""
    assert full_message().message_id == "<one.two@xn--strae-oqa.de>"
    with pytest.raises(MailMessageError, match="no sender yet"):
        _ = a_message().message_id


def test_dates_keep_their_time_zone() -> None:
    """Any time zone is taken, and stays."""
    east = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))
    message = a_message(date=east, send_at=east)
    assert message.date is message.send_at is east


def test_equal_after_pickling_copying_and_evolving() -> None:
    """A message is the same message, by id, date and all fields, after a trip through pickle, copy or evolve."""
    message = full_message()
    for twin in (
        pickle.loads(pickle.dumps(message)),
        copy.deepcopy(message),
        copy.copy(message),
        attrs.evolve(message),
    ):
        assert twin == message
        assert hash(twin) == hash(message)
        assert (twin.id, twin.date, twin.message_id) == (message.id, message.date, message.message_id)
    changed = attrs.evolve(message, subject="Other")
    assert changed != message
    assert (changed.id, changed.date, changed.idempotency_key) == (message.id, message.date, message.idempotency_key)


@given(
    subject=st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20),
    html=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
)
def test_any_text_survives_pickling(subject: str, html: str) -> None:
    """Subjects and bodies of any script are taken as they are, and are the same after pickling."""
    message = a_message(subject=f"x{subject}", html=html)
    twin = pickle.loads(pickle.dumps(message))
    assert (twin.subject, twin.html) == (f"x{subject}", html)
    assert twin == message


def test_the_repr_shows_no_content() -> None:
    """A repr goes into logs: it shows the id, and no subject, body, address, header or attachment."""
    assert repr(full_message()) == "MailMessage(id='one.two')"


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.png", "image/png"),
        ("a.PDF", "application/pdf"),
        ("a.txt", "text/plain"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
    ],
)
def test_the_content_type_is_guessed_from_the_file_name(filename: str, content_type: str) -> None:
    """Without a content type, the file name's extension tells; what it cannot tell is a stream of octets."""
    assert Attachment(filename, b"").content_type == content_type
    assert Attachment(filename, b"", "").content_type == content_type


@pytest.mark.parametrize(
    ("content", "content_type", "with_charset"),
    [
        ("Grüße".encode(), None, "text/plain; charset=utf-8"),
        ("Grüße".encode(), "text/csv", "text/csv; charset=utf-8"),
        ("Grüße".encode(), "text/csv; charset=latin1", "text/csv; charset=latin1"),
        ("Grüße".encode(), "application/json", "application/json"),
        ("Grüße".encode("latin-1"), None, "text/plain"),
        (b"ASCII", None, "text/plain"),
        ("é".encode() * 100_000, None, "text/plain; charset=utf-8"),
        ("é".encode() * 100_000 + b"\xff", None, "text/plain"),
    ],
)
def test_the_charset_of_a_text_file_is_found_beside_its_type(
    content: bytes, content_type: str | None, with_charset: str
) -> None:
    """UTF-8 that is not ASCII is named for writers of MIME; the type stays, since an API may refuse parameters."""
    file = Attachment("a.txt", content, content_type)
    assert file.content_type == (content_type or "text/plain")
    assert file.content_type_with_charset == with_charset


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/vnd.ms-excel",
        "text/calendar; method=REQUEST",
        'text/plain;name="a b;c"; x=y',
        "IMAGE/PNG",
    ],
)
def test_a_mime_type_with_parameters_is_taken(content_type: str) -> None:
    """A content type is a MIME type and its parameters, kept as it is given."""
    assert Attachment("a", b"", content_type).content_type == content_type


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("text", "is not a MIME type"),
        ("text/", "is not a MIME type"),
        ("text/plain;", "is not a MIME type"),
        ("text/plain; name", "is not a MIME type"),
        ("text/plain; name=a b", "is not a MIME type"),
        ("text/plain name=a", "is not a MIME type"),
        ('text/plain; name="ü"', "is not a MIME type"),
        ("téxt/plain", "is not a MIME type"),
        ("text/" + "a" * 900, "is not a MIME type"),
        ("text/plain;\r\n name=a", "control character"),
        ('text/plain; name="a\r\nBcc: x@example.com"', "control character"),
        ('text/plain; name="=?utf-8?q?=0A?="', "encoded line end"),
        ("multipart/mixed", "one by one"),
        ("Multipart/Mixed; boundary=x", "one by one"),
    ],
)
def test_what_is_no_mime_type_is_refused(content_type: str, reason: str) -> None:
    """A content type that is malformed, or would be more than one header line, is refused; so is a multipart."""
    with pytest.raises(MailMessageError, match=f"attachment 'a.b': .*{reason}"):
        Attachment("a.b", b"", content_type)


@pytest.mark.parametrize("content_id", ["", "a b", "<a>", "a\n", "ü", "a" * 257, "=?utf-8?q?=0A?="])
def test_a_malformed_content_id_is_refused(content_id: str) -> None:
    """A content id is visible ASCII without blanks and angle brackets, of a length that a line can hold."""
    with pytest.raises(MailMessageError, match="content_id"):
        Attachment("a.png", b"", content_id=content_id)


def test_an_inline_attachment_has_a_content_id() -> None:
    """An inline attachment that the HTML could not refer to is refused."""
    with pytest.raises(MailMessageError, match="inline=True needs a content_id"):
        Attachment("a.png", b"", inline=True)
    assert Attachment("a.png", b"", content_id="logo@example.com", inline=True).content_id == "logo@example.com"


@pytest.mark.parametrize(
    ("filename", "reason"),
    [
        ("", "needs a file name"),
        ("  ", "needs a file name"),
        ("a\r\nb.txt", "control character"),
        ("=?utf-8?q?a=0A?=.txt", "encoded line end"),
        ("a\ud800", "lone surrogate"),
        (5, "must be text, not int"),
    ],
)
def test_a_file_name_that_no_header_can_hold_is_refused(filename: str, reason: str) -> None:
    """A file name is text of one line."""
    with pytest.raises(MailMessageError, match=reason):
        Attachment(filename, b"")


@pytest.mark.parametrize("content", ["text", None, 5, ["a"]])
def test_content_is_bytes(content: object) -> None:
    """Content that is not bytes is refused with its type, not guessed."""
    with pytest.raises(MailMessageError, match=f"must be bytes, not {type(content).__name__}"):
        Attachment("a", content)  # type: ignore[arg-type]


def test_content_is_copied() -> None:
    """Content that could change is copied, and a repr shows its length alone."""
    data = bytearray(b"abc")
    attachment = Attachment("a.bin", data)
    data[0] = 0
    assert attachment.content == b"abc"
    assert Attachment("a.bin", memoryview(b"abc")) == attachment
    assert "<3 bytes>" in repr(attachment)
    assert "abc" not in repr(attachment)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        attachment.filename = "b"  # type: ignore[misc]


def test_a_header_value_of_blanks_that_cannot_be_folded_is_refused() -> None:
    """Blanks count like letters: a line can be folded before a word only."""
    with pytest.raises(MailMessageError, match="header X-A has more than 900 characters"):
        MailMessage("a@example.com", "s", "h", headers={"X-A": "a" + " " * 1000 + "b"})


@pytest.mark.parametrize("name", ["Sender", "Resent-To", "List-Unsubscribe", "References", "In-Reply-To"])
def test_a_header_with_a_structure_is_in_ascii(name: str) -> None:
    """An encoded word in its place would hide the address or the id."""
    with pytest.raises(MailMessageError, match=f"header {name} has a structure"):
        MailMessage("a@example.com", "s", "h", headers={name: "Gr\u00fc\u00dfe <a@example.com>"})


@pytest.mark.parametrize("field", ["date", "send_at"])
@pytest.mark.parametrize("year", [1, 1899, 9999])
def test_a_date_that_mail_cannot_express_is_refused(field: str, year: int) -> None:
    """RFC 5322 begins with 1900, and a time zone may shift the last moments of 9999 out of what can be computed."""
    moment = datetime.datetime(year, 6, 1, tzinfo=datetime.UTC)
    with pytest.raises(MailMessageError, match=f"{field} is in the year {year}"):
        MailMessage("a@example.com", "s", "h", **{field: moment})
