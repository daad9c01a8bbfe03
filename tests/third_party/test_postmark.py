"""A provider for a service that is not ours, by the public API alone: what an author does, from command to mail.

`postmark/` holds what the author changes in the distribution that `postroom new-provider` writes.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authoring import check_code, check_contract
from bare_environment import Bare, Wheel, build
from postroom_testing.http import HttpServer, Reply

CHANGES = Path(__file__).with_name("postmark")
ACCEPTED = Reply(200, {"To": "grace@example.com", "MessageID": "0a129aee", "ErrorCode": 0, "Message": "OK"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the distribution: written by the command, then changed."""
    into = tmp_path_factory.mktemp("author")
    command = [sys.executable, "-m", "postroom_cli", "new-provider", "postmark", "--into", str(into)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made = into / "postroom-postmark"
    for part in ("src", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHANGES / part, made / part, dirs_exist_ok=True, ignore=ignored)
    return made


@pytest.fixture(scope="module")
def wheel(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """Return its wheel."""
    return build([folder], tmp_path_factory.mktemp("built"))["postroom-postmark"]


def test_it_keeps_the_contract(folder: Path, wheel: Wheel, tmp_path: Path) -> None:
    """With its wheel installed, every check of the contract and its own tests pass."""
    check_contract(folder, wheel, tmp_path)


def test_it_is_clean(folder: Path) -> None:
    """ruff, and mypy in strict mode, have nothing to say about it, with what the command has configured."""
    check_code(folder)


def test_it_sends_by_the_variables_of_dify(
    wheel: Wheel, wheels: dict[str, Wheel], http_server: Callable[..., HttpServer], tmp_path: Path
) -> None:
    """Installed beside core, with what it declares and nothing else, it is what `MAIL_TYPE=postmark` means."""
    environment = Bare(tmp_path, wheels | {wheel.name: wheel})
    environment.install(wheel.name)
    server = http_server(ACCEPTED)
    said = environment.script(
        """
        import json
        from postroom import MailMessage, MailSenderFactory
        sender = MailSenderFactory.create_from_dify_config(object())
        receipt = sender.deliver(MailMessage("Grace <grace@example.com>", "Grüße", "<p>Hello</p>", tags=["welcome"]))
        names = MailSenderFactory.get_supported_types()
        print(json.dumps({"names": names, "id": receipt.provider_id, "accepted": receipt.accepted}))
        """,
        MAIL_TYPE="postmark",
        MAIL_DEFAULT_SEND_FROM="Ada <ada@example.com>",
        POSTMARK_SERVER_TOKEN="a-token",
        POSTMARK_API_URL=server.url,
    )
    assert said == {"names": ["postmark"], "id": "0a129aee", "accepted": ["grace@example.com"]}
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/email")
    assert request.headers["x-postmark-server-token"] == "a-token"
    assert request.json() == {
        "From": "Ada <ada@example.com>",
        "To": "Grace <grace@example.com>",
        "Subject": "Grüße",
        "HtmlBody": "<p>Hello</p>",
        "Tag": "welcome",
    }
