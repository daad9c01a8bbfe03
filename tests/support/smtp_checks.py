"""What the SMTP tests share: a message, a sender, and the check that every error must pass."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom import Attachment, DeliveringSender, MailError, MailMessage, MailSenderFactory, MailSendError, Outcome
from postroom_smtp.failures import Stage

USER = "grace@example.com"
PASSWORD = "correct horse battery staple"
TESTS = str(Path(__file__).parents[1])
QUICK = 0.8  # seconds, for a server that will not answer


def message(**more: Any) -> MailMessage:
    """Return a small message with `more` on top."""
    return MailMessage(
        **{"to": "ada@example.com", "subject": "Hello", "text": "Hello, Ada.", "from_": "grace@example.com", **more}
    )


def large_message() -> MailMessage:
    """Return a message that no socket buffer holds, so that writing it blocks if nobody reads."""
    file = Attachment("film.bin", bytes(8_000_000), "application/octet-stream")
    return message(attachments=[file])


def sender(settings: dict[str, object]) -> DeliveringSender:
    """Return a sender through the public API."""
    return MailSenderFactory.create_sender("smtp", settings)


def error_of(
    settings: dict[str, object], mail: MailMessage | None = None, *, hidden: tuple[str, ...] = (PASSWORD,)
) -> Any:
    """Deliver, which must fail, and return the error after the checks that every error must pass."""
    with sender(settings) as made, pytest.raises(MailError) as caught:
        made.deliver(mail or message())
    assert_sound(caught.value, *hidden)
    return caught.value


def assert_sound(error: MailError, *hidden: str) -> None:
    """Assert what holds for every error: one printable line, it pickles, no secret, no contradiction."""
    text = str(error)
    assert text
    assert text.isprintable(), f"not one printable line: {text!r}"
    assert len(text) < 1500
    dumped = pickle.dumps(error)
    copy = pickle.loads(dumped)
    assert type(copy) is type(error)
    assert str(copy) == text
    assert vars(copy) == vars(error)
    for shown in (*_chain(error), repr(vars(error)), dumped.decode("utf-8", "replace")):
        for secret in hidden:
            assert secret not in shown
    if isinstance(error, MailSendError):
        assert "bug of the provider" not in text, f"a foreign exception: {error.__cause__!r}"
        assert error.provider == "smtp-basic"
        assert error.stage in set(Stage)
        assert (error.outcome is Outcome.UNKNOWN) <= (error.stage == "final" and not error.transient)
        assert (error.outcome is Outcome.UNKNOWN) == ("look for <" in text)


def _chain(error: BaseException | None) -> Iterator[str]:
    """Yield what is shown of an exception and of those behind it, the local variables of every frame included."""
    while error is not None:
        yield str(error)
        yield repr(error)
        trace = error.__traceback__
        while trace is not None:
            frame, trace = trace.tb_frame, trace.tb_next
            if not frame.f_code.co_filename.startswith(TESTS):  # a test has its own password at hand
                yield from map(repr, frame.f_locals.values())
        error = error.__cause__ or error.__context__
