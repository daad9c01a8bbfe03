"""What goes to Resend for a message: by schema, read back, and as it is on the wire."""

import base64
import datetime
import functools
import json
import pickle
from collections.abc import Callable
from email.header import decode_header, make_header
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest
import yaml
from hypothesis import assume, given, settings

from api_messages import resend_messages
from postroom import Address, Attachment, DeliveringSender, MailMessage, MailMessageError, Receipt
from postroom_resend.payload import to_payload
from postroom_resend.plugin import postroom_provider
from postroom_testing import Certificates
from postroom_testing.http import HttpServer, Reply

Resend = Callable[..., DeliveringSender]
Server = Callable[..., HttpServer]
ROOT = Path(__file__).parents[2]
SPEC = ROOT.parent / "shared" / "specs" / "resend.yaml"
OURS: dict[str, Any] = json.loads((ROOT / "tests/support/schemas/resend.json").read_text())
SCHEMA = jsonschema.Draft202012Validator(OURS)
BATCH = jsonschema.Draft202012Validator({"$ref": "#/$defs/batch", "$defs": OURS["$defs"]})
PROVIDER = postroom_provider()
OK = Reply(200, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"})
MESSAGE = MailMessage("grace@example.com", "Hello", "<p>Hi</p>", "ada@example.com", text="Hi")


def accepted(message: MailMessage) -> MailMessage:
    """Pass over what the limits refuse."""
    try:
        PROVIDER.check(message)
    except MailMessageError:
        assume(False)
    return message


def on_the_wire(message: MailMessage) -> Any:
    """Return the payload as Resend reads it."""
    return json.loads(json.dumps(to_payload(message)))


def decoded(text: str) -> str:
    """Return a header's text without encoded words."""
    return str(make_header(decode_header(text))) if "=?" in text else text


def test_our_schema_is_one() -> None:
    """The schema itself is valid, so that it cannot pass everything by mistake."""
    jsonschema.Draft202012Validator.check_schema(OURS)
    jsonschema.Draft202012Validator.check_schema(BATCH.schema)
    SCHEMA.validate(to_payload(MESSAGE))


@pytest.mark.parametrize(
    "change",
    [
        *({"to": []}, {"to": "grace@example.com"}, {"to": ["a@example.com"] * 2}, {"cc": []}),
        {"to": [f"a{n}@example.com" for n in range(51)]},
        *({"from": "a@example.com\n"}, {"from": "ä@example.com"}, {"from": " <a@example.com>"}, {"from": "a"}),
        *({"subject": ""}, {"subject": "a\nb"}, {"text": "", "html": ""}, {"sender": "a@example.com"}),
        *({"tags": [{"name": "a b", "value": "c"}]}, {"tags": [{"name": "x" * 257, "value": "c"}]}),
        *({"tags": [{"name": "a"}]}, {"tags": [{"name": "a", "value": "c"}] * 2}, {"tags": []}),
        *({"scheduled_at": "in 1 min"}, {"scheduled_at": "2026-01-02T03:04:05.000+01:00"}),
        *({"headers": {"X": "ä"}}, {"headers": {"X": "a\nb"}}, {"headers": {"X: a": "b"}}, {"headers": {"X": 1}}),
        *({"attachments": [{"filename": "a", "content": content, "content_type": "a/b"}]} for content in ("a", "a\n")),
        {"attachments": [{"filename": "a", "content": "", "content_type": "a/b", "path": "https://example.com"}]},
    ],
    ids=lambda change: str(change)[:60],
)
def test_our_schema_refuses_what_resend_would(change: dict[str, Any]) -> None:
    """A body with any of these does not pass, so the property below can fail."""
    assert not SCHEMA.is_valid({**to_payload(MESSAGE), **change})


def test_our_schema_of_a_batch_has_no_files_and_no_time() -> None:
    """A batch is 1 to 100 messages without attachments and scheduled_at."""
    body = to_payload(MESSAGE)
    file = {"filename": "a", "content": "", "content_type": "a/b"}
    BATCH.validate([body] * 100)
    for wrong in ([], [body] * 101, [{**body, "scheduled_at": "2026-01-02T03:04:05.000Z"}]):
        assert not BATCH.is_valid(wrong)
    assert not BATCH.is_valid([{**body, "attachments": [file]}])
    SCHEMA.validate({**body, "attachments": [file], "scheduled_at": "2026-01-02T03:04:05.000Z"})


@settings(max_examples=100)
@given(resend_messages())
def test_every_body_validates(message: MailMessage) -> None:
    """Whatever the limits let pass is a body that the schema takes, and fits a batch if it has no file and no time."""
    body = on_the_wire(accepted(message))
    SCHEMA.validate(body)
    names = [tag["name"] for tag in body.get("tags", [])]
    assert len(names) == len(set(names))
    assert BATCH.is_valid([body]) is (not message.attachments and message.send_at is None)


@pytest.mark.skipif(not SPEC.is_file(), reason="the folder ../shared/specs is not there")
@settings(max_examples=30)
@given(resend_messages())
def test_every_body_validates_against_resends_own_description(message: MailMessage) -> None:
    """The vendor's OpenAPI document takes it, too."""
    _vendors().validate(on_the_wire(accepted(message)))


@functools.cache
def _vendors() -> jsonschema.Draft202012Validator:
    components = yaml.safe_load(SPEC.read_text())["components"]
    return jsonschema.Draft202012Validator({"$ref": "#/components/schemas/SendEmailRequest", "components": components})


@settings(max_examples=50)
@given(resend_messages())
def test_the_same_message_is_the_same_body(message: MailMessage) -> None:
    """Each attempt has the same octets, after a queue too, and the message stays as it is."""
    before = pickle.dumps(message)
    first = json.dumps(to_payload(message))
    assert message == pickle.loads(before)
    assert json.dumps(to_payload(message)) == first
    assert json.dumps(to_payload(pickle.loads(before))) == first


@settings(max_examples=100)
@given(resend_messages())
def test_everything_reads_back(message: MailMessage) -> None:
    """Recipients, subject, bodies, files, headers, tags and time arrive exactly as the message has them."""
    body = on_the_wire(accepted(message))
    read = {key: [Address.parse(each) for each in body.get(key, [])] for key in ("to", "cc", "bcc", "reply_to")}
    assert tuple(each.spec for key in ("to", "cc", "bcc") for each in read[key]) == message.recipients
    assert [each.spec for each in read["reply_to"]] == [each.spec for each in message.reply_to]
    named = {(each.spec, each.name) for each in (*message.to, *message.cc, *message.bcc, *message.reply_to)}
    assert {(each.spec, decoded(each.name)) for key in read for each in read[key]} <= named
    assert message.from_ is not None
    assert Address.parse(body["from"]).spec == message.from_.spec
    assert Address.parse(body["from"]).name.strip() == message.from_.name.strip()
    assert (body["subject"], body.get("html"), body["text"]) == (message.subject, message.html, message.text or "")
    files = [
        (each["filename"], base64.b64decode(each["content"], validate=True)) for each in body.get("attachments", [])
    ]
    assert files == [(each.filename, each.content) for each in message.attachments]
    kinds = [(each["content_type"], each.get("content_id")) for each in body.get("attachments", [])]
    assert kinds == [(each.content_type, each.content_id) for each in message.attachments]
    headers = {
        name: message.headers[name] if value.isascii() and value == message.headers[name] else decoded(value)
        for name, value in body.get("headers", {}).items()
    }
    assert headers == message.headers
    tags = {tag["name"]: tag["value"] for tag in body.get("tags", [])}
    assert tags == {**dict.fromkeys(message.tags, "true"), **message.metadata}
    if message.send_at is not None:
        lost = message.send_at - datetime.datetime.fromisoformat(body["scheduled_at"])
        assert datetime.timedelta() <= lost < datetime.timedelta(milliseconds=1)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_request_is_exactly_this(secure: bool, http_server: Server, resend: Resend, ca: Certificates) -> None:
    """One POST has the key of the account, the key of the message, who we are, and the message as JSON."""
    server = http_server(OK, tls=ca.good if secure else None)
    message = attrs.evolve(
        MESSAGE,
        from_=None,
        cc="Alan <alan@example.com>, grace@example.com",
        bcc="edsger@example.com",
        reply_to="help@example.com",
        attachments=[Attachment("a.txt", b"text"), Attachment("l.png", b"\x89PNG", content_id="logo", inline=True)],
        headers={"List-Unsubscribe": "<https://example.com/u>", "X-Note": "Grüße"},
        tags=["welcome"],
        metadata={"user": "42"},
        send_at=datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.timezone(datetime.timedelta(hours=1))),
        idempotency_key="welcome/42",
    )
    resend(server, **({"ca_file": str(ca.ca_file)} if secure else {})).send(message)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/emails")
    assert request.headers["authorization"] == "Bearer re_hunter2"
    assert request.headers["idempotency-key"] == "welcome/42"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"postroom/{version('postroom-http')}"
    assert request.headers["content-length"] == str(len(request.body))
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.json() == {
        "from": "Ada <ada@example.com>",
        "to": ["grace@example.com"],
        "cc": ["Alan <alan@example.com>"],
        "bcc": ["edsger@example.com"],
        "reply_to": ["help@example.com"],
        "subject": "Hello",
        "html": "<p>Hi</p>",
        "text": "Hi",
        "headers": {"List-Unsubscribe": "<https://example.com/u>", "X-Note": "=?utf-8?b?R3LDvMOfZQ==?="},
        "attachments": [
            {"filename": "a.txt", "content": "dGV4dA==", "content_type": "text/plain"},
            {"filename": "l.png", "content": "iVBORw==", "content_type": "image/png", "content_id": "logo"},
        ],
        "tags": [{"name": "welcome", "value": "true"}, {"name": "user", "value": "42"}],
        "scheduled_at": "2026-01-02T02:04:05.678Z",
    }


