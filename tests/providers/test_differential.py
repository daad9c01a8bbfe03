"""The same message through every installed provider asks for the same mail, compared on the wire.

What each service writes itself, Date and Message-ID, is left out: Resend and SendGrid take neither.
"""

import base64
import email.parser
import email.policy
import quopri
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from email.message import EmailMessage
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from message_strategies import messages
from postroom import (
    Address,
    Attachment,
    DeliveringSender,
    MailMessage,
    MailMessageError,
    MailSenderFactory,
    Outcome,
    ProviderRegistry,
    Receipt,
    Transport,
)
from postroom_smtp_oauth2.settings import SmtpOAuth2Settings
from postroom_smtp_oauth2.tokens import Token
from postroom_smtp_oauth2.transport import OAuth2Sender
from postroom_testing import Certificates
from postroom_testing.http import HttpServer, Reply
from postroom_testing.smtp import SmtpServer
from smtp_servers import RealServer

_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_MAILBOX = re.compile(rf'((?:{_QUOTED}|[^"<,])*)<((?:{_QUOTED}|[^"<>])*)>|((?:{_QUOTED}|[^",<])+)')
_ENCODED = r"=\?utf-8\?[qb]\?[!->@-~]*\?="
_WORDS = re.compile(rf"(?<![^ \t]){_ENCODED}(?:[ \t]+{_ENCODED})*(?![^ \t])", re.IGNORECASE)
_OURS = ("from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version")

Person = tuple[str, str]
"""Address and display name."""


# --- the mail that is asked for, in one form for all -------------------------------------------------------------


def _body(text: str | None) -> str | None:
    # SMTP has one line end, and ends a message with it. So line ends are one, and those at the end none.
    return None if text is None else _LINE_END.sub("\n", text).rstrip("\n")


def _once(people: Iterable[Person], but: Iterable[Person] = ()) -> tuple[Person, ...]:
    # An API takes an address once, in the first field that has it. For SMTP, only the envelope need name it once.
    seen = {spec for spec, _ in but}
    return tuple(person for person in people if not (person[0] in seen or seen.add(person[0])))  # type: ignore[func-returns-value]


def _seen(person: Person) -> Person:
    # Resend wants a sender's name without quotes, and so without blanks that only quotes would keep.
    spec, name = person
    return spec, " ".join(filter(None, name.split(" ")))


@attrs.frozen
class File:
    """An attached file."""

    name: str
    content: bytes
    type: str
    inline: bool
    content_id: str | None

    @classmethod
    def of(cls, name: str, content: bytes, kind: str, inline: bool, content_id: str | None) -> "File":
        """Bring it into the form for all."""
        kind = kind.partition(";")[0].strip().lower()
        if kind.startswith("message/") or kind == "application/octet-stream":
            # SMTP must not encode an attached message (RFC 2046 section 5.2.1): it goes as lines of text, or as a file
            # of no type.
            kind, content = "-", re.sub(rb"\r\n|\r|\n", b"\n", content)
        return cls(name, content, kind, inline, content_id)


def _counted(files: Iterable[File]) -> Counter[File]:
    return Counter(files)


@attrs.frozen
class Mail:
    """What a provider has asked its service for."""

    envelope: frozenset[str]
    """Everybody who gets it."""
    from_: Person = attrs.field(converter=_seen)
    to: tuple[Person, ...]
    cc: tuple[Person, ...] = attrs.field()
    reply_to: tuple[Person, ...] = attrs.field(converter=_once)
    subject: str
    text: str | None = attrs.field(converter=_body)
    html: str | None = attrs.field(converter=_body)
    files: Counter[File] = attrs.field(converter=_counted)
    """In no order: SMTP puts inline images beside the HTML, before the others."""
    headers: Mapping[str, str]


def _mail(to: Iterable[Person], cc: Iterable[Person], headers: Iterable[tuple[str, str]], **fields: Any) -> Mail:
    first = _once(to)
    return Mail(
        to=first,
        cc=_once(cc, but=first),
        headers={name: _decoded(value.strip(" \t")) if value.isascii() else value for name, value in headers},
        **fields,
    )


def _meant(message: MailMessage) -> Mail:
    """Return what a message asks for."""
    assert message.from_ is not None

    def people(field: str) -> list[Person]:
        return [(address.spec, address.name) for address in getattr(message, field)]

    return _mail(
        people("to"),
        people("cc"),
        message.headers.items(),
        envelope=frozenset(message.recipients),
        from_=(message.from_.spec, message.from_.name),
        reply_to=people("reply_to"),
        subject=message.subject,
        text=message.text,
        html=message.html,
        files=[
            File.of(each.filename, each.content, each.content_type, each.inline, each.content_id)
            for each in message.attachments
        ],
    )


