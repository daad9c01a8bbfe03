"""Makes the pictures of the docs from a real run: `uv run python docs/make_pictures.py`.

Ports, dates and seconds differ each time. An SVG refers to no outside host, so whoever looks at a page tells nobody.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from postroom_cli.demo import run
from postroom_cli.demo_server import DemoServer
from postroom_cli.main import main

IMAGES = Path(__file__).parent / "images"
FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
THEME = TerminalTheme(
    background=(27, 31, 40),
    foreground=(220, 225, 233),
    normal=[
        (27, 31, 40),
        (240, 113, 120),
        (152, 209, 127),
        (240, 198, 116),
        (122, 170, 247),
        (199, 146, 234),
        (118, 205, 214),
        (200, 206, 216),
    ],
    bright=[
        (138, 148, 166),
        (240, 113, 120),
        (152, 209, 127),
        (240, 198, 116),
        (122, 170, 247),
        (199, 146, 234),
        (118, 205, 214),
        (255, 255, 255),
    ],
)


def svg_format() -> str:
    """Return rich's template without its fonts from elsewhere."""
    template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    template = re.sub(r"<!--.*?-->", "", template)
    return template.replace("Fira Code, monospace", FONTS).replace("arial", "system-ui, sans-serif")


# A port that begins in plain text, and settings that say otherwise: https://github.com/langgenius/dify/issues/32338
WRONG_MODE = """\
MAIL_TYPE=smtp
MAIL_DEFAULT_SEND_FROM=Example <no-reply@example.com>
SMTP_SERVER={server.host}
SMTP_PORT={server.port}
SMTP_USERNAME={server.username}
SMTP_PASSWORD={server.password}
SMTP_USE_TLS=true
SMTP_OPPORTUNISTIC_TLS=false
SMTP_CA_FILE=ca.pem
"""


@contextlib.contextmanager
def picture(file: Path, title: str) -> Iterator[Console]:
    """Yield a console in an empty folder, and save what was printed on it."""
    screen = io.StringIO()
    console = Console(record=True, width=100, file=screen, force_terminal=True, markup=False, highlight=False)
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        console.print()
        yield console
        console.print()
    console.save_svg(str(file), title=title, theme=THEME, code_format=svg_format(), unique_id=file.stem)


def demo(images: Path) -> None:
    with picture(images / "demo.svg", "postroom demo") as console:
        run(console, Path("demo-mail"))


def doctor(images: Path) -> None:
    command = ["doctor", "--env-file", "mail.env"]
    with picture(images / "doctor.svg", " ".join(["postroom", *command])) as console, DemoServer() as server:
        Path("ca.pem").write_bytes(server.ca)
        Path("mail.env").write_text(WRONG_MODE.format(server=server), encoding="utf-8")
        # Whatever is set where the picture is made is none of its business.
        result = CliRunner().invoke(main, command, color=True, env=dict.fromkeys(os.environ))
        console.print(Text.from_ansi(result.stdout.rstrip("\n")))


if __name__ == "__main__":
    to = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    demo(to)
    doctor(to)
