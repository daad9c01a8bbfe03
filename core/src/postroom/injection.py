"""What may never stand in a header, an address or a file name: the one place that refuses header injection.

A line end in a header value starts a new header (RFC 5322 section 2.2). The same line end inside an RFC 2047 encoded
word is as dangerous, since some program on the way decodes it. Both are refused for every provider alike, because a
provider that sends JSON never passes through a mail library that would refuse them.
"""

import binascii
import re

from postroom.errors import MailMessageError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_TAB = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
# As lenient as the most lenient decoder: the text ends at the first "?=".
_ENCODED_WORD = re.compile(r"=\?([^?]*)\?([bq])\?(.*?)\?=", re.IGNORECASE | re.DOTALL)


def check_text(value: str, where: str, *, tab: bool = False) -> str:
    """Return `value` if it is safe in a header, else raise `MailMessageError` that names `where`.

    Refused are control characters (with `tab`, the tab is allowed), lone surrogates, and encoded words that hold a
    line end or NUL.
    """
    if not isinstance(value, str):
        raise MailMessageError(f"{where} must be text, not {type(value).__name__}")
    if found := (_CONTROL_BUT_TAB if tab else _CONTROL).search(value):
        raise MailMessageError(f"{where} contains a control character ({found[0]!a} at position {found.start()})")
    if "=?" in value and _hides_line_end(value):
        raise MailMessageError(f"{where} contains an encoded line end (RFC 2047)")
    return check_unicode(value, where)


def check_unicode(value: str, where: str) -> str:
    """Return `value` if it can be encoded as UTF-8, else raise `MailMessageError` that names `where`."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MailMessageError(f"{where} is not valid Unicode: lone surrogate at position {error.start}") from None
    return value


def _hides_line_end(value: str) -> bool:
    # Cut behind the last end mark, so that the search below is linear in hostile input.
    for charset, encoding, text in _ENCODED_WORD.findall(value[: value.rfind("?=") + 2]):
        raw = _decode(encoding, text)
        if re.search(rb"[\r\n\x00]", raw):
            return True
        try:  # utf-7 and its like hide a line end once more
            decoded = raw.decode(charset.partition("*")[0])
        except (LookupError, ValueError):
            continue
        if re.search(r"[\r\n\x00]", decoded):
            return True
    return False


def _decode(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    for padding in (b"", b"=", b"==", b"A=="):
        try:
            return binascii.a2b_base64(data + padding)
        except binascii.Error:
            continue
    return b""
