"""The command line in this process, its settings in the environment, and a folder to install distributions in."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from postroom_cli.main import main
from postroom_testing.smtp import SmtpServer
from smtp_servers import RealServer


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run `postroom` with these arguments; `stdin` is what it reads."""

    def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False, prog_name="postroom")

    return invoke


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the environment so that mail goes to a server; further variables by keyword, None leaves one out."""

    def set_variables(server: RealServer | SmtpServer, **more: str | None) -> None:
        variables: dict[str, str | None] = {
            "MAIL_TYPE": "smtp",
            "MAIL_DEFAULT_SEND_FROM": "postroom <sender@example.org>",
            "SMTP_SERVER": server.host,
            "SMTP_PORT": str(server.port),
            "SMTP_LOCAL_HOSTNAME": "localhost",
        }
        for name, value in (variables | more).items():
            if value is not None:
                monkeypatch.setenv(name, value)

    return set_variables


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path; modules that come from it are forgotten after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