# --- readers -----------------------------------------------------------------------------------------------------


def _decoded(value: str) -> str:
    """Return a header's value without encoded words (RFC 2047); blanks between two of them are none."""

    def decode(match: re.Match[str]) -> str:
        octets = b""
        for word in match[0].split():
            _, _, encoding, payload, _ = word.split("?")
            data = payload.encode()
            octets += base64.b64decode(data) if encoding in "bB" else quopri.decodestring(data, header=True)
        return octets.decode()

    return _WORDS.sub(decode, value)


def _people(value: str) -> list[Person]:
    """Return the mailboxes of an address header."""
    found = [(match[2] or match[3].strip(), (match[1] or "").strip(" ")) for match in _MAILBOX.finditer(value)]
    return [
        (spec, _unquoted(phrase) if re.fullmatch(_QUOTED, phrase) else _decoded(phrase))
        for spec, phrase in found
        if spec
    ]


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


@attrs.frozen
class _Entity:
    """A MIME entity, its parameters read by the standard library, its parts and content by us.

    The standard library would parse an attached message, and so lose its bytes.
    """

    head: EmailMessage
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> "_Entity":
        head, _, body = data.partition(b"\r\n\r\n")
        parsed = email.parser.BytesParser(policy=email.policy.default).parsebytes(head, headersonly=True)
        assert isinstance(parsed, EmailMessage)
        return cls(parsed, body)

    @property
    def leaves(self) -> "Iterator[_Entity]":
        if self.head.get_content_maintype() != "multipart":
            yield self
            return
        boundary = self.head.get_boundary()
        assert boundary
        _, *parts, _ = (b"\r\n" + self.body).split(b"\r\n--" + boundary.encode())
        for part in parts:
            yield from _Entity.read(part.removeprefix(b"\r\n")).leaves

    @property
    def content(self) -> bytes:
        encoding = self.head["Content-Transfer-Encoding"].cte
        if encoding == "base64":
            return base64.b64decode(self.body)
        return quopri.decodestring(self.body) if encoding == "quoted-printable" else self.body

    @property
    def file(self) -> File:
        disposition, content_id = self.head["Content-Disposition"], self.head["Content-ID"]
        return File.of(
            disposition.params["filename"],
            self.content,
            self.head.get_content_type(),
            disposition.content_disposition == "inline",
            None if content_id is None else str(content_id).strip("<>"),
        )


def _of_smtp(wire: bytes, recipients: Iterable[str]) -> Mail:
    whole = _Entity.read(wire)
    fields = [(name, str(value).replace("\r\n", "")) for name, value in whole.head.raw_items()]
    ours = {name.lower(): value for name, value in fields}
    leaves = list(whole.leaves)
    bodies = {
        leaf.head.get_content_subtype(): leaf.content.decode()
        for leaf in leaves
        if not leaf.head["Content-Disposition"]
    }
    (sender,) = _people(ours["from"])
    return _mail(
        _people(ours["to"]),
        _people(ours.get("cc", "")),
        [(name, value) for name, value in fields if not name.lower().startswith((*_OURS, "content-"))],
        envelope=frozenset(recipients),
        from_=sender,
        reply_to=_people(ours.get("reply-to", "")),
        subject=_decoded(ours["subject"]),
        text=bodies.get("plain"),
        html=bodies.get("html"),
        files=[leaf.file for leaf in leaves if leaf.head["Content-Disposition"]],
    )


def _of_resend(payload: dict[str, Any]) -> Mail:
    def people(field: str) -> list[Person]:
        return [person for mailbox in payload.get(field, []) for person in _people(mailbox)]

    (sender,) = _people(payload["from"])
    return _mail(
        people("to"),
        people("cc"),
        payload.get("headers", {}).items(),
        envelope=frozenset(spec for field in ("to", "cc", "bcc") for spec, _ in people(field)),
        from_=sender,
        reply_to=people("reply_to"),
        subject=payload["subject"],
        text=payload.get("text") or None,  # an empty one keeps Resend from making one
        html=payload.get("html"),
        files=[
            File.of(
                each["filename"],
                base64.b64decode(each["content"]),
                each["content_type"],
                "content_id" in each,  # this is what makes it inline
                each.get("content_id"),
            )
            for each in payload.get("attachments", [])
        ],
    )


