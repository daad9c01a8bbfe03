"""The providers for development keep the contract, as far as nobody can refuse what they do."""

import contextlib
import html
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from local_services import Local, LocalService, unshown
from postroom import MailMessage
from postroom_memory import box, forget
from postroom_testing.contract import Arrived, File, Place, SenderContract
from postroom_testing.contract.arrived import from_mime


def from_message(message: MailMessage) -> Arrived:
    """Read a message as it is."""
    files = [
        File(each.filename, each.content, each.content_type, each.content_id, each.inline)
        for each in message.attachments
    ]
    return Arrived(
        from_=str(message.from_),
        **{name: [str(each) for each in getattr(message, name)] for name in ("to", "cc", "bcc", "reply_to")},
        **{
            name: getattr(message, name)
            for name in ("subject", "html", "text", "headers", "tags", "metadata", "send_at")
        },
        files=files,
    )


@contextlib.contextmanager
def memory() -> Iterator[Local]:
    """Have a box."""
    name = uuid.uuid4().hex
    yield Local(name, lambda: [from_message(each) for each in box(name).messages])
    forget(name)


class TestMemory(SenderContract):
    """`memory`."""

    provider = "memory"
    server = LocalService(memory)

    def settings(self, place: Place) -> Mapping[str, object]:
        """Name the box."""
        return {"box": place.url}


def from_files(eml: Path) -> Arrived:
    """Read the two files of a message."""
    page = eml.with_suffix(".html").read_text("utf-8")

    def row(label: str) -> list[str]:
        return [html.unescape(value) for value in re.findall(f"<tr><th>{label}</th><td>(.*?)</td></tr>", page)]

    return attrs.evolve(from_mime(eml.read_bytes(), ()), bcc=row("Bcc"), **unshown(row))


@contextlib.contextmanager
def folder() -> Iterator[Local]:
    """Have a folder."""
    with tempfile.TemporaryDirectory() as path:
        yield Local(path, lambda: [from_files(each) for each in Path(path).glob("*.eml")])


class TestFile(SenderContract):
    """`file`."""

    provider = "file"
    server = LocalService(folder)

    def settings(self, place: Place) -> Mapping[str, object]:
        """Name the folder."""
        return {"dir": place.url}


def test_the_console_keeps_the_contract() -> None:
    """So does `console`, where pytest leaves its stream alone."""
    contract = Path(__file__).with_name("contract_of_console.py")
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", str(contract)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert re.search(r"^\d\d+ passed, \d\d skipped in", done.stdout.splitlines()[-1]), done.stdout
