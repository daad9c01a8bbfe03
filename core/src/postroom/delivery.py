"""What the factory returns: the provider's transport with everything around it that is the same for all providers."""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from postroom.acceptance import refusal_of
from postroom.address import Address
from postroom.batch import Result, in_order
from postroom.departure import Departures, tells
from postroom.errors import MailError, MailMessageError
from postroom.guard import Guard
from postroom.message import MailMessage, with_sender
from postroom.probe import Step
from postroom.provider import Provider
from postroom.receipt import Outcome, Receipt
from postroom.registry import ProviderRegistry
from postroom.send_errors import MailRecipientsError, MailRejectedError, MailSendError
from postroom.sender import BatchTransport, Leaving, ProbeTransport, Transport
from postroom.traces import forget_locals

_log = logging.getLogger("postroom.delivery")


class Delivery:
    """A `DeliveringSender` over a provider's transport.

    It fills in the default sender, refuses what the provider cannot carry, calls the observers, and turns whatever a
    provider raises into `MailSendError`. Safe to share between threads if the transport is.
    """

    def __init__(
        self,
        transport: Transport,
        provider: Provider,
        registry: ProviderRegistry,
        default_from: str | None = None,
    ) -> None:
        self._transport = transport
        self._tells = tells(transport.deliver)
        self._provider = provider
        self._guard = Guard(provider)
        self._registry = registry
        self._default_from = default_from
        self._default: Address | MailMessageError | None = None
        try:
            self._default = Address.parse(default_from) if default_from else None
        except MailMessageError as error:
            # Not an error yet: an application that names a sender in every message never needs the default.
            self._default = error

    @property
    def provider(self) -> str:
        """Name of the provider."""
        return self._provider.name

    @property
    def default_from(self) -> str | None:
        """Sender of messages that name none, as it is configured."""
        return self._default_from

    @property
    def transport(self) -> Transport:
        """What the provider built."""
        return self._transport

    def __repr__(self) -> str:
        return f"<Delivery by {self.provider}>"

    def send(self, message: MailMessage) -> None:
        """Send one message; return only if every recipient was accepted.

        Raises:
            MailMessageError: The message cannot be sent as it is.
            MailRecipientsError: Some recipients were refused (`PARTIAL`, with the receipt), or all of them.
            MailSendError: It was not, or not certainly sent; see `outcome`.
        """
        receipt = self.deliver(message)
        if receipt.refused:
            count = len(receipt.refused)
            raise MailRecipientsError(
                f"{count} of {count + len(receipt.accepted)} recipients were refused: {_list(receipt)}",
                remedy="The others have the mail: send again to the refused ones only",
                provider=self.provider,
                stage="rcpt",
                refused=receipt.refused,
                receipt=receipt,
                transient=all(refusal.transient for refusal in receipt.refused.values()),
                outcome=Outcome.PARTIAL,
            )

    def deliver(self, message: MailMessage) -> Receipt:
        """Send one message and return the receipt, which names accepted and refused recipients.

        Raises:
            MailMessageError: The message cannot be sent as it is.
            MailSendError: Nobody was accepted, or nobody knows; see `outcome`.
        """
        try:
            message = self._complete(message)
            receipt = self._offer(message)
        except MailError as error:
            self._observe(message, error)
            raise
        self._observe(message, receipt)
        return receipt

    def deliver_many(self, messages: Iterable[MailMessage]) -> Iterator[Receipt | MailError]:
        """Send messages, and yield for each, in their order, its receipt or the error that `deliver` would raise.

        Nothing is sent before the results are asked for, and messages are taken from the iterable as they are sent. A
        provider may send several together, so who stops early does not learn what became of the last ones.
        """
        transport = self._transport
        many = transport.deliver_many if isinstance(transport, BatchTransport) else None
        told = many is not None and tells(many)
        departures = Departures(told)
        offer: Callable[..., Iterator[Result]] = many or self._one_by_one
        if told:
            offer = functools.partial(offer, leaving=departures)

        def explain(failure: Exception, message: MailMessage) -> MailError:
            return self._guard.lost(failure, departures.outcome(message))

        for message, result in in_order(messages, self._complete, offer, explain):
            if isinstance(result, Receipt):
                departures.forget(message)
            if isinstance(result, MailSendError):
                forget_locals(result)
                self._guard.tell(result)
            self._observe(message, result)
            yield result

    def is_configured(self) -> bool:
        """Return True if the settings suffice to send. Does no I/O."""
        return self._transport.is_configured()

    def test_connection(self) -> bool:
        """Return True if the provider can be reached and knows us. Never raises; logs the reason as a WARNING."""
        try:
            self.check_connection()
        except Exception as error:  # noqa: BLE001  a probe answers yes or no
            reason = str(error).removeprefix(f"{self.provider}: ")
            _log.warning("mail: %s: connection test failed: %s", self.provider, reason)
            return False
        return True

    def check_connection(self) -> None:
        """Do what `test_connection` does, and raise the reason.

        Raises:
            MailError: The provider cannot be reached, does not know us, or refuses every message of the default sender.
        """
        self._check_sender()
        self._guard.call(Outcome.NOT_SENT, self._transport.check_connection)

    def probe(self, recipient: str | None = None) -> Iterator[Step]:
        """Go the way that a message would go, step by step, and stop before the message. Yield what was done.

        Args:
            recipient: Address that the service is asked about, if it can be asked before a message is sent.

        Raises:
            MailMessageError: This is no address.
            MailError: The next step failed; its `stage` names it.
        """
        whom = Address.parse(recipient) if recipient else None
        if not isinstance(self._transport, ProbeTransport):
            self.check_connection()
            yield Step("check", "the provider can be reached and accepts the login, if there is one")
            return
        self._check_sender()
        sender = self._default if isinstance(self._default, Address) else None
        steps = self._transport.probe(sender, whom)
        while (step := self._guard.call(Outcome.NOT_SENT, next, steps, None)) is not None:
            yield step

    def close(self) -> None:
        """Release connections. May be called more than once; a later send opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sender_refusal(self) -> MailRejectedError | None:
        """Return why the provider refuses every message of the default sender; None if it does not."""
        return refusal_of(self._default, self._provider) if isinstance(self._default, Address) else None

    def _check_sender(self) -> None:
        refusal = self.sender_refusal()
        if refusal is not None:
            raise refusal

    def _complete(self, message: MailMessage) -> MailMessage:
        if not isinstance(message, MailMessage):
            raise MailMessageError(f"send takes a MailMessage, not {type(message).__name__}")
        if message.from_ is None:
            message = self._with_default_sender(message)
        self._guard.call(Outcome.NOT_SENT, self._provider.check, message)
        return message

    def _with_default_sender(self, message: MailMessage) -> MailMessage:
        if self._default is None:
            raise MailMessageError("the message has no sender: set from_, or MAIL_DEFAULT_SEND_FROM for all messages")
        if isinstance(self._default, MailMessageError):
            raise MailMessageError(f"MAIL_DEFAULT_SEND_FROM: {self._default}")
        return with_sender(message, self._default)

    def _offer(self, message: MailMessage) -> Receipt:
        departures = Departures(self._tells)
        return self._guard.call(lambda: departures.outcome(message), self._deliver, message, departures)

    def _deliver(self, message: MailMessage, leaving: Leaving) -> Receipt:
        options: dict[str, Any] = {"leaving": leaving} if self._tells else {}
        receipt: object = self._transport.deliver(message, **options)
        if not isinstance(receipt, Receipt):
            raise TypeError(f"deliver returned {type(receipt).__name__}, not a Receipt")
        return receipt

    def _one_by_one(self, messages: Iterable[MailMessage]) -> Iterator[Result]:
        for message in messages:
            try:
                yield self._offer(message)
            except MailError as error:
                yield error

    def _observe(self, message: object, result: Result) -> None:
        if not isinstance(message, MailMessage):
            return  # the caller's mistake, and nothing that an observer could read
        if isinstance(result, Receipt):
            self._registry.observe("postroom_message_sent", message=message, receipt=result)
        else:
            self._registry.observe("postroom_message_failed", message=message, error=result)


def _list(receipt: Receipt) -> str:
    said = [f"{address} ({refusal.text})" for address, refusal in receipt.refused.items()]
    return ", ".join(said[:3]) + (", …" if len(said) > 3 else "")
