"""The public API as its users write it. Type-checked, never run: what stands here must stay possible."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, assert_type

import attrs

from postroom import (
    Address,
    Attachment,
    BatchTransport,
    Capability,
    DeliveringSender,
    Limit,
    Lookup,
    MailAuthError,
    MailConfigError,
    MailConnectionError,
    MailError,
    MailMessage,
    MailMessageError,
    MailQuotaError,
    MailRateLimitError,
    MailRecipientsError,
    MailRejectedError,
    MailSender,
    MailSenderFactory,
    MailSendError,
    MailSettingsError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
    Provider,
    ProviderConflictError,
    ProviderLoadError,
    ProviderRegistry,
    Receipt,
    Refusal,
    Registration,
    Secret,
    SenderSettings,
    SettingInfo,
    SettingProblem,
    Skipped,
    Transport,
    UnknownProviderError,
    default_registry,
    describe,
    hookimpl,
    setting,
)

# An application that sends.


def messages(many: Sequence[str], mixed: list[str | Address]) -> Iterator[MailMessage]:
    """Make messages in every way."""
    yield MailMessage("grace@example.com", "Hello", "<p>Hello</p>")
    yield MailMessage("a@b.c, d@e.f", "Hello", "<p>Hello</p>", "Ada <ada@b.c>", ["c@b.c"], "b@b.c", many)
    yield MailMessage(to=Address("grace", "example.com", "Grace"), subject="Hello", text="Hello")
    yield MailMessage(to=mixed, subject="Hello", html=None, text="Hello", from_=None, cc=None, bcc=(), reply_to=mixed)
    yield MailMessage(
        [Address.parse("grace@example.com"), "ada@example.com"],
        "Hello",
        "<img src='cid:logo'>",
        text="Hello",
        attachments=[
            Attachment("a.pdf", b"%PDF"),
            Attachment("logo.png", bytearray(b"x"), "image/png", content_id="logo", inline=True),
        ],
        headers={"List-Unsubscribe": "<https://example.com>"},
        tags=["welcome"],
        metadata={"user": "1"},
        send_at=datetime.datetime.now(datetime.UTC),
        id="one",
        date=datetime.datetime.now(datetime.UTC),
        idempotency_key="key",
    )
    yield MailMessage("grace@example.com", "Hello", "x", tags="welcome")


def reading(message: MailMessage) -> None:
    """Read the fields of a message with their types."""
    assert_type(message.to, tuple[Address, ...])
    assert_type(message.cc, tuple[Address, ...])
    assert_type(message.from_, Address | None)
    assert_type(message.html, str | None)
    assert_type(message.attachments, tuple[Attachment, ...])
    assert_type(message.headers, Mapping[str, str])
    assert_type(message.tags, tuple[str, ...])
    assert_type(message.send_at, datetime.datetime | None)
    assert_type(message.date, datetime.datetime)
    assert_type(message.message_id, str)
    assert_type(message.recipients, tuple[str, ...])
    assert_type(message.attachments[0].content, bytes)
    assert_type(message.attachments[0].content_type, str)
    assert_type(message.to[0].spec, str)
    assert_type(Address.parse_list("a@b.c"), tuple[Address, ...])
    assert_type(attrs.evolve(message, subject="Other"), MailMessage)


def sending(sender: DeliveringSender, message: MailMessage) -> None:
    """Send, and look at what became of it."""
    sender.send(message)
    receipt = sender.deliver(message)
    assert_type(receipt, Receipt)
    assert_type(receipt.outcome, Outcome)
    assert_type(receipt.provider_id, str | None)
    assert_type(receipt.accepted, tuple[str, ...])
    for address, refusal in receipt.refused.items():
        assert_type(address, str)
        assert_type(refusal, Refusal)
        assert_type(refusal.code, int | None)
        assert_type(refusal.transient, bool)
    assert_type(sender.is_configured(), bool)
    assert_type(sender.test_connection(), bool)
    assert_type(sender.provider, str)
    sender.check_connection()
    with sender as same:
        assert_type(same, DeliveringSender)
    sender.close()


def sending_many(sender: DeliveringSender, rows: Iterable[Mapping[str, str]]) -> int:
    """Send as many messages as there are rows, and sort out what became of each."""
    again = 0
    for result in sender.deliver_many(MailMessage(row["email"], "Hello", text="Hello") for row in rows):
        assert_type(result, Receipt | MailError)
        if isinstance(result, Receipt):
            assert_type(result.accepted, tuple[str, ...])
        elif isinstance(result, MailSendError):
            assert_type(result.safe_to_retry, bool)
            again += result.safe_to_retry
        else:
            assert_type(result, MailError)
    assert_type(sender.deliver_many([]), Iterator[Receipt | MailError])
    return again


def plain(sender: MailSender, message: MailMessage) -> None:
    """Use the least that sends; a delivering sender is one."""
    sender.send(message)


def making(config: object, environ: Mapping[str, str]) -> None:
    """Make senders."""
    sender = MailSenderFactory.create_sender("smtp", {"server": "mail.example.com", "port": 587})
    assert_type(sender, DeliveringSender)
    plain(sender, MailMessage("a@b.c", "Hello", "x"))
    assert_type(MailSenderFactory.create_from_dify_config(config), DeliveringSender | None)
    assert_type(
        MailSenderFactory.create_from_dify_config(None, environ=environ, registry=ProviderRegistry()),
        DeliveringSender | None,
    )
    assert_type(MailSenderFactory.get_supported_types(), list[str])
    MailSenderFactory.register_sender("loft", Loft)
    MailSenderFactory.register_sender("pigeon", build, settings=PigeonSettings, registry=default_registry())


def failing(sender: DeliveringSender, message: MailMessage) -> None:
    """Catch each error, and read what it knows."""
    try:
        sender.send(message)
    except MailRecipientsError as error:
        assert_type(error.refused, dict[str, Refusal])
        assert_type(error.receipt, Receipt | None)
    except (MailConnectionError, MailAuthError, MailTimeoutError):
        pass
    except (MailRateLimitError, MailQuotaError, MailUnavailableError, MailRejectedError) as error:
        assert_type(error.retry_after, float | None)
    except MailSendError as error:
        assert_type(error.provider, str | None)
        assert_type(error.stage, str | None)
        assert_type(error.code, int | None)
        assert_type(error.enhanced_code, str | None)
        assert_type(error.reason, str)
        assert_type(error.transient, bool)
        assert_type(error.outcome, Outcome)
        assert_type(error.safe_to_retry, bool)
    except MailMessageError as error:
        value_error: ValueError = error
        print(value_error)
    except MailSettingsError as error:
        assert_type(error.problems, tuple[SettingProblem, ...])
        assert_type(error.problems[0].variable, str | None)
    except UnknownProviderError as error:
        assert_type(error.installed, tuple[str, ...])
    except ProviderConflictError as error:
        assert_type(error.distributions, tuple[str, ...])
    except ProviderLoadError as error:
        assert_type(error.distribution, str | None)
    except MailConfigError:
        pass
    except MailError:
        pass


def listing(registry: ProviderRegistry) -> None:
    """Look into a registry."""
    assert_type(registry.names(), list[str])
    assert_type(registry.registrations, tuple[Registration, ...])
    assert_type(registry.skipped, tuple[Skipped, ...])
    assert_type(registry.skipped[0].reason, str)
    provider = registry.provider("smtp", {"auth_type": "basic"})
    assert_type(provider, Provider)
    for info in describe(provider.settings, provider.env_prefix):
        assert_type(info, SettingInfo)
        assert_type(info.variable, str)
        assert_type(info.required, bool)
    assert_type(provider.limits, tuple[Limit, ...])
    assert_type(provider.limits[0].rule, str)
    assert_type(provider.limits[0].source, str)
    provider.check(MailMessage("a@b.c", "Hello", "x", "d@e.f"))
    registry.register(Observer())
    registry.add(provider)


class Observer:
    """An observer, with as many arguments as it wants."""

    @hookimpl
    def postroom_message_sent(self, message: MailMessage, receipt: Receipt) -> None:
        """See what was sent."""

    @hookimpl
    def postroom_message_failed(self, error: MailError) -> None:
        """See what was not."""


# A third party's provider.


@attrs.frozen(kw_only=True)
class PigeonSettings(SenderSettings):
    """Settings with a field of each type."""

    loft: str = attrs.field(metadata=setting("where they live"))
    ring: Secret = attrs.field(converter=Secret, metadata=setting("number on the ring", secret=True))
    spare: Secret | None = attrs.field(default=None, metadata=setting("second ring", secret=True))
    grains: int = attrs.field(default=10, metadata=setting("what a flight costs", env="GRAIN_PRICE"))
    weight: float | None = attrs.field(default=None, metadata=setting("how much one carries", missing="say it"))
    at_night: bool = attrs.field(default=False, metadata=setting("fly at night"))
    breed: Literal["homer", "tippler"] = attrs.field(default="homer", metadata=setting("which kind flies"))

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between the fields."""
        yield from super().check()
        if self.grains < 1:
            yield "grains", "grains must be at least 1"


