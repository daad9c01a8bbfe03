"""Further headers of a message: names and values that may be sent, for every provider alike (RFC 5322 section 2.2)."""

import re
from collections.abc import Mapping

from postroom.errors import MailMessageError
from postroom.injection import check_text

_FIELD_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 section 2.2
_LONGEST_WORD = 900  # octets without a space in a header value; a line holds 998 (RFC 5322 section 2.1.1)
# Headers that the message's own fields write, or that only a mail server may write.
_RESERVED = {
    "bcc": "bcc",
    "cc": "cc",
    "date": "date",
    "from": "from_",
    "message-id": "id",
    "reply-to": "reply_to",
    "subject": "subject",
    "to": "to",
    **dict.fromkeys(("dkim-signature", "mime-version", "received", "return-path"), None),
}
_STRUCTURED = ("sender", "resent-", "list-", "references", "in-reply-to")


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what no header may be.

    Raises:
        MailMessageError: A name or value is malformed, or another field of the message writes this header.
    """
    seen: set[str] = set()
    for name, value in headers.items():
        check_text(name, "a header name")
        if not _FIELD_NAME.fullmatch(name) or len(name) > 76:
            raise MailMessageError(f"headers: {name[:76]!a} is not a header name")
        lower = name.lower()
        if lower.startswith("content-") or lower in _RESERVED:
            field = _RESERVED.get(lower)
            advice = f"use the field {field}" if field else "it is written for you"
            raise MailMessageError(f"headers: {name} cannot be set here, {advice}")
        if lower in seen:
            raise MailMessageError(f"headers: {name} is there twice")
        seen.add(lower)
        check_text(value, f"header {name}", tab=True)
        if any(len(word) > _LONGEST_WORD for word in re.findall(r"\s*\S*", value)):
            raise MailMessageError(f"header {name} has more than {_LONGEST_WORD} characters without a word break")
        if not value.isascii() and lower.startswith(_STRUCTURED):
            # Encoded as free text, it would hide the addresses or ids that it holds.
            raise MailMessageError(f"header {name} has a structure, so its value must be in ASCII")
