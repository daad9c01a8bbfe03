"""What goes to SendGrid is what its pages ask for, and is the message, nothing more and nothing less."""

import base64
import copy
import datetime
import functools
import json
import re
from collections import Counter
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings

from postroom import Address, Attachment, MailMessage, MailMessageError
from postroom_sendgrid.payload import to_payload
from postroom_sendgrid.plugin import postroom_provider
from sendgrid_messages import message, options, sendgrid_messages

ROOT = Path(__file__).parents[2]
OURS = ROOT / "tests" / "support" / "schemas" / "sendgrid.json"
VENDORS = ROOT.parent / "shared" / "specs" / "sendgrid_mail_v3.yaml"
SETTINGS = options()
many = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@functools.cache
def ours() -> jsonschema.Draft202012Validator:
    """Return the validator of our own schema."""
    return jsonschema.Draft202012Validator(json.loads(OURS.read_text()))


@functools.cache
def vendors() -> jsonschema.Draft202012Validator:
    """Return the validator of SendGrid's own description of the body."""
    document = yaml.safe_load(VENDORS.read_text())
    body = document["components"]["requestBodies"]["PostMailSend"]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**body, "components": document["components"]})


def body_of(mail: MailMessage, **more: object) -> Any:
    """Return the body as it comes out of JSON."""
    return json.loads(json.dumps(to_payload(mail, options(**more) if more else SETTINGS)))


def is_taken(mail: MailMessage) -> bool:
    """Return True if the provider lets the message pass."""
    try:
        postroom_provider().check(mail)
    except MailMessageError:
        return False
    return True


def unquoted(name: str) -> str:
    """Return a recipient's name as a person reads it: without the quotes that a comma or semicolon needs."""
    if re.search("[,;]", name):
        return re.sub(r"\\(.)", r"\1", name.removeprefix('"').removesuffix('"'))
    return name


def decoded(value: str) -> str:
    """Return a header's value as a mail program reads it."""
    return str(make_header(decode_header(value)))


@many
@given(sendgrid_messages())
def test_every_message_that_passes_the_check_makes_a_valid_body(mail: MailMessage) -> None:
    """Whatever the limits let pass is a body by the vendor's pages."""
    assume(is_taken(mail))
    ours().validate(body_of(mail))


@many
@given(sendgrid_messages())
def test_every_body_is_valid_by_the_vendors_own_description(mail: MailMessage) -> None:
    """Whatever the limits let pass is a body by SendGrid's OpenAPI document."""
    if not VENDORS.is_file():
        pytest.skip("the vendor's OpenAPI document is not beside the repository")
    assume(is_taken(mail))
    vendors().validate(body_of(mail))


def test_most_drawn_messages_pass_the_check() -> None:
    """The properties above are about many messages, not about the few that a filter leaves."""
    passed: Counter[bool] = Counter()

    @settings(max_examples=50, database=None, suppress_health_check=list(HealthCheck))
    @given(sendgrid_messages())
    def count(mail: MailMessage) -> None:
        passed[is_taken(mail)] += 1

    count()
    assert passed[True] > 2 * passed[False]


@many
@given(sendgrid_messages())
def test_recipients_and_sender_read_back(mail: MailMessage) -> None:
    """Everybody gets it in the first field that names them, each address once, under the name given there."""
    body = body_of(mail)
    (personalization,) = body["personalizations"]
    found = [
        (field, each["email"], unquoted(each.get("name", "")))
        for field in ("to", "cc", "bcc")
        for each in personalization.get(field, [])
    ]
    first: dict[str, tuple[str, str, str]] = {}
    for field, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
        for address in addresses:
            first.setdefault(address.spec, (field, address.spec, address.name))
    assert found == list(first.values())
    assert len({spec for _, spec, _ in found}) == len(found)
    assert tuple(spec for _, spec, _ in found) == mail.recipients
    assert mail.from_ is not None
    assert (body["from"]["email"], body["from"].get("name", "")) == (mail.from_.spec, mail.from_.name)


