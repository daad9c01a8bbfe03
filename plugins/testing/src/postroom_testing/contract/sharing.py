"""May a sender be shared by threads, and survive a fork; and is a receipt a receipt?"""

import os
import pickle
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from postroom import DeliveringSender, MailMessage, MailSender, Outcome, Receipt
from postroom_testing.contract.base import SENDER, Contract
from postroom_testing.contract.services import Running

_THREADS = 16


def _message(number: int = 0) -> MailMessage:
    return MailMessage("grace@example.com", f"Message {number}", "<p>Hello.</p>", SENDER)


class Receipts(Contract):
    """What `deliver` returns."""

    def test_a_receipt_names_the_message(self, sender: DeliveringSender) -> None:
        """It has the Message-ID, which is the same for every attempt."""
        message = _message()
        assert sender.deliver(message).message_id == message.message_id

    def test_a_receipt_names_the_provider(self, sender: DeliveringSender) -> None:
        """It says by whom the message was accepted."""
        assert sender.deliver(_message()).provider == self.provider

    def test_a_receipt_names_every_recipient(self, sender: DeliveringSender) -> None:
        """Each recipient is accepted or refused, in the order of the message, each once."""
        message = MailMessage(
            ["a@example.com", "b@example.com", "a@example.com"], "Hello", "<p>Hello.</p>", cc="c@example.com",
            bcc="d@example.com",
        )  # fmt: skip
        receipt = sender.deliver(message)
        assert receipt.accepted == ("a@example.com", "b@example.com", "c@example.com", "d@example.com"), (
            "Receipt(accepted=message.recipients)"
        )
        assert not receipt.refused
        assert receipt.outcome is Outcome.ACCEPTED

    def test_a_receipt_counts_one_attempt(self, sender: DeliveringSender) -> None:
        """A message that is taken at once was offered once."""
        assert sender.deliver(_message()).attempts == 1

    def test_a_receipt_crosses_a_queue(self, sender: DeliveringSender) -> None:
        """It is the same after pickling."""
        receipt = sender.deliver(_message())
        assert pickle.loads(pickle.dumps(receipt)) == receipt

    def test_send_returns_nothing(self, sender: MailSender) -> None:
        """`send` returns if everybody was accepted."""
        assert sender.send(_message()) is None  # type: ignore[func-returns-value]


class Sharing(Contract):
    """Threads, processes, and the end."""

    def test_threads_share_a_sender(self, sender: DeliveringSender, service: Running) -> None:
        """16 threads send at once; each message arrives once, as it is."""
        count = _THREADS * self.sends_many_at_once
        with ThreadPoolExecutor(_THREADS) as threads:
            receipts = [*threads.map(lambda number: sender.deliver(_message(number)), range(count))]
        assert len({receipt.message_id for receipt in receipts}) == count
        arrived = sorted(each.subject for each in service.arrived())
        assert arrived == sorted(f"Message {number}" for number in range(count)), "messages are mixed up or missing"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
    def test_a_forked_child_has_connections_of_its_own(self, sender: DeliveringSender, service: Running) -> None:
        """A sender that has been used goes on in parent and child, and they do not share a connection."""
        sender.deliver(_message(1))
        before = service.connections()
        if not before:
            pytest.skip("this provider makes no connection")
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Since Python 3.12 it warns of other threads: those of the service are, and the child does not need them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = 1
            try:
                sender.deliver(_message(2))
                status = 0
            except BaseException:  # noqa: BLE001  a child must not go on with the tests
                os.write(writer, traceback.format_exc().encode()[-2000:])
            finally:
                os._exit(status)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        said = os.read(reader, 4000).decode()
        os.close(reader)
        assert status == 0, f"the child cannot send:\n{said}"
        assert service.connections() > before, "the child uses its parent's connection: look at os.getpid() before"
        sender.deliver(_message(3))
        assert sorted(each.subject for each in service.arrived()) == ["Message 1", "Message 2", "Message 3"]

    def test_a_sender_does_not_carry_its_secrets_away(self, sender: DeliveringSender, service: Running) -> None:
        """Pickling a sender fails, or leaves its secrets behind."""
        try:
            carried = pickle.dumps(sender)
        except Exception:  # noqa: BLE001  which one does not matter
            return
        text = carried.decode("utf-8", "replace")
        assert not [secret for secret in self.secrets(service.place) if secret in text]

    def test_a_sender_shows_no_secret(self, sender: DeliveringSender, service: Running) -> None:
        """Neither the sender's repr nor its transport's has a secret in it."""
        shown = f"{sender!r} {getattr(sender, 'transport', '')!r}"
        assert not [secret for secret in self.secrets(service.place) if secret in shown]

    def test_closing_twice_does_no_harm(self, sender: DeliveringSender) -> None:
        """`close` may be called again, as by a `with` block around it."""
        sender.deliver(_message())
        sender.close()
        sender.close()

    def test_a_closed_sender_opens_again(self, sender: DeliveringSender, service: Running) -> None:
        """A send after `close` makes a new connection."""
        sender.deliver(_message(1))
        sender.close()
        receipt: Receipt = sender.deliver(_message(2))
        assert receipt.accepted
        assert len(service.arrived()) == 2

    def test_a_series_keeps_its_connection(self, sender: DeliveringSender, service: Running) -> None:
        """Ten messages one after the other need one connection: a handshake for each costs more than the message."""
        for number in range(10):
            sender.deliver(_message(number))
        assert service.connections() <= 1, f"{service.connections()} connections for ten messages: keep one open"
