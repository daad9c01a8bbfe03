"""A connection that breaks where a message has left together with a part of the next one."""

from collections.abc import Iterator

import pytest

from postroom import MailSendError, Outcome
from postroom_smtp.sender import SmtpSender
from postroom_smtp.settings import SmtpSettings
from postroom_testing.smtp import Action, Reset, SmtpServer
from smtp_checks import message


@pytest.fixture
def pipelining() -> Iterator[SmtpServer]:
    """A server with PIPELINING that takes the second message and resets, with a small buffer for what follows it."""
    script: dict[str, Action | list[Action]] = {".": [b"250 taken\r\n", Reset()]}
    with SmtpServer(script, extensions=["PIPELINING"], receive_buffer=4096) as server:
        yield server


def test_a_message_that_left_with_a_part_of_the_next_envelope_is_not_offered_again(pipelining: SmtpServer) -> None:
    """The envelope behind the final dot may fail to leave; the message before the dot may have been taken."""
    domain = ".".join(["x" * 60] * 3)
    crowd = [f"{number:06}@{domain}.example" for number in range(30_000)]  # 6 MB, more than the buffers of a socket
    made = SmtpSender(SmtpSettings(server=pipelining.host, port=pipelining.port), "smtp")
    messages = [message(subject="one"), message(subject="two"), message(subject="three", to=crowd)]
    results = [*made.deliver_many(messages)]
    made.close()
    bodies = [body for body in pipelining.wait().bodies if b"Subject: two" in body]
    assert len(bodies) == 1
    assert isinstance(results[1], MailSendError)
    assert results[1].outcome is Outcome.UNKNOWN
