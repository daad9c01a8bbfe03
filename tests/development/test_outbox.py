"""`mail_outbox`: a test sees what was sent during it, and nothing else."""

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from postroom import MailMessage, MailMessageError, MailSenderFactory
from postroom_memory import Box
from postroom_testing.outbox import Outbox

ROOT = Path(__file__).parents[2]


def send(subject: str = "Your code", **fields: Any) -> MailMessage:
    """Send by what the environment says, as an application does, and return the message."""
    given: dict[str, Any] = {"to": "grace@example.com", "html": "<p>1234</p>", "text": "1234", **fields}
    sender = MailSenderFactory.create_from_dify_config(None)
    assert sender is not None
    with sender:
        message = MailMessage(subject=subject, **given)
        sender.send(message)
        return message


@pytest.fixture
def outbox(mail_outbox: Outbox) -> Outbox:
    """Return the outbox of a test."""
    return mail_outbox


def test_an_outbox_has_what_was_sent_in_its_order(outbox: Outbox) -> None:
    """It has a length, can be gone through, and can be emptied."""
    assert len(outbox) == 0
    send("One")
    send("Two")
    assert len(outbox) == 2
    assert [message.subject for message in outbox] == ["One", "Two"]
    assert outbox.messages == tuple(outbox)
    outbox.clear()
    assert len(outbox) == 0


@pytest.mark.parametrize("to", ["grace@example.com", "cc@example.com", "bcc@EXAMPLE.com", "Grace <grace@example.com>"])
def test_a_message_is_found_by_any_recipient(outbox: Outbox, to: str) -> None:
    """`to` is one of all who got it, whatever the display name or the case of the domain."""
    sent = send(to="Grace Hopper <grace@example.com>", cc="cc@example.com", bcc="bcc@example.com")
    assert outbox.assert_sent(to=to).id == sent.id


def test_a_message_is_found_by_what_it_says(outbox: Outbox) -> None:
    """Text must be contained, a regular expression must be found, and all that is asked must be true of one message."""
    first = send("Your code", html="<p>It is 1234</p>", text="It is 1234")
    second = send("Your report", to="ada@example.com", html="<p>Attached</p>", text=None)
    third = send("Your bill", html=None, text="10 EUR")
    assert outbox.assert_sent(subject="code").id == first.id
    assert outbox.assert_sent(subject=re.compile(r"^Your r")).id == second.id
    assert outbox.assert_sent(text="1234").id == first.id
    assert outbox.assert_sent(text=re.compile(r"\bEUR$")).id == third.id
    assert outbox.assert_sent(html=re.compile(r"\d{4}")).id == first.id
    assert outbox.assert_sent(html="Attached").id == second.id
    assert outbox.assert_sent(to="grace@example.com", subject="Your", text="is", html="<p>").id == first.id


def test_as_many_as_match_are_returned_with_a_count(outbox: Outbox) -> None:
    """With `count`, so many must match, and all of them are returned; none is a number, too."""
    for number in range(3):
        send(f"Code {number}")
    send("Report")
    assert [message.subject for message in outbox.assert_sent(subject="Code", count=3)] == [
        "Code 0",
        "Code 1",
        "Code 2",
    ]
    assert [message.subject for message in outbox.assert_sent(subject="Report", count=1)] == ["Report"]
    assert len(outbox.assert_sent(count=4)) == 4
    assert outbox.assert_sent(subject="Bill", count=0) == ()


def test_a_message_that_is_missing_is_said_with_all_that_was_sent(outbox: Outbox) -> None:
    """The error names what was asked, and recipients and subjects of what was sent, and no body."""
    send("Your code", to="grace@example.com, ada@example.com")
    send("Your bill", to="eve@example.com")
    with pytest.raises(AssertionError) as caught:
        outbox.assert_sent(to="bob@example.com", subject=re.compile("code"))
    assert str(caught.value) == (
        "0 messages match to='bob@example.com', subject=re.compile('code'), not 1. Sent was:\n"
        "  'Your code' to grace@example.com, ada@example.com\n"
        "  'Your bill' to eve@example.com"
    )


def test_more_messages_than_asked_for_are_an_error(outbox: Outbox) -> None:
    """Without a count exactly one must match, with one exactly so many."""
    send("One")
    send("Two")
    with pytest.raises(AssertionError, match=r"^2 messages match anything, not 1"):
        outbox.assert_sent()
    with pytest.raises(AssertionError, match=r"^1 messages match subject='One', not 0"):
        outbox.assert_sent(subject="One", count=0)