def _of_sendgrid(payload: dict[str, Any]) -> Mail:
    (everybody,) = payload["personalizations"]

    def person(mailbox: dict[str, str]) -> Person:
        return mailbox["email"], mailbox.get("name", "")

    def people(field: str) -> list[Person]:
        # In these fields, SendGrid puts a name into the header as it is, so quotes that it needs are there.
        return [
            (spec, _unquoted(name) if "," in name or ";" in name else name)
            for spec, name in map(person, everybody.get(field, []))
        ]

    bodies = {each["type"]: each["value"] for each in payload["content"]}
    return _mail(
        people("to"),
        people("cc"),
        payload.get("headers", {}).items(),
        envelope=frozenset(spec for field in ("to", "cc", "bcc") for spec, _ in people(field)),
        from_=person(payload["from"]),
        reply_to=[person(mailbox) for mailbox in payload.get("reply_to_list", [])],
        subject=payload["subject"],
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
        files=[
            File.of(
                each["filename"],
                base64.b64decode(each["content"]),
                each["type"],
                each["disposition"] == "inline",
                each.get("content_id"),
            )
            for each in payload.get("attachments", [])
        ],
    )


# --- every provider, with a server at its other end --------------------------------------------------------------


@attrs.frozen
class Wire:
    """A sender, and what its server has got."""

    sender: DeliveringSender
    mails: Callable[[], list[Mail]]
    """Returns all that has come since the last call."""


def _smtp_basic(stack: ExitStack, ca: Certificates) -> Wire:
    server = stack.enter_context(RealServer())

    def mails() -> list[Mail]:
        came, server.messages[:] = list(server.messages), []
        return [_of_smtp(each.content, map(_quoted, each.rcpt_tos)) for each in came]

    return Wire(stack.enter_context(MailSenderFactory.create_sender("smtp-basic", server.settings())), mails)


def _quoted(spec: str) -> str:
    """Return an address with the quotes that aiosmtpd takes off, as from `".dot"@example.com`."""
    local_part, _, domain = spec.rpartition("@")
    return spec if local_part.startswith('"') else Address(local_part, domain).spec


class _OneToken:
    """Where the token comes from is no part of the mail."""

    def token(self, force_refresh: bool = False) -> Token:
        """Return the only one."""
        return Token("a.b.c", time.time() + 3600)


def _smtp_oauth2(stack: ExitStack, ca: Certificates) -> Wire:
    extensions = ("SIZE 33554432", "8BITMIME", "SMTPUTF8", "AUTH XOAUTH2")
    server = stack.enter_context(SmtpServer(tls=ca.good, implicit=True, extensions=extensions))

    def build(given: SmtpOAuth2Settings) -> Transport:
        return OAuth2Sender(given, "smtp-oauth2", _OneToken())

    def mails() -> list[Mail]:
        (commands, server.commands[:]), (bodies, server.bodies[:]) = (
            (list(server.commands), []),
            (list(server.bodies), []),
        )
        recipients = [match[1] for line in commands if (match := re.fullmatch(r"RCPT TO:<(.*)>", line))]
        return [_of_smtp(re.sub(rb"(?m)^\.", b"", body), recipients) for body in bodies]

    registry = ProviderRegistry()
    registry.add(attrs.evolve(registry.provider("smtp-oauth2", {}), build=build))
    config = {
        "server": server.host,
        "port": server.port,
        "tls_mode": "implicit",
        "ca_file": str(ca.ca_file),
        "username": "app@example.org",
        "managed_identity": True,
        "tenant_id": "00000000-0000-0000-0000-000000000001",
    }
    return Wire(stack.enter_context(MailSenderFactory.create_sender("smtp-oauth2", config, registry=registry)), mails)


def _http(stack: ExitStack, name: str, reply: Reply, read: Callable[[dict[str, Any]], Mail]) -> Wire:
    server = stack.enter_context(HttpServer(reply))

    def mails() -> list[Mail]:
        came, server.requests[:] = list(server.requests), []
        return [read(request.json()) for request in came]

    config = {"api_key": "re_SG.key", "api_url": server.url}
    return Wire(stack.enter_context(MailSenderFactory.create_sender(name, config)), mails)


def _resend(stack: ExitStack, ca: Certificates) -> Wire:
    return _http(stack, "resend", Reply(200, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}), _of_resend)


