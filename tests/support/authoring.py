"""What the author of a provider does in the folder of a distribution."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from bare_environment import Wheel


def check_contract(folder: Path, wheel: Wheel, site: Path) -> None:
    """Run the tests of a distribution with its wheel unpacked into `site`; all of them must pass."""
    with zipfile.ZipFile(wheel.path) as archive:
        archive.extractall(site)
    said = _run(folder, site, "pytest", "-p", "no:cacheprovider")
    # What only a service with an HTTP API can do is not asked of one for SMTP.
    assert re.search(r"=+ \d{3} passed(?:, \d skipped)? in [\d.]+s.* =+$", said), said[-2000:]


def check_code(folder: Path) -> None:
    """Run ruff, and mypy in strict mode, as the distribution configures them; neither may have anything to say."""
    source = folder / "src"
    assert _run(folder, source, "ruff", "check", "--no-cache") == "All checks passed!"
    assert _run(folder, source, "ruff", "format", "--check", "--no-cache").endswith("files already formatted")
    assert _run(folder, source, "mypy", "--cache-dir", os.devnull).startswith("Success: no issues found in ")


def _run(folder: Path, path: Path, *command: str) -> str:
    """Run a module there, with `path` in front of the import path, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
