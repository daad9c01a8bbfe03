"""The name that an attached file goes out with.

Some mail programs save a file under the name that a message gives it. A name that leads to another folder, or that
Windows takes for a device or for a stream of another file, must not arrive (RFC 2183 section 2.3). Names on Windows:
https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
"""

import re

from postroom.errors import MailMessageError
from postroom.injection import check_text

_SEPARATOR = re.compile(r"[/\\]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\..*)?", re.IGNORECASE
)


def file_name(value: str) -> str:
    r"""Return the last part of `value`, without the folder or drive that it may begin with.

    `a/b.txt`, `..\b.txt`, `C:\a\b.txt` and `C:b.txt` become `b.txt`. Blanks around the name and dots at its end are
    left out, as Windows does it. Any other colon becomes an underscore: it begins a stream of another file there.

    Raises:
        MailMessageError: Nothing is left, as of `..` or `a/`. Or what is left is a device of Windows, such as `CON` or
            `nul.txt`. Or a character cannot stand in a header.
    """
    check_text(value, "an attachment's file name")
    if not value.strip():
        raise MailMessageError("an attachment needs a file name")
    name = _DRIVE.sub("", _SEPARATOR.split(value)[-1].lstrip(" ")).lstrip(" ").rstrip(" .").replace(":", "_")
    where = f"an attachment's file name, {value[:100]!r}"
    if not name.strip():
        raise MailMessageError(f"{where}, names a folder: nothing is left of it to send")
    if _DEVICE.fullmatch(name):
        raise MailMessageError(f"{where}, is a device of Windows, which cannot save it: use another name")
    return name
