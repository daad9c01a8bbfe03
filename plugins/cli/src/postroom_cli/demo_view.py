"""How the demo looks: settings and receipt side by side, and below them what arrived."""

import email
import email.policy
from collections.abc import Mapping
from email.message import MIMEPart
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from postroom import Receipt
from postroom_cli.demo_server import Arrived
from postroom_cli.output import one_line

_WIDEST = 100  # columns; a longer line does not read better
_TWO_COLUMNS = 92  # from here on, boxes stand side by side
_CODE = """\
sender = MailSenderFactory \\
    .create_from_dify_config(None)
receipt = sender.deliver(message)"""


def show(
    console: Console, *, address: str, environ: Mapping[str, str], receipt: Receipt, arrived: Arrived, kept: Path
) -> None:
    """Print it.

    Args:
        console: Where to.
        address: The server's host and port.
        environ: What configured the sender; a variable with PASSWORD in its name is masked.
        receipt: What the sender said.
        arrived: What the server got.
        kept: Where the mail is.
    """
    parsed = email.message_from_bytes(arrived.content, policy=email.policy.default)
    width = min(_WIDEST, console.width)
    said = Group(Syntax(_CODE, "python", theme="ansi_dark", background_color="default"), "", _receipt(receipt))
    told = f"  a mail through a real mail server on {address} that demands TLS and a login"
    console.print(Text.assemble(("postroom demo", "bold"), told), "", sep="\n", width=width)
    _print_pair(console, width, _box("environment variables", _settings(environ)), _box("code and receipt", said), 46)
    _print_pair(console, width, _box("what arrived", _arrived(parsed, arrived)), _box("its parts", _parts(parsed)), 46)
    kept_as = Text.assemble("The mail is in ", (str(kept), "bold"), ": open it with a mail program.")
    console.print(kept_as, soft_wrap=True)  # a path that is broken in two cannot be copied


def _box(title: str, content: RenderableType) -> Panel:
    return Panel(
        content, title=Text(title, "bold default"), title_align="left", border_style="bright_black", padding=(0, 1)
    )


def _print_pair(console: Console, width: int, left: Panel, right: Panel, left_width: int) -> None:
    if width < _TWO_COLUMNS:
        console.print(left, right, sep="\n", width=width)
        return
    sides = [(left, left_width), (right, width - left_width)]
    heights = [len(console.render_lines(side, console.options.update(width=columns))) for side, columns in sides]
    row = Table.grid()
    for side, columns in sides:
        row.add_column(width=columns, overflow="fold")
        side.height = max(heights)
    row.add_row(left, right)
    console.print(row)


def _settings(environ: Mapping[str, str]) -> Text:
    lines = [
        Text.assemble((name, "cyan"), ("=", "bright_black"), "***" if "PASSWORD" in name else value)
        for name, value in environ.items()
    ]
    return Text("\n").join(lines)


def _receipt(receipt: Receipt) -> Table:
    rows = _rows()
    for position, address in enumerate(receipt.accepted):
        rows.add_row("" if position else "accepted", Text(address, "green"))
    rows.add_row("provider", receipt.provider)
    rows.add_row("its reply", one_line(receipt.provider_id))
    return rows


def _arrived(parsed: MIMEPart, arrived: Arrived) -> Table:
    rows = _rows()
    for name in ("From", "To", "Cc", "Subject"):
        rows.add_row(name, one_line(parsed[name]))
    rows.add_row("TLS", arrived.tls)
    rows.add_row("login", arrived.login)
    rows.add_row("envelope", "\n→ ".join([arrived.sender, *arrived.recipients]))
    return rows


def _rows() -> Table:
    rows = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    rows.add_column(style="cyan")
    rows.add_column(overflow="fold")
    return rows


def _parts(part: MIMEPart, tree: Tree | None = None) -> Tree:
    label = _label(part)
    branch = Tree(label, guide_style="bright_black") if tree is None else tree.add(label)
    if part.is_multipart():
        for child in part.iter_parts():
            _parts(child, branch)
    return branch


def _label(part: MIMEPart) -> Text:
    if part.is_multipart():
        return Text(part.get_content_type(), "bold")
    return Text.assemble(
        (part.get_content_type(), "bold"),
        (f" {part.get_filename()}" if part.get_filename() else "", "green"),
        (f"  {_size(part)}, {part['Content-Transfer-Encoding']}", "bright_black"),
    )


def _size(part: MIMEPart) -> str:
    octets = len(part.get_payload(decode=True))
    return f"{octets} B" if octets < 1000 else f"{octets / 1000:.1f} kB"