class Pigeon:
    """A transport."""

    def __init__(self, settings: PigeonSettings) -> None:
        self.settings = settings
        assert_type(settings.ring.reveal(), str)

    def deliver(self, message: MailMessage) -> Receipt:
        """Send one message."""
        if message.from_ is None:
            raise MailMessageError("no sender")
        if not message.recipients:
            raise MailRejectedError("nobody", remedy="Say who", stage="rcpt", code=550, outcome=Outcome.NOT_SENT)
        refused = {"a@b.c": Refusal(550, "5.1.1", "no such user", transient=False)}
        return Receipt(message.message_id, "pigeon", provider_id="1", accepted=message.recipients, refused=refused)

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def check_connection(self) -> None:
        """Reach the service."""

    def close(self) -> None:
        """Release nothing."""


class Flock(Pigeon):
    """A transport that sends several together."""

    def deliver_many(self, messages: Iterable[MailMessage]) -> Iterator[Receipt | MailError]:
        """Send them, and yield a failure instead of raising it."""
        for message in messages:
            try:
                yield self.deliver(message)
            except MailError as error:
                yield error


class Loft:
    """A plain sender, as an application brings it."""

    def __init__(self, settings: SenderSettings) -> None:
        self.settings = settings

    def send(self, message: MailMessage) -> None:
        """Send one message."""

    def is_configured(self) -> bool:
        """Say yes."""
        return True

    def test_connection(self) -> bool:
        """Say yes."""
        return True