@many
@given(sendgrid_messages())
def test_replies_go_to_each_address_once(mail: MailMessage) -> None:
    """Addresses for replies keep their order, names and number, less repeated ones."""
    body = body_of(mail)
    first: dict[str, str] = {}
    for address in mail.reply_to:
        first.setdefault(address.spec, address.name)
    assert {each["email"]: each.get("name", "") for each in body.get("reply_to_list", [])} == first
    assert [each["email"] for each in body.get("reply_to_list", [])] == list(first)
    assert "reply_to" not in body


@many
@given(sendgrid_messages())
def test_subject_bodies_and_files_read_back(mail: MailMessage) -> None:
    """Subject, text, HTML and every octet of every file are those of the message."""
    body = body_of(mail)
    bodies = {each["type"]: each["value"] for each in body["content"]}
    assert body["subject"] == mail.subject
    assert (bodies.get("text/plain"), bodies.get("text/html")) == (mail.text, mail.html)
    files = [
        Attachment(
            each["filename"],
            base64.b64decode(each["content"], validate=True),
            each["type"],
            each.get("content_id"),
            each["disposition"] == "inline",
        )
        for each in body.get("attachments", [])
    ]
    assert files == list(mail.attachments)


@many
@given(sendgrid_messages())
def test_headers_tags_metadata_and_time_read_back(mail: MailMessage) -> None:
    """Headers decode to what they were; tags come once; metadata is there beside our id; the second is right."""
    body = body_of(mail)
    headers = body.get("headers", {})
    assert list(headers) == list(mail.headers)
    for name, value in mail.headers.items():
        assert headers[name].isascii()
        if value.isascii():
            assert headers[name] == value
        else:
            assert decoded(headers[name]) == value
    assert body.get("categories", []) == list(dict.fromkeys(mail.tags))
    arguments = body["personalizations"][0]["custom_args"]
    assert arguments == {**mail.metadata, "postroom_id": mail.id}
    moment = datetime.datetime.fromtimestamp(body["send_at"], datetime.UTC) if "send_at" in body else None
    assert moment == (mail.send_at and mail.send_at.astimezone(datetime.UTC).replace(microsecond=0))


@many
@given(sendgrid_messages())
def test_a_payload_leaves_the_message_as_it_was(mail: MailMessage) -> None:
    """The message is not mutated, and gives the same payload again."""
    before = copy.deepcopy(mail)
    payload = to_payload(mail, SETTINGS)
    assert mail == before
    assert to_payload(mail, SETTINGS) == payload


def test_the_smallest_body_holds_nothing_that_was_not_asked_for() -> None:
    """A message with one recipient and a text gives these keys and no other."""
    mail = message(id="abc")
    assert to_payload(mail, SETTINGS) == {
        "personalizations": [{"to": [{"email": "ada@example.com"}], "custom_args": {"postroom_id": "abc"}}],
        "from": {"email": "grace@example.com"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello, Ada."}],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
        },
    }


def full() -> MailMessage:
    """Return a message with everything in it."""
    return message(
        id="abc",
        to=[Address("ada", "example.com", "Ada"), Address("bob", "example.com", 'Smith; "Bob", Jr.')],
        cc=["ada@example.com", "cy@example.com"],
        bcc=["cy@example.com", "di@example.com"],
        from_=Address("grace", "example.com", "Hopper, Grace"),
        reply_to=["help@example.com", "Again <help@example.com>", "Desk <desk@example.com>"],
        subject="Grüße",
        html="<img src='cid:logo'>",
        attachments=[
            Attachment("a.txt", b"abc", "text/plain"),
            Attachment("logo.png", b"png", "image/png", "logo", inline=True),
        ],
        headers={"X-Place": "München", "List-Unsubscribe": "<https://example.com/>"},
        tags=["welcome", "new", "welcome"],
        metadata={"order": "42"},
        send_at=datetime.datetime(2026, 1, 2, 3, 4, 5, 999_999, datetime.timezone(datetime.timedelta(hours=1))),
    )


