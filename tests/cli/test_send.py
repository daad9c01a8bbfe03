"""`postroom send`: what goes out, what is printed, and how it ends."""

import contextlib
import email
import email.policy
import json
import os
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import Result

from distributions import write_pigeon
from postroom_cli.main import main
from postroom_testing import Certificates
from postroom_testing.smtp import Close, SmtpServer
from smtp_servers import RealServer

Run = Callable[..., Result]
Configure = Callable[..., None]
Real = Callable[..., RealServer]
Scripted = Callable[..., SmtpServer]

SEND = ("send", "--to", "grace@example.com", "--subject", "Hi", "--text", "Hello")
KEYS = {"outcome", "message_id", "provider", "provider_id", "accepted", "refused", "error"}
UNREADABLE = Path("/proc/self/mem")  # a file that can be opened, and whose first octet cannot be read


def arrived(server: RealServer) -> EmailMessage:
    """Return the one message that the server has."""
    (delivered,) = server.messages
    return email.message_from_bytes(delivered.content, policy=email.policy.default)


def test_sends_all_that_it_is_told(run: Run, configure: Configure, real_server: Real, tmp_path: Path) -> None:
    """Every option ends up where it belongs: headers, envelope, bodies and attachments."""
    server = real_server()
    configure(server)
    (tmp_path / "body.html").write_text("<p>Grüße</p>", encoding="utf-8")
    (tmp_path / "table.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "Zeugnis – 1.pdf").write_bytes(b"%PDF-1.7\0")
    result = run(
        *("send", "--to", "Grace <grace@example.com>, ada@example.com", "--to", "mary@example.com"),
        *("--cc", "cc@example.com", "--bcc", "bcc@example.com", "--reply-to", "desk@example.org"),
        *("--from", "Zoë <zoe@example.org>", "--subject", "Grüße ✉", "--text", "Hallo"),
        *("--html-file", str(tmp_path / "body.html")),
        *("--attach", str(tmp_path / "table.csv"), "--attach", str(tmp_path / "Zeugnis – 1.pdf")),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    message = arrived(server)
    assert message["To"] == "Grace <grace@example.com>, ada@example.com, mary@example.com"
    assert (message["Cc"], message["Bcc"], message["Reply-To"]) == ("cc@example.com", None, "desk@example.org")
    assert (message["From"], message["Subject"]) == ("Zoë <zoe@example.org>", "Grüße ✉")
    assert server.messages[0].mail_from == "zoe@example.org"
    assert server.messages[0].rcpt_tos == [f"{name}@example.com" for name in ("grace", "ada", "mary", "cc", "bcc")]
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    assert [body and body.get_content().strip() for body in bodies] == ["Hallo", "<p>Grüße</p>"]
    files = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert files == {"table.csv": "a,b\n1,2\n", "Zeugnis – 1.pdf": b"%PDF-1.7\0"}


def test_prints_the_receipt(run: Run, configure: Configure, real_server: Real) -> None:
    """The receipt names message, provider, the provider's words, and everybody who was accepted."""
    server = real_server()
    configure(server)
    result = run(*SEND, "--cc", "ada@example.com")
    lines = [line.split(maxsplit=1) for line in result.stdout.replace("message id", "message-id").splitlines()]
    assert result.exit_code == 0
    assert [label for label, _ in lines] == ["message-id", "provider", "its", "accepted", "accepted"]
    assert lines[0][1] == arrived(server)["Message-ID"]
    assert lines[1][1] == "smtp-basic"
    assert "queued as 1" in lines[2][1]
    assert [value for _, value in lines[3:]] == ["grace@example.com", "ada@example.com"]


def test_a_provider_without_an_id_of_its_own_has_no_line_for_it(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third party's provider works from the command line, and what its receipt lacks is not printed."""
    write_pigeon(site)
    for name, value in {"MAIL_TYPE": "pigeon", "PIGEON_LOFT": "roof", "PIGEON_RING": "swordfish"}.items():
        monkeypatch.setenv(name, value)
    result = run(*SEND, "--from", "sender@example.org")
    assert result.exit_code == 0
    assert "provider    pigeon\n" in result.stdout
    assert "its id" not in result.stdout


def test_json_receipt_has_the_same_keys_always(run: Run, configure: Configure, real_server: Real) -> None:
    """`--json` prints one object: here of a message that everybody got."""
    server = real_server()
    configure(server)
    result = run(*SEND, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report.keys() == KEYS
    assert report["outcome"] == "accepted"
    assert report["message_id"] == arrived(server)["Message-ID"]
    assert (report["provider"], report["accepted"]) == ("smtp-basic", ["grace@example.com"])
    assert (report["refused"], report["error"]) == ({}, None)


def test_partial_refusal_is_exit_1_and_says_who_has_it(run: Run, configure: Configure, real_server: Real) -> None:
    """Some have the mail, some have not: each is named, with the server's reason."""
    server = real_server(refuse={"ada@example.com": "550 5.1.1 no such user"})
    configure(server)
    result = run(*SEND, "--to", "ada@example.com")
    assert result.exit_code == 1
    assert "accepted    grace@example.com\n" in result.stdout
    assert "refused     ada@example.com: 550 5.1.1 no such user\n" in result.stdout
    assert result.stderr == (
        "error: 1 of 2 recipients were refused: the others have the mail, so send again to these only\n"
    )


def test_partial_refusal_as_json(run: Run, configure: Configure, real_server: Real) -> None:
    """The object has the refused recipients with code and text."""
    configure(real_server(refuse={"ada@example.com": "550 5.1.1 no such user"}))
    result = run(*SEND, "--to", "ada@example.com", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["outcome"], report["accepted"]) == ("partial", ["grace@example.com"])
    assert report["refused"] == {
        "ada@example.com": {"code": 550, "enhanced_code": "5.1.1", "text": "no such user", "transient": False}
    }


def test_everybody_refused_is_exit_1(run: Run, configure: Configure, real_server: Real) -> None:
    """Nobody has the mail: the refused are listed, and the error is one line."""
    configure(real_server(refuse={"grace@example.com": "450 4.2.1 later"}))
    result = run(*SEND)
    assert result.exit_code == 1
    assert result.stdout == "refused     grace@example.com: 450 4.2.1 later\n"
    assert "refused every recipient" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_refused_message_is_exit_1_with_the_remedy(run: Run, configure: Configure, smtp_server: Scripted) -> None:
    """A refused sender is not sent; the line says where, why and what to do."""
    server = smtp_server({"MAIL": b"550 5.7.1 not you\r\n"})
    configure(server)
    result = run(*SEND)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: smtp-basic: 127.0.0.1:{server.port} refused the sender: 550 5.7.1 not you. Set MAIL_DEFAULT_SEND_FROM "
        "to a sender that the server takes, such as the address that logs in (SMTP_USERNAME)\n"
    )


def test_failure_as_json_tells_the_stage_and_the_message(run: Run, configure: Configure, smtp_server: Scripted) -> None:
    """`--json` prints an object for a failed send too, with the same keys and the error in it."""
    configure(smtp_server({".": Close()}))
    result = run(*SEND, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 3
    assert report.keys() == KEYS
    assert (report["outcome"], report["provider"], report["accepted"]) == ("unknown", "smtp-basic", [])
    assert report["message_id"] in result.stderr
    assert (report["error"]["stage"], report["error"]["transient"]) == ("final", False)


def test_a_message_id_that_nobody_knows_is_null(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider may fail before the message has a sender: then there is no Message-ID to look for."""
    write_pigeon(site)
    source = (site / "pigeon_plugin.py").read_text(encoding="utf-8")
    source = source.replace("SENT.append((self.settings, message))", "raise __import__('postroom').MailSendError('no')")
    source = source.replace("class PigeonSettings(SenderSettings):", "class PigeonSettings(Renamed):")
    renamed = """
@attrs.frozen(kw_only=True)
class Renamed(SenderSettings):
    default_from: str | None = attrs.field(default=None, metadata=setting("sender", env="PIGEON_FROM"))

"""
    source = source.replace("SENT = []\n", f"SENT = []\n{renamed}")
    (site / "pigeon_plugin.py").write_text(source, encoding="utf-8")
    variables = {"MAIL_TYPE": "pigeon", "PIGEON_LOFT": "a", "PIGEON_RING": "b", "PIGEON_FROM": "me@example.org"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = run(*SEND, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["message_id"] is None


def test_no_server_is_exit_1(run: Run, configure: Configure, smtp_server: Scripted) -> None:
    """A port that nobody listens on is not sent, with the variables to check."""
    with SmtpServer() as gone:
        pass
    configure(gone)
    result = run(*SEND)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Check SMTP_SERVER and SMTP_PORT" in result.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"MAIL_TYPE": None}, "error: MAIL_TYPE is not set: set it to "),
        ({"MAIL_TYPE": "carrier-pigeon"}, "error: Unsupported mail type: carrier-pigeon."),
        ({"SMTP_SERVER": None, "SMTP_PORT": None}, "error: smtp-basic: SMTP server and port are required: set server"),
        ({"SMTP_PORT": "many"}, "error: smtp-basic: port must be a whole number: set port (SMTP_PORT)\n"),
        ({"SMTP_OPPORTUNISTIC_TLS": "true"}, "error: smtp-basic: Opportunistic TLS requires TLS to be enabled"),
        ({"MAIL_DEFAULT_SEND_FROM": None}, "error: the message has no sender: set from_, or MAIL_DEFAULT_SEND_FROM"),
    ],
)
def test_wrong_configuration_is_exit_2(
    run: Run, configure: Configure, real_server: Real, more: dict[str, str | None], said: str
) -> None:
    """Whatever is wrong with the variables is said in one line that names them."""
    configure(real_server(), **more)
    result = run(*SEND)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "nobody"), "error: 'nobody' is not an address: it has no @\n"),
        (("--cc", "a@b@example.com"), "error: 'a@b@example.com' is not an address"),
        (("--from", "x@-"), "error: '-' is not a domain\n"),
        (("--subject", "one\r\nBcc: two@example.com"), "error: subject contains a control character"),
        (("--text", ""), "error: Email content is required: html or text\n"),
        (("--html", "<p>", "--html-file", __file__), "error: --html and --html-file exclude each other"),
        (("--html-file", "-", "--text-file", "-"), "error: --html-file and --text-file cannot both be standard input"),
        (("--attach", "missing.pdf"), "error: Invalid value for '--attach': File 'missing.pdf' does not exist"),
        (("--html-file", "missing.html"), "error: Invalid value for '--html-file': File 'missing.html' does not exist"),
        (("--env-file", "missing.env"), "error: Invalid value for '--env-file': File 'missing.env' does not exist"),
        (("--attach", "."), "error: Invalid value for '--attach': File '.' is a directory"),
    ],
)
def test_a_wrong_message_is_exit_2(
    run: Run, configure: Configure, real_server: Real, arguments: tuple[str, ...], said: str
) -> None:
    """A bad address, body or file is said in one line, and nothing is sent."""
    server = real_server()
    configure(server)
    result = run(*SEND, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1
    assert server.messages == []


@pytest.mark.parametrize(("option", "kind"), [("--html-file", "html"), ("--text-file", "plain")])
def test_a_dash_reads_standard_input(run: Run, configure: Configure, real_server: Real, option: str, kind: str) -> None:
    """`-` is standard input, in UTF-8, with or without a byte order mark."""
    server = real_server()
    configure(server)
    subject = ("send", "--to", "grace@example.com", "--subject", "Hi")
    result = run(*subject, option, "-", stdin="\ufeffGrüße ✉".encode())
    assert result.exit_code == 0
    body = arrived(server).get_body((kind,))
    assert body is not None
    assert body.get_content().strip() == "Grüße ✉"


def test_a_body_that_is_not_utf8_is_exit_2(run: Run, configure: Configure, real_server: Real) -> None:
    """A body in another encoding is refused, and not quoted."""
    configure(real_server())
    result = run("send", "--to", "grace@example.com", "--subject", "Hi", "--html-file", "-", stdin=b"caf\xe9")
    assert (result.exit_code, result.stderr) == (2, "error: - is not UTF-8\n")


@pytest.mark.skipif(not UNREADABLE.exists(), reason="this system has no such file")
@pytest.mark.parametrize("option", ["--attach", "--html-file", "--env-file"])
def test_a_file_that_cannot_be_read_is_exit_2(run: Run, configure: Configure, real_server: Real, option: str) -> None:
    """A file that fails while it is read is named."""
    configure(real_server())
    result = run(*SEND, option, str(UNREADABLE))
    assert result.exit_code == 2
    assert result.stderr == f"error: {UNREADABLE} cannot be read: Input/output error\n"


def test_env_file_stands_behind_the_environment(
    run: Run, configure: Configure, real_server: Real, tmp_path: Path
) -> None:
    """The file fills in what the environment does not set, and overrides nothing; the environment stays as it was."""
    server = real_server()
    configure(server, MAIL_DEFAULT_SEND_FROM=None)
    file = tmp_path / "mail.env"
    file.write_text(
        "\ufeffMAIL_DEFAULT_SEND_FROM='Desk <desk@example.org>'\nSMTP_PORT=1\nVALUELESS\n", encoding="utf-8"
    )
    before = dict(os.environ)
    result = run(*SEND, "--env-file", str(file))
    assert (result.exit_code, result.stderr) == (0, "")
    assert arrived(server)["From"] == "Desk <desk@example.org>"
    assert dict(os.environ) == before


def test_env_file_alone_suffices(run: Run, real_server: Real, ca: Certificates, tmp_path: Path) -> None:
    """With nothing in the environment, the file configures TLS, login and sender."""
    server = real_server(tls=ca.good, login=("grace", "sword fish"))
    file = tmp_path / ".env"
    file.write_text(
        f"MAIL_TYPE=smtp\nSMTP_SERVER=127.0.0.1\nSMTP_PORT={server.port}\nSMTP_USE_TLS=true\n"
        f"SMTP_OPPORTUNISTIC_TLS=true\nSMTP_CA_FILE={ca.ca_file}\nSMTP_USERNAME=grace\nSMTP_PASSWORD='sword fish'\n"
        "SMTP_LOCAL_HOSTNAME=localhost\n",
        encoding="utf-8",
    )
    result = run(*SEND, "--from", "me@example.org", "--env-file", str(file))
    assert result.exit_code == 0
    assert (server.messages[0].tls, server.messages[0].user) == (True, "grace")


def test_env_file_that_is_not_utf8_is_exit_2_and_not_quoted(run: Run, tmp_path: Path) -> None:
    """A file in another encoding is named, and nothing of it is shown."""
    file = tmp_path / "mail.env"
    file.write_bytes(b"SMTP_PASSWORD=swordf\xefsh\n")
    result = run(*SEND, "--env-file", str(file))
    assert (result.exit_code, result.output) == (2, f"error: {file} is not UTF-8\n")


def test_a_malformed_line_of_the_env_file_is_a_warning_without_the_line(
    run: Run, configure: Configure, real_server: Real, tmp_path: Path
) -> None:
    """A line that cannot be read is named by its number, since it may hold a secret."""
    configure(real_server())
    file = tmp_path / "mail.env"
    file.write_text("FINE=1\nSMTP_PASSWORD='swordfish\n", encoding="utf-8")
    result = run(*SEND, "--env-file", str(file))
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: ")
    assert "line 2" in result.stderr
    assert "swordfish" not in result.output


@pytest.mark.parametrize("place", ["environment", "file"])
def test_no_secret_is_printed_when_the_login_fails(
    run: Run, configure: Configure, smtp_server: Scripted, tmp_path: Path, place: str
) -> None:
    """A server that quotes the password back does not get it onto the screen."""
    server = smtp_server({"AUTH": b"535 5.7.8 swordfish is wrong, AGdyYWNlAHN3b3JkZmlzaA== too\r\n"})
    configure(server, SMTP_USERNAME="grace", SMTP_PASSWORD="swordfish" if place == "environment" else None)
    file = tmp_path / "mail.env"
    file.write_text("SMTP_PASSWORD=swordfish\n" if place == "file" else "", encoding="utf-8")
    for extra in ((), ("--json",)):
        result = run("--debug", *SEND, "--env-file", str(file), *extra)
        assert result.exit_code == 1
        assert "Check SMTP_USERNAME and SMTP_PASSWORD" in result.stderr
        assert "swordfish" not in result.output
        assert "AGdyYWNlAHN3b3JkZmlzaA==" not in result.output


def test_a_reader_that_has_left_does_not_make_it_fail(
    configure: Configure, real_server: Real, capfd: pytest.CaptureFixture[str]
) -> None:
    """`postroom send … | head -0` has sent the mail, so it ends well."""
    server = real_server()
    configure(server)
    reading, writing = os.pipe()
    os.close(reading)
    with (
        os.fdopen(writing, "w", encoding="utf-8") as pipe,
        contextlib.redirect_stdout(pipe),
        pytest.raises(SystemExit) as ended,
    ):
        main(SEND)
    assert ended.value.code == 0
    assert len(server.messages) == 1
    assert capfd.readouterr().err == ""


def test_a_warning_of_the_library_is_one_line(
    run: Run, configure: Configure, real_server: Real, ca: Certificates
) -> None:
    """What an operator should change is said, and the mail still goes."""
    server = real_server(tls=ca.unknown_ca)
    configure(server, SMTP_TLS_MODE="starttls", SMTP_TLS_VERIFY="false")
    result = run(*SEND)
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: smtp-basic: SMTP_TLS_VERIFY: false trusts whoever answers")
    assert len(result.stderr.splitlines()) == 1
