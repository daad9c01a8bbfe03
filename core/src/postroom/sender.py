"""The Protocols: what an application gets, and what a provider writes."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from postroom.address import Address
from postroom.errors import MailError
from postroom.message import MailMessage
from postroom.probe import Step
from postroom.receipt import Receipt


class Leaving(Protocol):
    """What a transport calls, once for each message, just before it hands the last octet of it to the network.

    Until then nobody can have accepted the message.
    """

    def __call__(self, message: MailMessage, /) -> None:
        """Take note. If it raises, the transport lets the exception out, and the last octet stays here."""
        ...


@runtime_checkable
class MailSender(Protocol):
    """The least that sends mail: what an application like Dify calls."""

    def send(self, message: MailMessage, /) -> None:
        """Send one message; return only if every recipient was accepted.

        Raises:
            MailMessageError: The message cannot be sent as it is.
            MailSendError: It was not, or not wholly, or not certainly sent; see `outcome`.
        """
        ...

    def is_configured(self) -> bool:
        """Return True if the settings suffice to send. Does no I/O."""
        ...

    def test_connection(self) -> bool:
        """Return True if the provider can be reached and knows us. Never raises; logs the reason."""
        ...


@runtime_checkable
class DeliveringSender(MailSender, Protocol):
    """A `MailSender` that also says what became of a message. This is what the factory returns."""

    @property
    def provider(self) -> str:
        """Name of the provider, such as `smtp-basic`."""
        ...

    @property
    def default_from(self) -> str | None:
        """Sender of messages that name none, as it is configured."""
        ...

    def deliver(self, message: MailMessage, /) -> Receipt:
        """Send one message and return the receipt, which names accepted and refused recipients.

        Raises:
            MailMessageError: The message cannot be sent as it is.
            MailSendError: Nobody was accepted, or nobody knows; see `outcome`.
        """
        ...

    def deliver_many(self, messages: Iterable[MailMessage], /) -> Iterator[Receipt | MailError]:
        """Send messages, and yield for each, in their order, its receipt or the error that `deliver` would raise.

        Nothing is sent before the results are asked for, and messages are taken from the iterable as they are sent.
        """
        ...

    def check_connection(self) -> None:
        """Do what `test_connection` does, and raise the reason.

        Raises:
            MailError: The provider cannot be reached, does not know us, or refuses every message of the default sender.
        """
        ...

    def probe(self, recipient: str | None = None, /) -> Iterator[Step]:
        """Go the way that a message would go, step by step, and stop before the message. Yield what was done.

        Args:
            recipient: Address that the service is asked about, if it can be asked before a message is sent.

        Raises:
            MailError: The next step failed; its `stage` names it.
        """
        ...

    def close(self) -> None:
        """Release connections. May be called more than once; a later send opens new ones."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


@runtime_checkable
class Transport(Protocol):
    """What a provider builds: the part that talks to one service. Core puts the rest around it.

    Core fills in the sender, refuses what the provider does not declare, calls the observers and wraps foreign
    exceptions, so a transport only moves a complete message. It must be safe to use from several threads at once.

    `deliver` and `deliver_many` may take a further argument `leaving` by name, a `Leaving`. Then core knows of a
    foreign exception whether the message had left; without it, a message may have been sent whenever one comes.
    """

    def deliver(self, message: MailMessage, /) -> Receipt:
        """Offer the message once. `message.from_` is set.

        Raises:
            MailSendError: With the true outcome. Say `UNKNOWN` if the service may have taken the message.
        """
        ...

    def is_configured(self) -> bool:
        """Return True if the settings suffice to send. Does no I/O."""
        ...

    def check_connection(self) -> None:
        """Reach the service and log in, send nothing.

        Raises:
            MailError: It cannot be done; the text says why and what to do.
        """
        ...

    def close(self) -> None:
        """Release connections. Called more than once without harm."""
        ...


@runtime_checkable
class BatchTransport(Transport, Protocol):
    """A transport that moves several messages in less time than one after the other."""

    def deliver_many(self, messages: Iterable[MailMessage], /) -> Iterator[Receipt | MailError]:
        """Offer the messages, and yield one result for each, in their order. `from_` is set in all of them.

        Take no more of them than are sent together next, and end when they end: what comes later is offered anew. A
        failure is yielded, not raised: what is raised becomes the error of every message that was taken and has no
        result yet.
        """
        ...


@runtime_checkable
class ProbeTransport(Transport, Protocol):
    """A transport that can go its way step by step. Of others, the connection is checked as a whole."""

    def probe(self, sender: Address | None, recipient: Address | None, /) -> Iterator[Step]:
        """Go the way that a message would go, and yield each step when it is done. Send nothing.

        Args:
            sender: The default sender, if there is one: will the service take mail from it?
            recipient: Whom to ask the service about, if it can be asked.

        Raises:
            MailSendError: The next step failed; `stage` is its name.
        """
        ...