def test_the_fullest_body_has_all_parts_in_their_places() -> None:
    """Names with a comma or semicolon are quoted for recipients alone, and every other field is where it belongs."""
    assert to_payload(full(), options(sandbox=True, click_tracking=True)) == {
        "personalizations": [
            {
                "to": [
                    {"email": "ada@example.com", "name": "Ada"},
                    {"email": "bob@example.com", "name": '"Smith; \\"Bob\\", Jr."'},
                ],
                "cc": [{"email": "cy@example.com"}],
                "bcc": [{"email": "di@example.com"}],
                "custom_args": {"order": "42", "postroom_id": "abc"},
            }
        ],
        "from": {"email": "grace@example.com", "name": "Hopper, Grace"},
        "reply_to_list": [{"email": "help@example.com"}, {"email": "desk@example.com", "name": "Desk"}],
        "subject": "Grüße",
        "content": [
            {"type": "text/plain", "value": "Hello, Ada."},
            {"type": "text/html", "value": "<img src='cid:logo'>"},
        ],
        "attachments": [
            {"content": "YWJj", "type": "text/plain", "filename": "a.txt", "disposition": "attachment"},
            {
                "content": "cG5n",
                "type": "image/png",
                "filename": "logo.png",
                "disposition": "inline",
                "content_id": "logo",
            },
        ],
        "headers": {"X-Place": "=?utf-8?q?M=C3=BCnchen?=", "List-Unsubscribe": "<https://example.com/>"},
        "categories": ["welcome", "new"],
        "send_at": 1767319445,
        "tracking_settings": {
            "click_tracking": {"enable": True, "enable_text": True},
            "open_tracking": {"enable": False},
        },
        "mail_settings": {"sandbox_mode": {"enable": True}},
    }


@pytest.mark.parametrize("click", [False, True])
@pytest.mark.parametrize("opening", [False, True])
def test_tracking_is_said_outright(click: bool, opening: bool) -> None:
    """Both kinds of tracking are in every body as the settings have them, never left to the account's default."""
    body = body_of(message(), click_tracking=click, open_tracking=opening)
    assert body["tracking_settings"] == {
        "click_tracking": {"enable": click, "enable_text": click},
        "open_tracking": {"enable": opening},
    }
    ours().validate(body)


