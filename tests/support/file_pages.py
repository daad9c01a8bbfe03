"""What `file` writes, as a test reads it."""

import datetime
import email.policy
from email import message_from_bytes
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from postroom import DeliveringSender, MailMessage, MailSenderFactory

MOMENT = datetime.datetime(2026, 3, 1, 12, 30, 5, tzinfo=datetime.UTC)
PNG = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "base", "img", "br", "link"}


def sender(folder: Path, **config: str) -> DeliveringSender:
    """Return a sender into a folder."""
    return MailSenderFactory.create_sender("file", {"dir": str(folder), "default_from": "ada@example.com", **config})


def mail(**fields: Any) -> MailMessage:
    """Return a message with a fixed id and date, and a body of text unless there is another."""
    given: dict[str, Any] = {"to": "grace@example.com", "subject": "Hello", "id": "one", "date": MOMENT}
    return MailMessage(**(given | ({} if "html" in fields else {"text": "Hi"}) | fields))


def written(folder: Path, message: MailMessage, **config: str) -> Path:
    """Send a message and return the path of its preview."""
    with sender(folder, **config) as made:
        path = made.deliver(message).provider_id
    assert path is not None
    return Path(path)


def eml(preview: Path) -> EmailMessage:
    """Return the mail beside a preview, as the standard library reads it."""
    parsed = message_from_bytes(preview.with_suffix(".eml").read_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


class Page(HTMLParser):
    """A page as a browser takes it apart: its elements, and the text in them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        """The innermost element and its text."""
        self._open = [""]
        self.feed(html)
        self.close()
        assert self._open in ([""], ["", "html", "body"]), (
            "every element is closed, but those that a page may leave open"
        )

    @classmethod
    def of(cls, path: Path) -> "Page":
        """Read a file."""
        return cls(path.read_bytes().decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] and self.texts[-1][0] == self._open[-1]:
            self.texts[-1] = (self._open[-1], self.texts[-1][1] + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        """Return the text of all elements of a kind."""
        return [text for name, text in self.texts if name == tag]

    @property
    def links(self) -> list[str]:
        """Where links lead."""
        return [str(each["href"]) for each in self.all("a")]

    @property
    def fields(self) -> dict[str, str]:
        """The table at its top."""
        return dict(zip(self.text("th"), self.text("td"), strict=True))


def index(folder: Path) -> list[list[str]]:
    """Return the lines of the index from top to bottom: date, from, to, subject, preview and mail."""
    page = Page.of(folder / "index.html")
    spans, subjects = page.text("span"), page.text("a")[::2]
    at = spans.index("Date")  # nearly always the first; a line of another process may come before it
    head, spans = spans[at : at + 4], spans[:at] + spans[at + 4 :]
    assert head == ["Date", "From", "To", "Subject"]
    previews, mails = page.links[::2], page.links[1::2]
    lines = zip(spans[::3], spans[1::3], spans[2::3], subjects, previews, mails, strict=True)
    return [list(line) for line in lines][::-1]  # a browser shows the last one on top


def listed(folder: Path) -> list[str]:
    """Return the previews that the index links, from top to bottom."""
    return [line[4] for line in index(folder)]


def names(folder: Path) -> list[str]:
    """Return every file below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
