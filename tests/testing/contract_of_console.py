"""The contract of `console`. pytest must leave standard output alone: it runs with `-s`, in a process of its own."""

import contextlib
import io
import re
from collections.abc import Iterator, Mapping

from local_services import Local, LocalService, unshown
from postroom_testing.contract import Arrived, File, Place, SenderContract


def from_text(text: str) -> Arrived:
    """Read a message as it is printed."""
    head, _, bodies = text.partition("\n\n--- ")
    parts = dict(part.split(" ---\n", 1) for part in bodies.split("\n\n--- ")) if bodies else {}
    rows = [line.partition(":")[::2] for line in head.splitlines()]

    def row(label: str) -> list[str]:
        return [value.strip() for name, value in rows if name == label]

    files = [
        re.fullmatch(r"(.*) \(([^,]*), (\d+) bytes(?:, inline as cid:(.*))?\)", value, re.DOTALL)
        for value in row("Attachment")
    ]
    return Arrived(
        from_=row("From")[0],
        to=row("To"),
        cc=row("Cc"),
        bcc=row("Bcc"),
        reply_to=row("Reply-To"),
        subject=row("Subject")[0],
        headers={name: value.strip() for name, value in rows},
        html=parts.get("html"),
        text=parts.get("text"),
        files=[File(each[1], None, each[2], each[4], inline=each[4] is not None) for each in files if each],
        **unshown(row),
    )


@contextlib.contextmanager
def console() -> Iterator[Local]:
    """Have a terminal."""
    printed = io.StringIO()
    rule = "-" * 72 + "\n"
    with contextlib.redirect_stdout(printed):
        yield Local("stdout", lambda: [from_text(each) for each in printed.getvalue().split(rule) if each.strip()])


class TestConsole(SenderContract):
    """`console`."""

    provider = "console"
    server = LocalService(console)

    def settings(self, place: Place) -> Mapping[str, object]:
        """Name the stream."""
        return {"stream": place.url}