def test_a_receipt_has_resends_id(http_server: Server, resend: Resend) -> None:
    """The receipt names everybody once, and the mail as Resend's log does."""
    server = http_server(OK)
    message = attrs.evolve(MESSAGE, cc="alan@example.com, grace@example.com")
    assert resend(server).deliver(message) == Receipt(
        message_id=f"<{message.id}@example.com>",
        provider="resend",
        provider_id="49a3999c-0ce1-4ea6-ab68-afcd6dc2e794",
        accepted=("grace@example.com", "alan@example.com"),
    )


def test_a_plain_message_has_no_empty_keys() -> None:
    """What a message does not have is not named."""
    assert set(to_payload(MESSAGE)) == {"from", "to", "subject", "html", "text"}
    assert set(to_payload(attrs.evolve(MESSAGE, html=None))) == {"from", "to", "subject", "text"}


def test_an_empty_text_opts_out_of_a_made_one() -> None:
    """Where a message has only HTML, Resend is told not to derive a text from it."""
    body = to_payload(attrs.evolve(MESSAGE, text=None))
    assert (body["html"], body["text"]) == ("<p>Hi</p>", "")


@pytest.mark.parametrize(
    ("name", "to", "sender"),
    [
        ("", "a@example.com", "a@example.com"),
        ("Grace Hopper", "Grace Hopper <a@example.com>", "Grace Hopper <a@example.com>"),
        ("Zoë", "Zoë <a@example.com>", "Zoë <a@example.com>"),
        ("Dr. Hopper", "=?utf-8?q?Dr=2E_Hopper?= <a@example.com>", "Dr. Hopper <a@example.com>"),
        ("Hopper, G", "=?utf-8?q?Hopper=2C_G?= <a@example.com>", '"Hopper, G" <a@example.com>'),
        ('"G"', "=?utf-8?b?Ikci?= <a@example.com>", '"\\"G\\"" <a@example.com>'),
        ("Zoë, Inc.", "=?utf-8?b?Wm/DqywgSW5jLg==?= <a@example.com>", '"Zoë, Inc." <a@example.com>'),
        ("Zoë Inc.", "=?utf-8?b?Wm/DqyBJbmMu?= <a@example.com>", "Zoë Inc. <a@example.com>"),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@example.com>", "=?utf-8?q?x?= <a@example.com>"),
    ],
)
def test_display_names_are_written_as_resend_takes_them(name: str, to: str, sender: str) -> None:
    """No quotes for a recipient but an encoded word; for the sender no encoded word, and quotes as a last resort."""
    address = Address("a", "example.com", name)
    message = MailMessage(address, "Hello", "-", address, reply_to=address)
    body = to_payload(message)
    assert (body["to"], body["reply_to"], body["from"]) == ([to], [to], sender)


def test_a_quoted_address_without_a_name_stays_as_it_is() -> None:
    """The quotes of a local part are not those of a name."""
    address = Address("two  blanks", "example.com")
    body = to_payload(MailMessage(address, "Hello", "-", address))
    assert (body["to"], body["from"]) == (['"two  blanks"@example.com'], '"two  blanks"@example.com')


def test_a_tag_that_is_there_twice_goes_once() -> None:
    """Resend's tags are pairs with distinct names."""
    assert to_payload(attrs.evolve(MESSAGE, tags=["a", "b", "a"]))["tags"] == [
        {"name": "a", "value": "true"},
        {"name": "b", "value": "true"},
    ]
