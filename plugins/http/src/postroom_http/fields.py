"""Parts of a payload that every API needs: recipients each once, headers in ASCII, files in base64; and the sender."""

import base64
from collections.abc import Iterator, Mapping
from email.charset import Charset

import attrs

from postroom import Address, Attachment, MailMessage, MailMessageError, SenderSettings

_WORD = 45  # octets; they never make more than the 75 characters of an encoded word (RFC 2047 section 2)


@attrs.frozen
class Recipients:
    """Everybody who gets the message, each once: an address in to is not repeated in cc, nor one of those in bcc."""

    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]


def recipients(message: MailMessage, *, fold_case: bool = False) -> Recipients:
    """Return the recipients, each once. A service counts, refuses or serves twice an address that is there twice.

    Args:
        message: The message.
        fold_case: Take `Ada@example.com` and `ada@example.com` for one, as nearly every mailbox does.
    """
    seen: set[str] = set()

    def new(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        kept: list[Address] = []
        for address in addresses:
            spec = address.spec.lower() if fold_case else address.spec
            if spec not in seen:
                seen.add(spec)
                kept.append(address)
        return tuple(kept)

    return Recipients(new(message.to), new(message.cc), new(message.bcc))


def default_sender(settings: SenderSettings) -> Address | None:
    """Return the sender that is configured, or None. Core has warned of one that is no address."""
    try:
        return Address.parse(settings.default_from) if settings.default_from else None
    except MailMessageError:
        return None


def headers(message: MailMessage) -> Mapping[str, str]:
    """Return the further headers, with values that are not ASCII as encoded words (RFC 2047)."""
    return {name: value if value.isascii() else encoded_words(value) for name, value in message.headers.items()}


def encoded_words(text: str) -> str:
    """Return `text` as encoded words on one line (RFC 2047)."""
    # Charset and not Header, which loses U+2028 and whatever else `splitlines` takes for a line end.
    utf_8 = Charset("utf-8")
    return " ".join(utf_8.header_encode(chunk) for chunk in _chunks(text))


def content(attachment: Attachment) -> str:
    """Return a file's content in base64."""
    return base64.b64encode(attachment.content).decode()


def encoded_size(message: MailMessage) -> int:
    """Return how many octets the files take in base64."""
    return sum(4 * -(-len(each.content) // 3) for each in message.attachments)


def non_ascii_address(message: MailMessage) -> str | None:
    """Return the first address that is not ASCII, or None. Domains always are: they are kept as A-labels."""
    senders = [message.from_] if message.from_ is not None else []
    everybody = [*senders, *message.to, *message.cc, *message.bcc, *message.reply_to]
    return next((address.spec for address in everybody if not address.spec.isascii()), None)


def _chunks(text: str) -> Iterator[str]:
    """Cut `text` into what fits into an encoded word, never inside a character."""
    start = used = 0
    for position, char in enumerate(text):
        octets = len(char.encode())
        if used + octets > _WORD:
            yield text[start:position]
            start, used = position, 0
        used += octets
    yield text[start:]
