"""`postroom demo`: a real server, a real mail, and nothing left behind but the mail."""

import email
import email.policy
import re
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console

import postroom_cli.demo
from postroom_cli.demo_server import DemoServer

Run = Callable[..., Result]

NO_EXTRA = "error: the demo needs a mail server: pip install 'postroom-cli[demo]'\n"
WITHOUT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from postroom_cli.main import main
main(["demo", "--keep", "kept"])
"""


def keep(run: Run, folder: Path) -> tuple[Result, EmailMessage]:
    """Run the demo and return what it printed and the mail that it kept."""
    result = run("demo", "--keep", str(folder))
    assert (result.exit_code, result.stderr) == (0, "")
    content = (folder / "postroom-demo.eml").read_bytes()
    return result, email.message_from_bytes(content, policy=email.policy.default)


def test_shows_the_whole_way_on_one_screen(run: Run, tmp_path: Path) -> None:
    """Variables, receipt, what arrived and the parts are there; the password is not."""
    result, _ = keep(run, tmp_path)
    said = " ".join(result.stdout.split())
    for expected in (
        "MAIL_TYPE=smtp",
        "SMTP_USE_TLS=true",
        "SMTP_USERNAME=demo",
        "SMTP_PASSWORD=***",
        "accepted grace@example.com",
        "provider smtp-basic",
        "Subject Hello from postroom ✉",
        "TLS TLSv1.",
        "login demo (PLAIN)",
        "→ archive@example.com",
        "multipart/alternative",
        "image/png postmark.png",
        "text/csv postage.csv",
        f"The mail is in {tmp_path}/postroom-demo.eml",
    ):
        assert expected in said
    assert len(re.findall("SMTP_PASSWORD", said)) == 1
    assert len(result.stdout.splitlines()) <= 40


def test_keeps_a_mail_with_all_its_parts(run: Run, tmp_path: Path) -> None:
    """The `.eml` parses to text, HTML with its picture, and an attachment; Bcc is in no header."""
    _, message = keep(run, tmp_path)
    assert message.defects == []
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "text/csv",
    ]
    assert (message["Cc"], message["Bcc"]) == ("Zoë Müller <zoe@example.com>", None)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Café, naïve, 你好" in plain.get_content()
    picture = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html.get_content()
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content().splitlines()[0]) == (
        "postage.csv",
        "weight in g,price in cent",
    )


def test_the_picture_is_a_valid_png(run: Run, tmp_path: Path) -> None:
    """Signature, checksums and size of the data are right, and there is ink on it."""
    _, message = keep(run, tmp_path)
    data = next(part for part in message.walk() if part.get_content_type() == "image/png").get_content()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    rest = data[8:]
    while rest:
        (length,), kind = struct.unpack(">I", rest[:4]), rest[4:8]
        chunks[kind] = rest[8 : 8 + length]
        assert struct.unpack(">I", rest[8 + length : 12 + length]) == (zlib.crc32(kind + chunks[kind]),)
        rest = rest[12 + length :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (width, height, depth, colour) == (240, 120, 8, 6)
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == height * (1 + 4 * width)
    assert {0, 255} <= {pixels[row * (1 + 4 * width) + 4 * (column + 1)] for row in range(120) for column in range(240)}


def test_leaves_nothing_behind_but_the_mail(run: Run, tmp_path: Path) -> None:
    """After it, no thread runs, nobody listens on its port, and its folder holds the one file."""
    before = set(threading.enumerate())
    result, _ = keep(run, tmp_path / "new" / "folder")
    assert set(threading.enumerate()) == before
    port = re.search(r"SMTP_PORT=(\d+)", result.stdout)
    assert port is not None
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", int(port[1]))):
        pass
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["postroom-demo.eml"]


def test_runs_again_in_the_same_folder(run: Run, tmp_path: Path) -> None:
    """A second run puts its mail in place of the first one's."""
    _, first = keep(run, tmp_path)
    _, second = keep(run, tmp_path)
    assert first["Message-ID"] != second["Message-ID"]


