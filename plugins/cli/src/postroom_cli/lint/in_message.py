"""What is wrong with a message in an `.eml` file: its lines, its headers, its bodies, and what its provider refuses."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from postroom import Address, Capability, MailMessage, MailMessageError, Provider
from postroom_cli.lint import in_template, rules
from postroom_cli.lint.finding import Finding
from postroom_cli.lint.message import Eml, to_mail_message

_LONGEST_LINE = 998  # octets, RFC 5322 section 2.1.1
_LARGEST = 20 * 1024 * 1024  # octets, the least that a large mailbox provider takes, with files in base64
# RFC 2606 and RFC 6761; and what Dify's example configuration has.
_PLACEHOLDERS = re.compile(r"(?:.*\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost)")
_DIFY = "no-reply@dify.ai"
_DIFY_SOURCE = "https://github.com/langgenius/dify/blob/main/docker/.env.example"
_ONE_CLICK = "list-unsubscribe=one-click"


@attrs.frozen(kw_only=True)
class Surroundings:
    """What is known of the configuration that a message will be sent with."""

    provider: Provider | None = None
    """Who will send it; None leaves the provider's rules out."""
    default_from: Address | None = None
    """The sender of messages that name none."""
    login: Address | None = None
    """The login, when it is an address."""


def check(path: Path, data: bytes, eml: Eml, around: Surroundings) -> Iterator[Finding]:
    """Yield what is wrong with a message.

    Args:
        path: Where it was read from.
        data: The file.
        eml: What `message.read` made of it.
        around: The configuration.
    """
    yield from _octets(path, data)
    if eml.broken:
        yield rules.BROKEN_MIME.at(path, f"the MIME structure is broken: {', '.join(eml.broken)}")
    yield from _headers(path, eml)
    yield from _unsubscribe(path, eml)
    if eml.html is not None:
        if eml.text is None:
            yield rules.NO_TEXT_PART.at(path, "it has HTML and no plain text")
        yield from in_template.elements(path, eml.html)
    everybody: list[Address] = []
    bad = False
    for name in ("From", "To", "Cc", "Bcc", "Reply-To"):
        try:
            everybody += eml.addresses(name.lower())
        except MailMessageError as error:
            bad = True
            yield rules.BAD_ADDRESS.at(path, f"{name}: {error}")
    yield from _addresses(path, everybody)
    yield from _author(path, eml, around)
    if not bad and not eml.broken:  # what follows from these is no finding of its own
        yield from _message(path, eml, around)


def sender(eml: Eml) -> Address | None:
    """Return the sender that the message names, or None if there is none, or none that can be read."""
    try:
        return next(iter(eml.addresses("from")), None)
    except MailMessageError:
        return None


def _octets(path: Path, data: bytes) -> Iterator[Finding]:
    if len(data) > _LARGEST:
        yield rules.LARGE_MESSAGE.at(path, f"the message has {len(data)} octets, and iCloud takes {_LARGEST}")
    # A file that was saved with the line ends of Unix is written with CR LF when it is sent.
    unix = b"\r\n" not in data
    bare = re.compile(rb"\r" if unix else rb"\r(?!\n)|(?<!\r)\n").search(data)
    if bare:
        number = data.count(b"\n", 0, bare.start()) + 1
        name = "CR" if bare[0] == b"\r" else "LF"
        yield rules.BARE_LINE_END.at(path, f"line {number} has a bare {name}")
    lines = data.split(b"\n")
    number, longest = max(enumerate((len(line.rstrip(b"\r")) for line in lines), start=1), key=lambda each: each[1])
    if longest > _LONGEST_LINE:
        yield rules.LONG_LINE.at(path, f"line {number} has {longest} octets, and {_LONGEST_LINE} are permitted")


def _headers(path: Path, eml: Eml) -> Iterator[Finding]:
    for name, check in (
        ("From", rules.NO_FROM),
        ("Date", rules.NO_DATE),
        ("Message-ID", rules.NO_MESSAGE_ID),
    ):
        if not any(eml.values(name.lower())):
            yield check.at(path, f"it has no {name}")


def _unsubscribe(path: Path, eml: Eml) -> Iterator[Finding]:
    """Check the pair of headers that unsubscribe with one click (RFC 8058)."""
    where, post = eml.values("list-unsubscribe"), eml.values("list-unsubscribe-post")
    if where and not post:
        yield rules.UNSUBSCRIBE_WITHOUT_POST.at(path, "it has List-Unsubscribe without List-Unsubscribe-Post")
    if post and not where:
        yield rules.POST_WITHOUT_UNSUBSCRIBE.at(path, "it has List-Unsubscribe-Post without List-Unsubscribe")
    if post and where and not re.search(r"<\s*https://", " ".join(where), re.IGNORECASE):
        yield rules.UNSUBSCRIBE_NO_HTTPS.at(path, "List-Unsubscribe has no https URI to post to")
    if post and [value.replace(" ", "").lower() for value in post] != [_ONE_CLICK]:
        yield rules.UNSUBSCRIBE_POST_VALUE.at(path, f"List-Unsubscribe-Post is {', '.join(post)[:100]!r}")


def _addresses(path: Path, everybody: list[Address]) -> Iterator[Finding]:
    for address in dict.fromkeys(each.spec for each in everybody if not each.local_part.isascii()):
        yield rules.NON_ASCII_LOCAL_PART.at(path, f"{address} can be reached by servers with SMTPUTF8 alone")


def _author(path: Path, eml: Eml, around: Surroundings) -> Iterator[Finding]:
    author = sender(eml)
    if author is None:
        return
    if author.spec == _DIFY:
        yield rules.PLACEHOLDER_SENDER.at(path, f"From is {_DIFY}, an example of Dify's", source=_DIFY_SOURCE)
    elif _PLACEHOLDERS.fullmatch(author.domain):
        yield rules.PLACEHOLDER_SENDER.at(path, f"From is at {author.domain}, which is reserved for examples")
    own = around.login or around.default_from
    if own is not None and own.domain != author.domain:
        whose = "the login" if around.login else "MAIL_DEFAULT_SEND_FROM"
        yield rules.FROM_NOT_LOGIN.at(path, f"From is at {author.domain}, {whose} at {own.domain}")


def _message(path: Path, eml: Eml, around: Surroundings) -> Iterator[Finding]:
    try:
        message = to_mail_message(eml, around.default_from)
    except MailMessageError as error:
        yield rules.NOT_SENDABLE.at(path, str(error))
        return
    except Exception as error:  # noqa: BLE001  an attached message cannot always be written again
        yield rules.BROKEN_MIME.at(path, f"an attachment cannot be read ({type(error).__name__})")
        return
    if around.provider is not None and message.from_ is not None:
        yield from _provider(path, message, around.provider)


def _provider(path: Path, message: MailMessage, provider: Provider) -> Iterator[Finding]:
    """Yield everything that the provider refuses; `Provider.check` stops at the first."""
    for capability in sorted(each.value for each in Capability.needed_by(message) - provider.capabilities):
        yield rules.PROVIDER_CAPABILITY.at(path, f"{provider.name} cannot carry {capability}")
    for limit in provider.limits:
        found = limit.breach(message)
        if found is not None:
            said = f"{provider.name} takes {limit.rule}; this message has {found}"
            yield rules.PROVIDER_LIMIT.at(path, said, source=limit.source)
