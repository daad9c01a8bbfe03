"""The transport of `file`."""

import errno
from pathlib import Path

from postroom import MailMessage, MailSendError, Receipt
from postroom_file import index, names
from postroom_file.eml import to_eml
from postroom_file.preview import summary, to_html
from postroom_file.settings import FileSettings
from postroom_file.writing import UnsafeError, make_folder, prepare, write

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FileSender:
    """A `Transport` into a folder. Threads and processes may share the folder."""

    def __init__(self, settings: FileSettings) -> None:
        self._folder = settings.folder
        self._remote = settings.remote

    def deliver(self, message: MailMessage) -> Receipt:
        """Write one message; the receipt's `provider_id` is the path of its preview.

        Raises:
            MailSendError: The folder cannot be written, or is full. The same message may be sent again: it has the
                same files.
        """
        try:
            preview = self._write(message)
        except OSError as error:
            raise self._failed(error, "write") from error
        return Receipt(message.message_id, "file", str(preview), message.recipients)

    def is_configured(self) -> bool:
        """Return True: settings without a folder have been refused already."""
        return True

    def check_connection(self) -> None:
        """Make the folder, write a file into it, and remove the file.

        Raises:
            MailSendError: It cannot be done.
        """
        try:
            prepare(self._folder)
            probe = self._folder / ".check"
            write(probe, b"mail is written here\n")
            probe.unlink(missing_ok=True)  # another process may check as well
        except OSError as error:
            raise self._failed(error, "check") from error

    def close(self) -> None:
        """Do nothing: every file is closed when it is written."""

    def _write(self, message: MailMessage) -> Path:
        stem = names.stem(message)
        prepare(self._folder)  # each time, since people who tidy up remove the folder as a whole
        saved = [
            f"{stem}.files/{names.attached(number, attachment.filename)}"
            for number, attachment in enumerate(message.attachments, start=1)
        ]
        if saved:
            make_folder(self._folder / f"{stem}.files")
        for attachment, address in zip(message.attachments, saved, strict=True):
            write(self._folder / address, attachment.content)
        write(self._folder / f"{stem}.eml", to_eml(message))
        index.begin(self._folder)
        preview = self._folder / f"{stem}.html"
        known = preview.exists()
        try:
            write(preview, to_html(message, f"{stem}.eml", saved, remote=self._remote))
            if not known:
                index.enter(self._folder, stem, summary(message))
        except BaseException:
            if not known:
                preview.unlink(missing_ok=True)  # or a second attempt would take it for one that is listed
            raise
        return preview

    def _failed(self, error: OSError, stage: str) -> MailSendError:
        reason = f"cannot write into {str(self._folder)!r}: {error.strerror or type(error).__name__}"
        if error.errno in _FULL:
            remedy = "Make room there, or set MAIL_FILE_DIR to a folder that has room"
            return MailSendError(reason, remedy=remedy, stage=stage, transient=True)
        if isinstance(error, UnsafeError):
            remedy = "Remove it, or set MAIL_FILE_DIR to a folder that belongs to this user"
            return MailSendError(reason, remedy=remedy, stage=stage)
        return MailSendError(reason, remedy="Set MAIL_FILE_DIR to a folder that this process may write", stage=stage)
