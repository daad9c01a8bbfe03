"""Several messages, one result for each: in order, whatever the others meet."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from postroom.errors import MailError
from postroom.message import MailMessage
from postroom.receipt import Receipt

Result = Receipt | MailError
"""What became of one message."""


class _Intake:
    """The messages as a transport takes them. Refused ones stay behind, in their place, with the reason."""

    def __init__(self, messages: Iterable[MailMessage], complete: Callable[[MailMessage], MailMessage]) -> None:
        self._messages = iter(messages)
        self._complete = complete
        self._open: deque[tuple[MailMessage, MailError | None]] = deque()
        self.read = 0
        self.ended = False
        self.failure: Exception | None = None

    def __iter__(self) -> "_Intake":
        return self

    def __next__(self) -> MailMessage:
        while not self.ended:
            try:
                message = next(self._messages)
            except StopIteration:
                self.ended = True
                raise
            except Exception as error:  # noqa: BLE001  raised again when the messages before it are done
                # The caller's own; it must not look like a failure of the transport, which is what asks here.
                self.ended, self.failure = True, error
                raise StopIteration from None
            self.read += 1
            try:
                message = self._complete(message)
            except MailError as error:
                self._open.append((message, error))
                if self._open[0][1] is not None:
                    break  # its turn has come: it is yielded before anything else is read or sent
            else:
                self._open.append((message, None))
                return message
        raise StopIteration

    def refused(self) -> Iterator[tuple[MailMessage, Result]]:
        """Yield the refused messages that are next in order."""
        while self._open and self._open[0][1] is not None:
            message, error = self._open.popleft()
            assert error is not None  # noqa: S101  for mypy
            yield message, error

    def answered(self) -> MailMessage:
        """Return the message that the next result is for."""
        return self._open.popleft()[0]

    def abandoned(
        self, failure: Exception, explain: Callable[[Exception, MailMessage], MailError]
    ) -> Iterator[tuple[MailMessage, Result]]:
        """Yield every message that was taken and has no result."""
        while self._open:
            message, refusal = self._open.popleft()
            yield message, refusal or explain(failure, message)


def in_order(
    messages: Iterable[MailMessage],
    complete: Callable[[MailMessage], MailMessage],
    offer: Callable[[Iterable[MailMessage]], Iterator[Result]],
    explain: Callable[[Exception, MailMessage], MailError],
) -> Iterator[tuple[MailMessage, Result]]:
    """Yield each message with its result, in order.

    Args:
        messages: What to send. An exception of the iterable itself is raised once the messages before it are done.
        complete: Returns the message as it is offered, or refuses it with a `MailError`.
        offer: The transport's way to send many.
        explain: Makes a new error from what the transport raised.
    """
    intake = _Intake(messages, complete)
    while not intake.ended:
        read = intake.read
        failure: Exception = RuntimeError("deliver_many ended before its messages")
        try:
            for result in offer(intake):
                yield from intake.refused()
                if not isinstance(result, Receipt | MailError):
                    raise TypeError(f"deliver_many yielded {type(result).__name__}, not a Receipt or MailError")
                yield intake.answered(), result
        except Exception as error:  # noqa: BLE001  a transport may raise anything; the other messages still count
            failure = error
        if intake.read == read:
            next(intake, None)  # a transport that takes nothing must not be asked for ever
        yield from intake.abandoned(failure, explain)
    if intake.failure is not None:
        raise intake.failure