def test_without_a_folder_it_makes_one(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new temporary folder keeps the mail, and its path is printed whole."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = run("demo")
    (kept,) = tmp_path.glob("postroom-demo-*/postroom-demo.eml")
    assert result.exit_code == 0
    assert f"The mail is in {kept}: open it with a mail program." in result.stdout


def test_the_environment_plays_no_part(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail settings of the one who runs it are neither used nor shown."""
    for name, value in {"MAIL_TYPE": "resend", "SMTP_PASSWORD": "swordfish", "SMTP_TLS_MODE": "none"}.items():
        monkeypatch.setenv(name, value)
    result, _ = keep(run, tmp_path)
    assert "swordfish" not in result.output
    assert "resend" not in result.output


def test_a_narrow_terminal_gets_the_boxes_below_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At 80 columns no line is longer, and nothing is missing."""
    postroom_cli.demo.run(Console(width=80, markup=False), tmp_path / "d")
    lines = capsys.readouterr().out.splitlines()
    boxed = [line for line in lines if line.startswith(("│", "╭", "╰"))]
    assert {len(line) for line in boxed} == {80}
    assert sum(line.startswith("╭") for line in boxed) == 4


@pytest.mark.parametrize("place", ["file", "file/folder"])
def test_a_folder_that_cannot_be_is_exit_2(run: Run, tmp_path: Path, place: str) -> None:
    """A file in the way is said in one line."""
    (tmp_path / "file").write_bytes(b"")
    result = run("demo", "--keep", str(tmp_path / place))
    assert (result.exit_code, result.stdout) == (2, "")
    assert str(tmp_path / place) in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("missing", ["aiosmtpd", "trustme"])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, missing: str) -> None:
    """A missing part of the extra is one line and exit 2, and nothing is written."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT.replace("BLOCKED", repr(missing))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", NO_EXTRA)
    assert list(tmp_path.iterdir()) == []


def test_without_the_provider_it_says_what_to_install(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra brings the SMTP provider as well; without it the advice is the same."""
    keep(run, tmp_path)  # everything is imported, so that the empty path hides distributions alone
    monkeypatch.setattr(sys, "path", [])
    result = run("demo")
    assert (result.exit_code, result.output) == (2, NO_EXTRA)


def test_a_part_of_the_server_that_is_missing_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same advice in this process, where the server's module was never loaded."""
    for name in ("demo_server", "demo_view"):
        monkeypatch.delitem(sys.modules, f"postroom_cli.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "trustme", None)
    result = run("demo", "--keep", str(tmp_path))
    assert (result.exit_code, result.output) == (2, NO_EXTRA)


@pytest.mark.parametrize("secure", [False, True])
def test_the_server_ends_with_a_client_still_there(secure: bool) -> None:
    """A connection that nobody closed does not keep it, in plain text or in TLS."""
    with DemoServer() as server:
        client = smtplib.SMTP(server.host, server.port, local_hostname="localhost", timeout=10)
        if secure:
            client.starttls(context=ssl.create_default_context(cadata=server.ca.decode()))
    client.close()
    assert not any(thread.name == "postroom demo" for thread in threading.enumerate())


def test_the_server_demands_what_it_says() -> None:
    """Without TLS there is no mail, without a login neither, and the login must be right."""
    with DemoServer() as server, smtplib.SMTP(server.host, server.port, local_hostname="localhost") as client:
        client.ehlo()
        assert client.mail("demo@example.org")[0] == 530
        client.starttls(context=ssl.create_default_context(cadata=server.ca.decode()))
        client.ehlo()
        assert client.mail("demo@example.org")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(server.username, "swordfish")
        client.login(server.username, server.password)
        assert client.mail("demo@example.org")[0] == 250
    assert server.arrived == []
