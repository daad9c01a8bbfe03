"""A real browser, Chromium without a window, that opens a page; and a server that counts who asks it for something."""

import http.server
import shutil
import struct
import subprocess
import tempfile
import threading
import zlib
from pathlib import Path
from socket import socket
from typing import Any, Self

_HOST = "127.0.0.1"
_PATIENCE = 60.0  # seconds until a browser that does not end fails the test
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=800,1200",
    # It talks to nobody of its own accord, and finds no name.
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--virtual-time-budget=3000",  # milliseconds of the page's clock, which waits for what is being loaded
)


def missing_parts() -> list[str]:
    """Return what this needs and is not installed."""
    return [] if _browser() else ["chromium"]


Picture = list[list[tuple[int, ...]]]
"""Red, green and blue of each pixel, by line."""


def show(page: Path) -> Picture:
    """Open a page, wait until it is there with all that it loads, and return a picture of its top."""
    browser = _browser()
    assert browser is not None
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "picture.png")
        subprocess.run(
            [browser, *_OPTIONS, f"--user-data-dir={folder}/profile", f"--screenshot={picture}", page.as_uri()],
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        return _decoded(picture.read_bytes())


class CountingServer(http.server.ThreadingHTTPServer):
    """Answers each request with nothing, and keeps what was asked for."""

    def __init__(self) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.connections = 0
        self.paths: set[str] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Count a connection, whether anything is asked over it or not."""
        self.connections += 1
        super().process_request(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: CountingServer

    def do_GET(self) -> None:
        """Answer; a browser takes a style for one only if it has the type of one."""
        self.server.paths.add(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/css" if self.path.endswith(".css") else "application/octet-stream")
        self.send_header("Access-Control-Allow-Origin", "*")  # a frame without an origin loads fonts so
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  http.server calls it so

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _decoded(png: bytes) -> Picture:
    """Return the pixels of a PNG of 8 bits a channel, as browsers write them (RFC 2083)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind in (2, 6)) == (8, True)
    size, octets, at = 3 if kind == 2 else 4, b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        octets += png[at + 8 : at + 8 + length] * (png[at + 4 : at + 8] == b"IDAT")
        at += length + 12
    raw, above, lines = zlib.decompress(octets), bytes(width * size), []
    for start in range(0, height * (width * size + 1), width * size + 1):
        above = _unfiltered(raw[start], raw[start + 1 : start + 1 + width * size], above, size)
        lines.append([tuple(above[pixel : pixel + 3]) for pixel in range(0, len(above), size)])
    return lines


def _unfiltered(kind: int, line: bytes, above: bytes, size: int) -> bytes:
    """Return a line of a PNG without its filter (RFC 2083 section 6)."""
    made = bytearray(line)
    for at in range(len(made)):
        left, up = made[at - size] if at >= size else 0, above[at]
        corner = above[at - size] if at >= size else 0
        near = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
        made[at] = (made[at] + (0, left, up, (left + up) // 2, near)[kind]) & 255
    return bytes(made)


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)
