"""The picture in the docs: made by a real run, and of no interest to any other host."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
KEPT = DOCS / "images" / "demo.svg"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The picture of a run of this test."""
    folder = tmp_path_factory.mktemp("images")
    environ = os.environ | {"COLUMNS": "40", "NO_COLOR": "1"}
    subprocess.run([sys.executable, DOCS / "make_pictures.py", folder], timeout=60, check=True, env=environ)
    return (folder / "demo.svg").read_text(encoding="utf-8")


def test_the_picture_shows_the_demo(made: str) -> None:
    """It is XML, and its text is the demo's, in colours, whatever the terminal of the one who makes it."""
    root = xml.etree.ElementTree.fromstring(made)
    text = "".join(root.itertext()).replace("\xa0", " ")
    assert all(each in text for each in ("SMTP_CA_FILE", "demo-mail/postroom-demo.eml", "image/png", "smtp-basic"))
    assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", made))) > 4


@pytest.mark.parametrize("which", ["made", "kept"])
def test_the_picture_refers_to_no_host_and_no_path(made: str, which: str) -> None:
    """Fonts are those of the reader's machine; nothing tells where it was made."""
    svg = made if which == "made" else KEPT.read_text(encoding="utf-8")
    assert re.findall(r"\w+://[^\"'\s<]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in svg
    assert "url(#" in svg
    assert not re.search(r"url\((?!#)|/tmp|/home|/root|/work", svg)


def test_the_kept_picture_is_that_of_this_version(made: str) -> None:
    """But for the port, the picture in the docs shows what the demo shows now."""

    def text(svg: str) -> str:
        found = "".join(xml.etree.ElementTree.fromstring(svg).itertext())
        return re.sub(r"\d{4,5}(?=\s)", "PORT", " ".join(found.replace("\xa0", " ").split()))

    assert text(KEPT.read_text(encoding="utf-8")) == text(made)
