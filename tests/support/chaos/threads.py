"""The threads that send: each keeps one verdict for each of its mails."""

import threading
from collections.abc import Callable, Iterator, Sequence

import attrs

from chaos.interrupts import KINDS, Target
from postroom import DeliveringSender, MailError, MailMessage, MailSendError, Outcome, Receipt

INTERRUPTED = "interrupted"
"""What stands in place of an outcome if an exception from outside has left the call."""
TOGETHER = 30
"""Messages in one `deliver_many`."""


@attrs.define
class Verdicts:
    """What is told of each mail, by its subject."""

    told: dict[str, str] = attrs.field(factory=dict)
    again: int = 0
    """How many mails were sent once more, since the error had said that this is safe."""
    _open: set[str] = attrs.field(factory=set, init=False)

    def keep(self, mail: MailMessage, result: Receipt | MailError) -> None:
        """Keep what became of a mail."""
        assert isinstance(result, Receipt | MailSendError), repr(result)
        interrupted = [f"unexpected {kind.__name__} in the provider" for kind in KINDS]
        is_bug = "bug of the provider" in str(result) and not any(each in str(result) for each in interrupted)
        assert not is_bug, f"{result!r} from {result.__cause__!r}"  # type: ignore[union-attr]  # no receipt
        assert result.outcome is not Outcome.PARTIAL, repr(result)
        self._set(mail, result.outcome.name.lower().replace("_", " "))

    def lose(self, mail: MailMessage) -> None:
        """Keep that an exception has left in place of a verdict."""
        self._set(mail, INTERRUPTED)

    def take_back(self, mail: MailMessage) -> None:
        """Forget the verdict of a mail that is sent again."""
        self.again += 1
        if self.told.pop(mail.subject) == "unknown":
            self._open.add(mail.subject)

    def _set(self, mail: MailMessage, what: str) -> None:
        assert mail.subject not in self.told, f"a second verdict on {mail.subject}"
        # A refusal of the second attempt leaves open what became of the first one.
        self.told[mail.subject] = "unknown" if what == "not sent" and mail.subject in self._open else what


class Sending(threading.Thread):
    """Sends its mails, and keeps in `failure` what must not happen."""

    def __init__(self, made: DeliveringSender, mails: Sequence[MailMessage], *, together: bool) -> None:
        super().__init__(name="deliver_many" if together else "deliver", daemon=True)
        self.target = Target()
        self.verdicts = Verdicts()
        self.failure: BaseException | None = None
        self._made = made
        self._mails = mails
        self._together = together

    def run(self) -> None:
        """Send all."""
        try:
            if self._together:
                self._send_many()
            else:
                for mail in self._mails:
                    self._send(mail)
        except BaseException as error:  # noqa: BLE001  raised by whoever waits for this thread
            self.failure = error

    def _send(self, mail: MailMessage, *, again: bool = True) -> None:
        result: list[Receipt | MailError] = []

        def deliver() -> None:
            try:
                result.append(self._made.deliver(mail))
            except MailError as error:
                result.append(error)

        if self.target.run(deliver) and not result:
            self.verdicts.lose(mail)
            return
        self.verdicts.keep(mail, result[0])
        if again and self._goes_again(mail, result[0]):
            self.verdicts.take_back(mail)
            self._send(mail, again=False)

    def _send_many(self) -> None:
        rest = [*self._mails]
        while rest:
            part, rest = rest[:TOGETHER], rest[TOGETHER:]
            taken: list[MailMessage] = []
            results: list[Receipt | MailError] = []
            ended = self.target.run(_delivery(self._made, part, taken, results))
            assert len(results) <= len(taken), "a result of a message that was not taken"
            assert ended or len(results) == len(part), f"{len(results)} results of {len(part)} messages"
            for mail, result in zip(taken, results, strict=False):
                self.verdicts.keep(mail, result)
            for mail in taken[len(results) :]:
                self.verdicts.lose(mail)
            rest = part[len(taken) :] + rest  # not taken from the iterable, so nobody has offered them
            for mail, result in zip(taken, results, strict=False):
                if self._goes_again(mail, result):
                    self.verdicts.take_back(mail)
                    self._send(mail, again=False)

    def _goes_again(self, mail: MailMessage, result: Receipt | MailError) -> bool:
        """Return True if a task queue would send it once more; of half of the mails, so that both are seen."""
        if not isinstance(result, MailSendError):
            return False
        return result.safe_to_retry and result.transient and int(mail.subject.split("-")[1]) % 2 == 0


def _delivery(
    made: DeliveringSender,
    part: Sequence[MailMessage],
    taken: list[MailMessage],
    results: list[Receipt | MailError],
) -> Callable[[], None]:
    def source() -> Iterator[MailMessage]:
        for mail in part:
            taken.append(mail)
            yield mail

    def deliver() -> None:
        for result in made.deliver_many(source()):
            results.append(result)  # noqa: PERF402  what has come counts, whatever comes then

    return deliver
