"""The page that shows one message."""

import base64
import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from typing import NamedTuple
from urllib.parse import unquote

from postroom import Attachment, MailMessage
from postroom_file.page import FETCHING, SEALED, beginning

_CID = re.compile(r"\bcid:([^\s\"'<>()]+)", re.IGNORECASE)  # RFC 2392
_IMAGE = re.compile(r"image/[a-z0-9.+-]+", re.IGNORECASE)  # a type that is safe inside any quotes
# No scripts and no forms, and links open outside of the frame: where the link of a mail leads is what is tried most.
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
_TAG = re.compile(r"<(a|area|link|iframe|frame)(?=[\s/>])", re.IGNORECASE)
# Of two attributes of one name the first counts. These have no quotes, since what looks like a tag may be in quotes.
_LINK = " target=_blank rel=noopener&#32;noreferrer "
# Browsers connect for these before they ask the policy. A `basefont` is where a `link` may be, and does nothing.
_HARMLESS = {"link": "<basefont", "iframe": "<iframe srcdoc=&#32; ", "frame": "<frame src=about:blank "}
_SHOWN = 200  # characters of a value that the index repeats
_SHOWN_RECIPIENTS = 3


class Summary(NamedTuple):
    """What the index says of a message, as text."""

    subject: str
    sender: str
    recipients: str


def summary(message: MailMessage) -> Summary:
    """Return what the index says of a message, cut short; `from_` is set."""
    assert message.from_ is not None  # noqa: S101  core has filled it in
    shown = ", ".join(message.recipients[:_SHOWN_RECIPIENTS])
    more = len(message.recipients) - _SHOWN_RECIPIENTS
    return Summary(message.subject[:_SHOWN], message.from_.spec, f"{shown} and {more} more" if more > 0 else shown)


def to_html(message: MailMessage, eml: str, saved: Sequence[str], *, remote: bool = False) -> bytes:
    """Return the page.

    Args:
        message: What it shows; `from_` is set.
        eml: Address of the `.eml`, relative to the page.
        saved: Addresses of the attachments in their order, relative to the page.
        remote: Whether it loads what the mail refers to on the network.
    """
    said = summary(message)
    rows = "\n".join(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in _fields(message))
    parts = [f"<h1>{escape(message.subject)}</h1>", f"<table>\n{rows}\n</table>"]
    parts.append(f'<p><a href="{escape(eml)}">Open in a mail program</a> · <a href="index.html">All mails</a></p>')
    if message.attachments:
        pairs = zip(message.attachments, saved, strict=True)
        items = "\n".join(_item(attachment, address) for attachment, address in pairs)
        parts.append(f"<h2>Attachments</h2>\n<ul>\n{items}\n</ul>")
    if message.html is not None:
        frame = escape(_with_links(with_images(message.html, message.attachments), remote))
        parts.append(f'<h2>HTML</h2>\n<iframe title="HTML" sandbox="{_SANDBOX}" srcdoc="{frame}"></iframe>')
        source = escape(message.html)
        parts.append(f"<details><summary>Source of the HTML</summary>\n<pre>\n{source}</pre></details>")
    if message.text is not None:
        parts.append(f"<h2>Text</h2>\n<pre>\n{escape(message.text)}</pre>")
    # The index reads these behind the title, in this order.
    said_by = f'<meta name="from" content="{escape(said.sender)}">'
    said_to = f'<meta name="to" content="{escape(said.recipients)}">'
    top = beginning(said.subject, said_by, said_to, policy=FETCHING if remote else SEALED)
    return (top + "\n".join(parts) + "\n</body>\n</html>\n").encode()


def with_images(html: str, attachments: Sequence[Attachment]) -> str:
    """Return the HTML with its `cid:` images in it, as `data:` URLs; other references stay as they are."""
    images = {each.content_id: each for each in attachments if _IMAGE.fullmatch(each.content_type)}

    def replaced(reference: re.Match[str]) -> str:
        image = images.get(unquote(unescape(reference[1])))
        if image is None:
            return reference[0]
        return f"data:{image.content_type};base64,{base64.b64encode(image.content).decode()}"

    return _CID.sub(replaced, html)


def _with_links(html: str, remote: bool) -> str:
    """Return the HTML with links that open a page of their own, which learns nothing of this one."""

    def marked(tag: re.Match[str]) -> str:
        name = tag[1].lower()
        if name in _HARMLESS:
            return tag[0] if remote else _HARMLESS[name]
        return tag[0] + _LINK

    return _TAG.sub(marked, html)


def _fields(message: MailMessage) -> Iterator[tuple[str, str]]:
    yield "From", str(message.from_)
    for label, mailboxes in (("To", message.to), ("Cc", message.cc), ("Bcc", message.bcc)):
        if mailboxes:
            yield label, ", ".join(map(str, mailboxes))
    if message.reply_to:
        yield "Reply-To", ", ".join(map(str, message.reply_to))
    yield "Date", message.date.isoformat(" ")
    yield "Message-ID", message.message_id
    yield from message.headers.items()
    if message.tags:
        yield "Tags", ", ".join(message.tags)
    for key, value in message.metadata.items():
        yield "Metadata", f"{key}={value}"
    if message.send_at is not None:
        yield "Send at", message.send_at.isoformat(" ")


def _item(attachment: Attachment, address: str) -> str:
    said = f"{attachment.content_type}, {len(attachment.content)} bytes"
    if attachment.inline:
        said += f", inline as cid:{attachment.content_id}"
    name = escape(attachment.filename)
    return f'<li><a href="{escape(address)}" download="{name}">{name}</a> ({escape(said)})</li>'
