"""Makes the pictures of the docs from a real run: `uv run python docs/make_pictures.py`.

Ports and dates differ each time. The SVG names no outside host, so that whoever looks at a page tells nobody.
"""

import contextlib
import io
import re
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from postroom_cli.demo import run

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


def demo(images: Path) -> None:
    screen = io.StringIO()
    console = Console(record=True, width=100, file=screen, force_terminal=True, markup=False, highlight=False)
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        console.print()
        run(console, Path("demo-mail"))
        console.print()
    console.save_svg(
        str(images / "demo.svg"), title="postroom demo", theme=THEME, code_format=svg_format(), unique_id="demo"
    )


if __name__ == "__main__":
    demo(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
