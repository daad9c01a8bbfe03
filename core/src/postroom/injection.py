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
# As the decoders on the way have it: to a lenient one, the text ends at the first "?="; to a strict one, it holds no
# "?", so that a word may begin within what the lenient one takes for another.
_ENCODED_WORDS = (
    re.compile(r"=\?([^?]*)\?([bq])\?(.*?)\?=", re.IGNORECASE | re.DOTALL),
    re.compile(r"(?==\?([^?]*)\?([bq])\?([^?]*)\?=)", re.IGNORECASE),
)
# What a charset must read as it stands, so that nothing but the bytes CR and LF is a line end in it. utf-7, utf-16,
# EBCDIC and Python's escapes do not.
_PROBE = bytes(byte for byte in range(0x20, 0x7F) if byte != ord("\\")) + rb"\n\u0041"


def check_text(value: str, where: str, *, tab: bool = False) -> str:
    """Return `value` if it is safe in a header, else raise `MailMessageError` that names `where`.

    Refused are control characters (with `tab`, the tab is allowed), lone surrogates, and encoded words that hold a
    line end or NUL, or whose charset could hide one.
    """
    if not isinstance(value, str):
        raise MailMessageError(f"{where} must be text, not {type(value).__name__}")
    if value.isascii() and value.isprintable() and "=?" not in value:
        return value  # nearly all there is
    if found := (_CONTROL_BUT_TAB if tab else _CONTROL).search(value):
        raise MailMessageError(f"{where} contains a control character ({found[0]!a} at position {found.start()})")
    if "=?" in value and _hides_line_end(value):
        raise MailMessageError(f"{where} contains an encoded line end, or a charset that can hide one (RFC 2047)")
    return check_unicode(value, where)


def check_unicode(value: str, where: str) -> str:
    """Return `value` if it can be encoded as UTF-8, else raise `MailMessageError` that names `where`."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MailMessageError(f"{where} is not valid Unicode: lone surrogate at position {error.start}") from None
    return value


def _hides_line_end(value: str) -> bool:
    # Cut behind the last end mark, so that the search is linear in hostile input.
    value = value[: value.rfind("?=") + 2]
    words = {word for pattern in _ENCODED_WORDS for word in pattern.findall(value)}
    charsets = {charset.partition("*")[0].strip() for charset, _, _ in words}
    return any(_holds_line_end(encoding, text) for _, encoding, text in words) or any(map(_may_hide, charsets))


def _holds_line_end(encoding: str, text: str) -> bool:
    if encoding in "qQ":
        return re.search(r"=0[0ad]", text, re.IGNORECASE) is not None
    # Decoders differ about padding in the middle: an end, a new beginning, or nothing.
    text = re.sub(r"[^A-Za-z0-9+/=]", "", text)
    return any(re.search(rb"[\r\n\x00]", _base64(piece)) for piece in (text.replace("=", ""), *text.split("=")))


def _base64(text: str) -> bytes:
    if len(text) % 4 == 1:  # six bits are no octet
        text = text[:-1]
    return binascii.a2b_base64(text + "=" * (-len(text) % 4))


def _may_hide(charset: str) -> bool:
    try:
        return _PROBE.decode(charset) != _PROBE.decode("ascii")
    except LookupError:  # nobody here knows it; its bytes have been looked at
        return False
    except ValueError:
        return True
