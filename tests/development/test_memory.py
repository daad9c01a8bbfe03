"""`memory`: messages are kept, in the box that is named, in their order, until they are thrown away."""

import logging
import threading
from collections.abc import Iterator

import pytest

from postroom import Attachment, DeliveringSender, MailMessage, MailSenderFactory, Outcome
from postroom_memory import Box, box, forget

SENDER = "no-reply@example.com"


def sender(name: str) -> DeliveringSender:
    """Return a sender into a box."""
    return MailSenderFactory.create_sender("memory", {"box": name, "default_from": SENDER})


def mail(subject: str = "Hello") -> MailMessage:
    """Return a message with its sender."""
    return MailMessage("grace@example.com", subject, text="Hi", from_=SENDER)


@pytest.fixture
def name() -> Iterator[str]:
    """Yield the name of a box that is forgotten after the test."""
    yield "pigeons and others"
    forget("pigeons and others")


def test_the_message_itself_is_kept(name: str) -> None:
    """What lies in the box is the message that was sent, with everything that it carries."""
    message = MailMessage(
        "grace@example.com",
        "Hello",
        "<p>Hi</p>",
        SENDER,
        bcc="ada@example.com",
        attachments=[Attachment("a.txt", b"a"), Attachment("b.png", b"b", content_id="b", inline=True)],
        headers={"X-Campaign": "spring"},
        tags=["a"],
        metadata={"b": "c"},
        send_at=mail().date,
    )
    receipt = sender(name).deliver(message)
    (kept,) = box(name).messages
    assert kept is message
    assert (receipt.provider, receipt.outcome) == ("memory", Outcome.ACCEPTED)
    assert receipt.accepted == ("grace@example.com", "ada@example.com")


def test_a_message_has_the_default_sender(name: str) -> None:
    """A message that names no sender is kept with the configured one."""
    sender(name).send(MailMessage("grace@example.com", "Hello", text="Hi"))
    (kept,) = box(name).messages
    assert str(kept.from_) == SENDER


def test_messages_are_kept_in_their_order_until_the_box_is_cleared(name: str) -> None:
    """A box is read as often as one likes; a tuple that was read does not change."""
    with sender(name) as made:
        for subject in "abc":
            made.send(mail(subject))
    before = box(name).messages
    assert [message.subject for message in before] == ["a", "b", "c"]
    assert repr(box(name)) == "<Box with 3 messages>"
    box(name).clear()
    assert box(name).messages == ()
    assert len(before) == 3


def test_boxes_are_apart(name: str) -> None:
    """A sender with one name puts nothing into the box of another."""
    sender(name).send(mail())
    other = box(f"{name} other")
    forget(f"{name} other")
    assert (len(box(name).messages), len(other.messages)) == (1, 0)


def test_a_box_that_is_forgotten_is_empty_when_it_is_asked_for_again(name: str) -> None:
    """A sender finds its box by the name, so its next mail goes into the new one; forgetting twice is no error."""
    made = sender(name)
    made.send(mail("old"))
    old = box(name)
    forget(name)
    forget(name)
    made.send(mail("new"))
    assert [message.subject for message in old.messages] == ["old"]
    assert [message.subject for message in box(name).messages] == ["new"]


def test_the_environment_names_the_box(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """`MEMORY_BOX` is all there is to set; the line in the log has it."""
    caplog.set_level(logging.INFO)
    made = MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "memory", "MEMORY_BOX": name})
    assert made is not None
    made.send(mail())
    assert len(box(name).messages) == 1
    assert f'box="{name}"' in caplog.text


def test_without_a_name_the_box_is_called_default() -> None:
    """A sender with no settings and `box()` with no name mean the same box."""
    forget("default")
    made = MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "memory"})
    assert made is not None
    made.send(mail())
    assert box() is box("default")
    assert len(box().messages) == 1
    forget("default")


def test_there_is_nothing_to_connect_to(name: str) -> None:
    """A sender is configured as it is, and its connection is always good."""
    made = sender(name)
    assert made.is_configured()
    assert made.test_connection()


def test_many_threads_lose_no_message(name: str) -> None:
    """Eight threads that begin together find one box, and all that they send is in it."""
    start = threading.Barrier(8)
    found: list[Box] = []

    def send(number: int) -> None:
        start.wait()
        found.append(box(name))
        with sender(name) as made:
            for count in range(50):
                made.send(mail(f"{number} {count}"))

    threads = [threading.Thread(target=send, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subjects = [message.subject for message in box(name).messages]
    assert sorted(subjects) == sorted(f"{number} {count}" for number in range(8) for count in range(50))
    for number in range(8):
        assert [each for each in subjects if each.startswith(f"{number} ")] == [f"{number} {n}" for n in range(50)]
    assert {id(each) for each in found} == {id(box(name))}