def test_sandbox_mode_is_a_boolean_and_only_there_when_set() -> None:
    """`sandbox=True` asks for sandbox mode by JSON's true; without it nothing is said."""
    assert body_of(message(), sandbox=True)["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert "mail_settings" not in body_of(message())


FAULTS: dict[str, Any] = {
    "no personalization": lambda body: body.update(personalizations=[]),
    "two personalizations": lambda body: body["personalizations"].append(body["personalizations"][0]),
    "nobody in to": lambda body: body["personalizations"][0].update(to=[]),
    "1001 in to": lambda body: body["personalizations"][0].update(
        to=[{"email": f"a{n}@example.com"} for n in range(1001)]
    ),
    "an unknown key": lambda body: body.update(custom_args={"a": "b"}),
    "an unknown key of a recipient": lambda body: body["personalizations"][0]["to"][0].update(address="a"),
    "no id of ours": lambda body: body["personalizations"][0]["custom_args"].pop("postroom_id"),
    "a number in custom_args": lambda body: body["personalizations"][0]["custom_args"].update(order=42),
    "a bare comma": lambda body: body["personalizations"][0]["to"][0].update(name="Lovelace, Ada"),
    "a bare semicolon": lambda body: body["personalizations"][0]["to"][0].update(name="Ada; Countess"),
    "a comma behind the quotes": lambda body: body["personalizations"][0]["to"][0].update(name='"Ada", Countess'),
    "no subject": lambda body: body.pop("subject"),
    "an empty subject": lambda body: body.update(subject=""),
    "no content": lambda body: body.update(content=[]),
    "an empty body": lambda body: body["content"][0].update(value=""),
    "HTML first": lambda body: body["content"].reverse(),
    "two texts": lambda body: body["content"][1].update(type="text/plain"),
    "reply_to beside reply_to_list": lambda body: body.update(reply_to={"email": "a@example.com"}),
    "the same reply address twice": lambda body: body["reply_to_list"].append(body["reply_to_list"][0]),
    "11 categories": lambda body: body.update(categories=[str(n) for n in range(11)]),
    "a category twice": lambda body: body.update(categories=["a", "a"]),
    "a long category": lambda body: body.update(categories=["x" * 256]),
    "a category that is not ASCII": lambda body: body.update(categories=["é"]),
    "a time as text": lambda body: body.update(send_at="1767319445"),
    "a fraction of a second": lambda body: body.update(send_at=1.5),
    "no base64": lambda body: body["attachments"][0].update(content="YWJ"),
    "an empty file": lambda body: body["attachments"][0].update(content=""),
    "a type with a parameter": lambda body: body["attachments"][0].update(type="text/plain; charset=utf-8"),
    "no file name": lambda body: body["attachments"][0].pop("filename"),
    "an unknown disposition": lambda body: body["attachments"][0].update(disposition="form-data"),
    "inline without content_id": lambda body: body["attachments"][1].pop("content_id"),
    "a header that is not ASCII": lambda body: body["headers"].update({"X-Place": "München"}),
    "a header with a line end": lambda body: body["headers"].update({"X-Place": "a\n"}),
    "a header's name with a blank": lambda body: body["headers"].update({"X Place": "a"}),
    "no tracking settings": lambda body: body.pop("tracking_settings"),
    "tracking as text": lambda body: body["tracking_settings"]["open_tracking"].update(enable="false"),
    "sandbox off": lambda body: body["mail_settings"]["sandbox_mode"].update(enable=False),
    "sandbox as text": lambda body: body["mail_settings"]["sandbox_mode"].update(enable="true"),
    **{
        f"the header {name}": lambda body, name=name: body["headers"].update({name: "a"})
        for name in (
            *("X-SG-ID", "x-sg-eid", "Received", "DKIM-Signature", "Content-Type", "Content-Transfer-Encoding"),
            *("To", "FROM", "Subject", "Reply-To", "CC", "bcc"),
        )
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_our_schema_finds_what_the_vendor_refuses(fault: str) -> None:
    """The schema takes the fullest body, and not with this fault in it."""
    body = body_of(full(), sandbox=True)
    ours().validate(body)
    FAULTS[fault](body)
    with pytest.raises(jsonschema.ValidationError):
        ours().validate(body)


def test_our_schema_is_a_schema() -> None:
    """The schema itself is valid by draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(json.loads(OURS.read_text()))


def test_an_address_that_differs_in_its_name_alone_is_the_same() -> None:
    """The first name wins, and the address is there once."""
    mail = attrs.evolve(message(), to="Ada <ada@Example.COM>, Countess <ada@example.com>", cc="Lady <ada@example.com>")
    (personalization,) = body_of(mail)["personalizations"]
    assert personalization["to"] == [{"email": "ada@example.com", "name": "Ada"}]
    assert "cc" not in personalization


def test_an_address_that_differs_in_its_case_alone_is_the_same() -> None:
    """SendGrid refuses a second spelling of an address, in recipients and in reply-to."""
    mail = attrs.evolve(message(), to="Ada@example.com", cc="ada@example.com", reply_to="B@example.com, b@example.com")
    body = body_of(mail)
    assert body["personalizations"][0]["to"] == [{"email": "Ada@example.com"}]
    assert "cc" not in body["personalizations"][0]
    assert body["reply_to_list"] == [{"email": "B@example.com"}]
