"""The pictures in the docs: made by a real run, and of no interest to any other host."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("demo", "doctor")
SHOWN = {
    "demo": ("SMTP_CA_FILE", "demo-mail/postroom-demo.eml", "image/png", "smtp-basic"),
    "doctor": (
        "tls: The port begins in plain text, and the settings say that it begins with TLS",
        "SMTP_PASSWORD=*** (mail.env)",
        "SMTP_DEADLINE=180 (default)",
        "it speaks SMTP in plain text",
        "Set SMTP_USE_TLS=true and SMTP_OPPORTUNISTIC_TLS=true",
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pictures of a run of this test."""
    folder = tmp_path_factory.mktemp("images")
    environ = os.environ | {"COLUMNS": "40", "NO_COLOR": "1", "SMTP_PORT": "1", "RESEND_API_KEY": "re_somebody_elses"}
    subprocess.run([sys.executable, DOCS / "make_pictures.py", folder], timeout=60, check=True, env=environ)
    return {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in NAMES}


def kept(name: str) -> str:
    """Return a picture of the docs."""
    return (DOCS / "images" / f"{name}.svg").read_text(encoding="utf-8")


def text(svg: str) -> str:
    """Return what a picture shows, but for ports and seconds."""
    lines = [
        "".join(element.itertext()) if element.tag.endswith("}text") else ""
        for element in xml.etree.ElementTree.fromstring(svg).iter()
    ]
    found = " ".join("".join(lines).replace("\xa0", " ").split())
    return re.sub(r"\d+\.\d{3}(?= s,)", "SECONDS", re.sub(r"(?<![\d.])\d{4,5}(?=\s)", "PORT", found))


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_shows_the_command(made: dict[str, str], name: str) -> None:
    """It is XML, and its text is the command's, in colours, whatever the terminal of the one who makes it."""
    shown = text(made[name])
    assert [each for each in SHOWN[name] if each not in shown] == []
    assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", made[name]))) >= 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["made", "kept"])
def test_the_picture_refers_to_no_host_and_no_path(made: dict[str, str], which: str, name: str) -> None:
    """Fonts are those of the reader's machine; nothing tells where it was made. An address may stand in the text."""
    svg = made[name] if which == "made" else kept(name)
    assert re.findall(r"\w+://[^\"'\s<]+", re.sub(r"(<text[^>]*>)[^<]*", r"\1", svg)) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in svg
    assert "url(#" in svg
    assert not re.search(r"url\((?!#)|/tmp|/home|/root|/work", svg)


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_picture_is_that_of_this_version(made: dict[str, str], name: str) -> None:
    """But for ports and seconds, the picture in the docs shows what the command shows now."""
    assert text(kept(name)) == text(made[name])