def _sendgrid(stack: ExitStack, ca: Certificates) -> Wire:
    return _http(stack, "sendgrid", Reply(202, headers={"X-Message-Id": "14c5d75ce93"}), _of_sendgrid)


WIRES = {"resend": _resend, "sendgrid": _sendgrid, "smtp-basic": _smtp_basic, "smtp-oauth2": _smtp_oauth2}
ROUTERS = {"smtp"}  # choose one of the others, and send nothing themselves
FOR_DEVELOPMENT = {"console", "file", "memory"}  # send nothing to anybody


@pytest.fixture(scope="module")
def wires(ca: Certificates) -> Iterator[dict[str, Wire]]:
    """Return every provider, connected."""
    with ExitStack() as stack:
        yield {name: make(stack, ca) for name, make in WIRES.items()}


def test_every_installed_provider_is_compared() -> None:
    """A provider that is installed is among those below, or the comparison would not speak for it."""
    assert set(ProviderRegistry().names()) == {*WIRES, *ROUTERS, *FOR_DEVELOPMENT}


def _ask(wire: Wire, message: MailMessage) -> Mail | None:
    """Return the mail that a provider asks for, or None if it says that it does not take the message."""
    (receipt,) = wire.sender.deliver_many([message])
    if isinstance(receipt, MailMessageError):
        assert str(receipt).startswith(f"{wire.sender.provider} takes ")
        return None
    assert isinstance(receipt, Receipt), receipt
    assert (receipt.outcome, receipt.accepted) == (Outcome.ACCEPTED, message.recipients)
    (mail,) = wire.mails()
    return mail


def test_a_message_with_all_its_parts_asks_for_this_mail(wires: dict[str, Wire]) -> None:
    """Every provider asks for the same recipients, names, subject, bodies, files and headers, and for no other."""
    message = MailMessage(
        ["Grace Hopper <grace@example.com>", '"Hopper, G." <g@example.com>', "Grace <grace@example.com>"],
        "Grüße",
        "<img src='cid:logo'>\r\n",
        "Ada <ada@example.org>",
        ["Émilie <emilie@münchen.example>", "grace@example.com"],
        "hidden@example.com, g@example.com",
        ["help@example.org", "Desk <desk@example.org>"],
        text="Hello\n",
        attachments=[
            Attachment("Übersicht.pdf", b"%PDF\r\n\x00", "application/pdf"),
            Attachment("logo.png", b"\x89PNG", "image/png", content_id="logo", inline=True),
        ],
        headers={"X-Ort": "Köln", "List-Unsubscribe": "<https://example.org/?a=1>"},
    )
    mail = Mail(
        envelope=frozenset(
            {"grace@example.com", "g@example.com", "emilie@xn--mnchen-3ya.example", "hidden@example.com"}
        ),
        from_=("ada@example.org", "Ada"),
        to=(("grace@example.com", "Grace Hopper"), ("g@example.com", "Hopper, G.")),
        cc=(("emilie@xn--mnchen-3ya.example", "Émilie"),),
        reply_to=(("help@example.org", ""), ("desk@example.org", "Desk")),
        subject="Grüße",
        text="Hello",
        html="<img src='cid:logo'>",
        files=[
            File("Übersicht.pdf", b"%PDF\r\n\x00", "application/pdf", False, None),
            File("logo.png", b"\x89PNG", "image/png", True, "logo"),
        ],
        headers={"X-Ort": "Köln", "List-Unsubscribe": "<https://example.org/?a=1>"},
    )
    assert _meant(message) == mail
    for wire in wires.values():
        assert _ask(wire, message) == mail


def test_any_message_asks_every_provider_for_the_same_mail(wires: dict[str, Wire]) -> None:
    """What arrives is what the message says, through every provider that does not refuse it with a reason."""
    compared: Counter[str] = Counter()

    @settings(max_examples=75, suppress_health_check=[HealthCheck.too_slow])
    @given(messages())
    def compare(message: MailMessage) -> None:
        meant = _meant(message)
        for name, wire in wires.items():
            wire.mails()
            mail = _ask(wire, message)
            if mail is None:
                assert wire.mails() == []
            else:
                compared[name] += 1
                assert attrs.asdict(mail, recurse=False) == attrs.asdict(meant, recurse=False), name

    compare()
    assert compared["smtp-basic"] == compared["smtp-oauth2"] >= 75
    # The others refuse what many of these messages have: a content_id on a file that is not inline, a type with
    # parameters.
    assert min(compared["resend"], compared["sendgrid"]) >= 15
