"""The transport of `console`."""

import sys
import threading
from typing import TextIO

from postroom import MailMessage, MailSendError, Receipt
from postroom_console.rendering import to_text
from postroom_console.settings import ConsoleSettings


class ConsoleSender:
    """A `Transport` that prints."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._name = settings.stream
        self._lock = threading.Lock()

    def deliver(self, message: MailMessage) -> Receipt:
        """Print one message, in one write, and one after the other.

        Raises:
            MailSendError: The stream is closed, or nobody reads it any more.
        """
        stream = self._stream("print")
        # What the terminal's encoding lacks is written out: a mail is no reason for the application to fail.
        # Celery replaces the streams of a worker by objects that have no encoding.
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = to_text(message).encode(encoding, "backslashreplace").decode(encoding)
        try:
            with self._lock:  # a stream of text mixes what several threads write
                stream.write(text)
                stream.flush()
        except (OSError, ValueError) as error:
            reason = f"the message cannot be printed to {self._name}: {type(error).__name__}"
            raise MailSendError(reason, remedy=self._remedy, stage="print") from error
        return Receipt(message.message_id, "console", accepted=message.recipients)

    def is_configured(self) -> bool:
        """Return True: the settings have a default."""
        return True

    def check_connection(self) -> None:
        """Look whether there is something to print to.

        Raises:
            MailSendError: The process has no such stream, or has closed it.
        """
        self._stream("check")

    def close(self) -> None:
        """Do nothing: the stream belongs to the process."""

    def _stream(self, stage: str) -> TextIO:
        # Looked up each time: whoever replaces the stream, as pytest and many loggers do, gets the mails as well.
        stream: TextIO | None = getattr(sys, self._name)
        if stream is None or stream.closed:
            reason = f"this process has no open {self._name}"
            raise MailSendError(reason, remedy=self._remedy, stage=stage)
        return stream

    @property
    def _remedy(self) -> str:
        other = "stderr" if self._name == "stdout" else "stdout"
        return f"Set CONSOLE_STREAM={other}, or MAIL_TYPE=file"
