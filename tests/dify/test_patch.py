"""docs/dify.md and docs/dify.patch: what they say of Dify is so, in a miniature of it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dify_miniature import MINIATURE, ROOT, Dify
from distributions import write_pigeon
from postroom_testing import Certificates
from smtp_servers import RealServer

PAGE = (ROOT / "docs" / "dify.md").read_text("utf-8")
SEND = """
from app import app
from extensions.ext_mail import mail
with app.app_context():
    mail.send(to="grace@example.com", subject="Your code", html="<p>1234</p>"FROM)
"""


def tree(folder: Path) -> dict[str, str]:
    """Return the files of a folder, with what is in them."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def test_the_patch_can_be_taken_back(dify: Callable[..., Dify]) -> None:
    """`git apply --reverse` leaves the miniature as it was."""
    made = dify()
    assert tree(made.folder) != tree(MINIATURE)
    made.patch("--reverse")
    assert tree(made.folder) == tree(MINIATURE)


@pytest.mark.parametrize("file", ["extensions/ext_mail.py", "libs/mail/__init__.py"])
def test_the_page_shows_what_the_patch_makes(dify: Callable[..., Dify], file: str) -> None:
    """The files that the page prints are those of the patch."""
    assert tree(dify().folder)[file].strip() in PAGE


def test_no_task_and_no_caller_changes(dify: Callable[..., Dify]) -> None:
    """The patch touches the extension, its settings, its dependencies and `libs`, and nothing that sends."""
    before, after = tree(MINIATURE), tree(dify().folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {
        ".env.example",
        "configs/feature/__init__.py",
        "extensions/ext_mail.py",
        "libs/mail/__init__.py",
        "libs/smtp.py",
        "pyproject.toml",
    }


def test_what_difys_tests_demand(dify: Callable[..., Dify]) -> None:
    """The checks in `acceptance.py`, which follow Dify's own tests of its extension, pass behind the patch."""
    made = dify()
    acceptance = Path(__file__).with_name("acceptance.py")
    pytest_here = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(made.folder)]
    done = subprocess.run(
        [*pytest_here, str(acceptance)],
        cwd=made.folder,
        env=made.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d\d passed", done.stdout.splitlines()[-1])


def test_the_names_of_libs_mail(dify: Callable[..., Dify]) -> None:
    """The names of Dify's own design can be imported from `libs.mail`, and are postroom's."""
    names = ["MailMessage", "MailSender", "MailSenderFactory", "MailError", "MailConfigError", "MailSendError"]
    names += ["MailAuthError", "MailConnectionError", "MailTimeoutError"]
    done = dify().run(f"from libs.mail import {', '.join(names)}\nprint({', '.join(names)})")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"postroom\.(\w+)", done.stdout) == names


@pytest.mark.parametrize(
    ("given", "sender"), [("", "no-reply@example.com"), (', from_="b@example.com"', "b@example.com")]
)
def test_a_mail_goes_out_at_boot_with_difys_variables(
    dify: Callable[..., Dify], real_server: Callable[..., RealServer], ca: Certificates, given: str, sender: str
) -> None:
    """With the variables that Dify has had for years, a mail arrives over verified TLS, from whom it is said to be."""
    server = real_server(tls=ca.good, login=("no-reply@example.com", "a password"))
    made = dify(
        MAIL_TYPE="smtp",
        MAIL_DEFAULT_SEND_FROM="no-reply@example.com",
        SMTP_SERVER=server.host,
        SMTP_PORT=str(server.port),
        SMTP_USERNAME="no-reply@example.com",
        SMTP_PASSWORD="a password",
        SMTP_USE_TLS="true",
        SMTP_OPPORTUNISTIC_TLS="true",
        SMTP_CA_FILE=ca.ca_file,
    )
    done = made.run(SEND.replace("FROM", given))
    assert done.returncode == 0, done.stderr
    assert [(mail.mail_from, mail.tls, mail.user) for mail in server.messages] == [
        (sender, True, "no-reply@example.com")
    ]
    assert "a password" not in done.stdout + done.stderr


def test_the_boot_says_what_it_has_made(dify: Callable[..., Dify]) -> None:
    """One line at INFO names type, provider, distribution, server, TLS, login and sender; each doubt is a WARNING."""
    made = dify(
        MAIL_TYPE="smtp",
        MAIL_DEFAULT_SEND_FROM="dify",
        SMTP_SERVER="smtp.example.com",
        SMTP_PORT="465",
        SMTP_USERNAME="user",
        SMTP_PASSWORD="a password",
        SMTP_PASS="another password",
    )
    done = made.run("import app")
    boot, *doubts = [line.partition("[postroom.factory] ") for line in done.stderr.splitlines() if "[postroom." in line]
    assert "".join(boot) == (
        "INFO [postroom.factory] mail: type=smtp provider=smtp-basic distribution=postroom-smtp-basic version=0.1.0"
        " server=smtp.example.com port=465 tls=none auth=password from=dify"
    )
    assert {level for level, _, _ in doubts} == {"WARNING "}
    assert [text for _, _, text in doubts] == [
        "mail: smtp-basic: MAIL_DEFAULT_SEND_FROM: this cannot be a sender: 'dify' is not an address: it has no @",
        "mail: smtp-basic: SMTP_USE_TLS: port 465 begins with TLS and may never answer plain text: set it to true",
        "mail: smtp-basic: SMTP_PASS is none of its settings; did you mean SMTP_PASSWORD?",
    ]


def test_a_wrong_setting_stops_the_boot_with_the_remedy(dify: Callable[..., Dify]) -> None:
    """What the operator must set stands in the last line that a container prints."""
    done = dify(MAIL_TYPE="smtp", SMTP_SERVER="", SMTP_PORT="25").run("import app")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "postroom.MailSettingsError: smtp-basic: SMTP_SERVER and SMTP_PORT are required for smtp mail type:"
        " set server (SMTP_SERVER)"
    )


def test_a_provider_that_dify_has_never_heard_of(dify: Callable[..., Dify]) -> None:
    """A third party's provider is found by its installation, and configured by variables that Dify does not declare."""
    made = dify(MAIL_TYPE="pigeon", PIGEON_LOFT="roof", PIGEON_RING="a secret", MAIL_DEFAULT_SEND_FROM="a@example.com")
    write_pigeon(made.folder)
    done = made.run(SEND.replace("FROM", "") + "import pigeon_plugin; print(len(pigeon_plugin.SENT))")
    assert done.stdout.split() == ["1"], done.stderr
    assert "distribution=acme-pigeon version=1.0" in done.stderr


def test_without_the_patch_the_miniature_sends_as_dify_does(
    tmp_path: Path, real_server: Callable[..., RealServer]
) -> None:
    """The miniature itself works, so that what the tests show of the patch is not the work of the miniature."""
    server = real_server()
    made = Dify(
        tmp_path,
        {
            "MAIL_TYPE": "smtp",
            "MAIL_DEFAULT_SEND_FROM": "no-reply@example.com",
            "SMTP_SERVER": server.host,
            "SMTP_PORT": str(server.port),
        },
        patched=False,
    )
    done = made.run(SEND.replace("FROM", ""))
    assert done.returncode == 0, done.stderr
    assert len(server.messages) == 1
