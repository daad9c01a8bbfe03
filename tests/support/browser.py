"""A real browser, Chromium without a window, that opens a page; and a server that counts who asks it for something."""

import http.server
import shutil
import subprocess
import tempfile
import threading
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


def show(page: Path, picture: Path) -> None:
    """Open a page, wait until it is there with all that it loads, and take a picture of it."""
    browser = _browser()
    assert browser is not None
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [browser, *_OPTIONS, f"--user-data-dir={profile}", f"--screenshot={picture}", page.as_uri()],
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    assert picture.stat().st_size > 0


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


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)
