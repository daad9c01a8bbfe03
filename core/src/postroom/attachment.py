"""Files that travel with a message: their names and types, checked when they are made (RFC 2045, 2183, 2392)."""

import codecs
import re

import attrs

from postroom.errors import MailMessageError
from postroom.file_name import file_name
from postroom.injection import check_text

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  RFC 2045 section 5.1
_CONTENT_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?: *; *{_TOKEN}=(?:{_TOKEN}|"[ !#-\[\]-~]*"))*')
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,256}")
_CHARSET = re.compile(r"; *charset\*?=", re.IGNORECASE)
_BLOCK = 65536  # octets that are decoded at a time, so that a large file is never in memory a second time
_LONGEST_TYPE = 900  # characters; a line holds 998 (RFC 5322 section 2.1.1)


def _content(value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise MailMessageError(f"an attachment's content must be bytes, not {type(value).__name__}")


def _content_type(value: str | None) -> str:
    return value or ""


def _guess_type(filename: str) -> str:
    import mimetypes  # noqa: PLC0415  reads the system's tables; only an attachment without a type needs them

    guess, encoding = mimetypes.guess_type(filename, strict=False)
    return guess if guess and not encoding else "application/octet-stream"


def _is_utf_8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(data), _BLOCK):
            decoder.decode(view[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


@attrs.frozen
class Attachment:
    """A file that travels with a message.

    Raises:
        MailMessageError: A name, type or id is malformed, or the content is not bytes.
    """

    filename: str = attrs.field(converter=file_name)
    """Name without a folder, which is left out: `../a.pdf` and `C:\\a.pdf` are sent as `a.pdf`.

    A name of which nothing is left is refused, and so are names that Windows takes for a device or a stream: `NUL`,
    `a.txt:b`.
    """
    content: bytes = attrs.field(converter=_content, repr=lambda content: f"<{len(content)} bytes>")
    content_type: str = attrs.field(default=None, converter=_content_type)
    """MIME type, with parameters if need be; guessed from the file name when not given."""
    content_id: str | None = None
    """What an HTML body refers to as `cid:…`, without angle brackets."""
    inline: bool = False
    """True for an image that the HTML body shows; such an attachment needs a `content_id`."""

    def __attrs_post_init__(self) -> None:
        if not self.content_type:
            object.__setattr__(self, "content_type", _guess_type(self.filename))
        check_text(self.content_type, f"attachment {self.filename!r}: content_type")
        if not _CONTENT_TYPE.fullmatch(self.content_type) or len(self.content_type) > _LONGEST_TYPE:
            raise MailMessageError(f"attachment {self.filename!r}: {self.content_type[:100]!r} is not a MIME type")
        if self.content_type.lower().startswith("multipart/"):
            raise MailMessageError(f"attachment {self.filename!r}: attach the parts of a multipart one by one")
        if self.content_id is not None:
            check_text(self.content_id, f"attachment {self.filename!r}: content_id")
            if not _CONTENT_ID.fullmatch(self.content_id):
                raise MailMessageError(
                    f"attachment {self.filename!r}: a content_id is 1 to 256 visible ASCII characters, not < and >"
                )
        if self.inline and self.content_id is None:
            raise MailMessageError(f"attachment {self.filename!r}: inline=True needs a content_id")

    @property
    def content_type_with_charset(self) -> str:
        """`content_type`, with `; charset=utf-8` if it is text that names no charset, and that is UTF-8 but not ASCII.

        Without one, text in mail is ASCII (RFC 2046 section 4.1.2), and a mail program shows `GrÃ¼ÃŸe`. For providers
        that write MIME; an API takes `content_type`, and some refuse parameters in it.
        """
        kind = self.content_type
        if not kind.lower().startswith("text/") or self.content.isascii():
            return kind
        return kind if _CHARSET.search(kind) or not _is_utf_8(self.content) else f"{kind}; charset=utf-8"