def test_nothing_is_found_where_nothing_was_sent(outbox: Outbox) -> None:
    """The error says so; `assert_none` is content."""
    outbox.assert_none()
    with pytest.raises(AssertionError, match=r"^0 messages match anything, not 1\. Nothing was sent$"):
        outbox.assert_sent()


def test_something_is_found_where_nothing_was_expected(outbox: Outbox) -> None:
    """`assert_none` lists what was sent."""
    send("Your code")
    with pytest.raises(AssertionError, match=r"^1 messages were sent, not 0\. Sent was:\n  'Your code' to grace@"):
        outbox.assert_none()


def test_what_is_no_address_is_no_recipient(outbox: Outbox) -> None:
    """A misspelt address in a test is said, instead of never being found."""
    with pytest.raises(MailMessageError, match="no @"):
        outbox.assert_sent(to="grace")


def test_an_outbox_is_made_of_any_box() -> None:
    """A test that names its boxes itself looks at them by an outbox as well."""
    kept = Box()
    kept.add(MailMessage("grace@example.com", "Hello", text="Hi"))
    Outbox(kept).assert_sent(to="grace@example.com", text="Hi")


def test_mail_of_other_threads_is_there(outbox: Outbox) -> None:
    """A thread that the test starts sends into the same box."""
    threads = [threading.Thread(target=send, args=[f"From {number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {message.subject for message in outbox} == {f"From {number}" for number in range(4)}


@pytest.fixture
def own_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a default sender before the outbox is made."""
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "Ada <ada@example.com>")


def test_a_default_sender_is_there(outbox: Outbox) -> None:
    """A message that names no sender can be sent without anything being set."""
    send()
    assert str(outbox.assert_sent().from_) == "no-reply@example.com"


def test_a_default_sender_that_is_set_already_stays(own_sender: None, outbox: Outbox) -> None:
    """The fixture sets one only where there is none."""
    send()
    assert str(outbox.assert_sent().from_) == "Ada <ada@example.com>"


TESTS = """
import pytest
from postroom import MailMessage, MailSenderFactory

@pytest.mark.parametrize("number", range(12))
def test_alone(number, mail_outbox):
    mail_outbox.assert_none()
    sender = MailSenderFactory.create_from_dify_config(None)
    sender.send(MailMessage("grace@example.com", f"Mail {number}", text="-"))
    assert mail_outbox.assert_sent().subject == f"Mail {number}"
"""


LEAVING = """
import os
from postroom import MailMessage
from postroom_memory import box

names = []

def test_first(mail_outbox):
    names.append(os.environ["MEMORY_BOX"])
    box(names[0]).add(MailMessage("grace@example.com", "Hello", text="-"))
    mail_outbox.assert_sent(subject="Hello")

def test_second():
    assert names
    assert box(names[0]).messages == ()
    assert "MAIL_TYPE" not in os.environ
    assert "MEMORY_BOX" not in os.environ
"""


def run_tests(folder: Path, text: str, *options: str) -> str:
    """Run tests in a process of their own, as a project does that uses the fixture, and return what pytest says."""
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "postroom_testing.outbox", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def test_each_test_has_an_outbox_of_its_own_in_several_processes(tmp_path: Path) -> None:
    """Under pytest-xdist as well, a test sees no mail of another."""
    assert "12 passed" in run_tests(tmp_path, TESTS, "-n", "2")


def test_nothing_is_left_of_an_outbox(tmp_path: Path) -> None:
    """When a test is over, its box is forgotten, and the environment is as before."""
    assert "2 passed" in run_tests(tmp_path, LEAVING)


def test_the_failure_of_a_test_shows_the_line_of_the_test(tmp_path: Path) -> None:
    """The report has where the test asked and what was sent, and no code of ours."""
    failing = "def test_it(mail_outbox):\n    mail_outbox.assert_sent(subject='Code')\n"
    said = run_tests(tmp_path, failing)
    assert "    mail_outbox.assert_sent(subject='Code')" in said
    assert "AssertionError: 0 messages match subject='Code', not 1. Nothing was sent" in said
    assert "__tracebackhide__" not in said


def test_the_example_in_the_docs_passes(tmp_path: Path) -> None:
    """The test that the page on development shows runs as it stands there."""
    page = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```\{\.py \.test\}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert " passed" in run_tests(tmp_path, example)