def build(settings: PigeonSettings) -> Transport:
    """Build the transport."""
    transport: Transport = Flock(settings)
    if isinstance(transport, BatchTransport):
        assert_type(transport.deliver_many([]), Iterator[Receipt | MailError])
    together: BatchTransport = Flock(settings)
    return together if settings.grains > 1 else Pigeon(settings)


def too_many(message: MailMessage) -> str | None:
    """Return what breaks the rule."""
    count = len(message.recipients)
    return f"{count} of them" if count > 1 else None


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider(
        name="pigeon",
        title="Pigeon Post",
        settings=PigeonSettings,
        build=build,
        env_prefix="PIGEON_",
        capabilities={Capability.ATTACHMENTS, Capability.TAGS},
        limits=[
            Limit("one recipient", too_many, source="https://example.com/pigeons"),
            Limit("no subject of nothing", lambda message: None, source="https://example.com/subjects"),
        ],
    )


@hookimpl
def postroom_route(config: Lookup) -> str:
    """Choose a provider by a raw setting."""
    return f"pigeon-{config.get('breed') or 'homer'}"


# What must not pass.


def wrong(sender: DeliveringSender, message: MailMessage) -> None:
    """Each line is an error, and stays one."""
    MailMessage(subject="Hello", html="x")  # type: ignore[call-arg]  # nobody to send it to
    MailMessage("a@b.c", "Hello", "x", "d@e.f", [], [], [], "text")  # type: ignore[call-arg]  # text goes by name
    MailMessage("a@b.c", "Hello", b"x")  # type: ignore[arg-type]
    MailMessage("a@b.c", "Hello", "x", attachments=["a.pdf"])  # type: ignore[list-item]
    message.subject = "Other"  # type: ignore[misc]  # frozen
    message.headers["X-A"] = "1"  # type: ignore[index]  # a Mapping
    PigeonSettings(ring="r")  # type: ignore[call-arg]  # loft is required
    PigeonSettings("north", loft="north", ring="r")  # type: ignore[call-arg]  # by name only
    MailSenderFactory.register_sender("pigeon", print)  # type: ignore[arg-type]
    sender.deliver_many(message)  # type: ignore[arg-type]  # several
    Limit("light letters", too_many)  # type: ignore[call-arg]  # who says so?
    Limit("light letters", too_many, "https://example.com")  # type: ignore[call-arg]  # by name only
    Limit("light letters", lambda message: 5, source="-")  # type: ignore[arg-type, return-value]
    batch: BatchTransport = Pigeon(PigeonSettings(loft="north", ring="r"))  # type: ignore[assignment]
    batch.close()
    sender.transport  # type: ignore[attr-defined]  # no part of the Protocol  # noqa: B018
