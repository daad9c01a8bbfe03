"""The steps, gone in a thread of their own: nothing that hangs, a resolver or a provider, keeps the doctor."""

import queue
import threading
import time
from collections.abc import Iterator

import attrs

from postroom import DeliveringSender, MailError, MailMessage, MailSendError, MailTimeoutError, Outcome, Step

LIMIT = 28.0
"""Seconds for a whole examination; no step begins later."""


class Worker:
    """Goes the way of a message, and sends one at its end if `send_to` is given.

    Args:
        sender: Whose way it is.
        send_to: Address of a recipient, or None.
        until: When to wait no longer, by `time.monotonic`.
    """

    def __init__(self, sender: DeliveringSender, send_to: str | None, until: float) -> None:
        self._sender = sender
        self._until = until
        self._message = _message(send_to) if send_to else None
        self._done: queue.SimpleQueue[Step | MailError | None] = queue.SimpleQueue()
        self._sending = False

    def steps(self) -> Iterator[Step]:
        """Yield each step when it is done.

        Raises:
            MailError: The next one failed, or nothing came back in time.
        """
        threading.Thread(target=self._run, daemon=True, name="postroom doctor").start()
        last = "the configuration"
        while True:
            try:
                step = self._done.get(timeout=max(0.0, self._until - time.monotonic()))
            except queue.Empty:
                raise self._late(last) from None
            if step is None:
                return
            if isinstance(step, MailError):
                raise step
            last = step.name
            yield step

    def _run(self) -> None:
        try:
            with self._sender:
                for step in self._sender.probe(self._message.to[0].spec if self._message else None):
                    self._done.put(attrs.evolve(step))  # raises if it is none
                if self._message is not None:
                    self._sending = True
                    receipt = self._sender.deliver(self._message)
                    self._done.put(
                        Step(
                            "send",
                            f"accepted as {receipt.provider_id or receipt.message_id}",
                            {"message_id": receipt.message_id, "provider_id": receipt.provider_id}
                            | {"refused": {to: attrs.asdict(why) for to, why in receipt.refused.items()}},
                        )
                    )
            self._done.put(None)
        except MailError as error:
            self._done.put(error)
        except BaseException as error:  # noqa: BLE001  the user's interrupt comes to the main thread
            self._done.put(self._unexpected(error))

    def _unexpected(self, error: BaseException) -> MailError:
        made = MailSendError(
            f"unexpected {type(error).__name__} in the provider",
            remedy="It is a bug of the provider: report it",
            stage="send" if self._sending else "check",
            outcome=Outcome.UNKNOWN if self._sending else Outcome.NOT_SENT,
        )
        made.__cause__ = error
        return made

    def _late(self, last: str) -> MailError:
        reason = f"nothing came back within {LIMIT:.0f} seconds after {last}"
        if self._sending:
            return MailTimeoutError(
                reason,
                remedy="The mail may have been sent: look for it before you send another",
                stage="send",
                outcome=Outcome.UNKNOWN,
            )
        return MailTimeoutError(reason, remedy="Check the name server of this host, and firewalls", stage="wait")


def _message(send_to: str) -> MailMessage:
    return MailMessage(
        send_to,
        "A mail by postroom doctor",
        "<p>This mail was sent by <code>postroom doctor</code>. It has arrived, so mail works.</p>",
        text="This mail was sent by postroom doctor. It has arrived, so mail works.",
    )
