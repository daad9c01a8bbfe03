"""The command line itself: version, help, exit codes, and what its errors look like."""

import contextlib
import io
import os
import pty
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import Result

from postroom_cli.main import main
from postroom_cli.output import one_line
from postroom_testing import Certificates, write_distribution
from postroom_testing.smtp import Close, Silence, SmtpServer
from smtp_servers import RealServer

Run = Callable[..., Result]
Configure = Callable[..., None]

COMMANDS = ("demo", "doctor", "explain", "lint", "new-provider", "providers", "send")
SEND = ("send", "--to", "grace@example.com", "--subject", "Hi", "--text", "Hello")
# A field without the metadata that every field must have: nobody notices until it is described.
UNDESCRIBED = """
    import attrs
    from postroom import Provider, SenderSettings, hookimpl

    @attrs.frozen(kw_only=True)
    class Settings(SenderSettings):
        token: str = "swordfish"

    @hookimpl
    def postroom_provider():
        return Provider("undescribed", Settings, Settings)
"""
# A transport that fails in a way that no provider should, and quotes a secret.
CLUMSY = """
    from postroom import Provider, SenderSettings, hookimpl

    class Transport:
        def deliver(self, message):
            raise FAILURE("swordfish")

        def is_configured(self):
            return True

        def check_connection(self):
            raise FAILURE("swordfish")

        def close(self):
            pass

    @hookimpl
    def postroom_provider():
        return Provider("clumsy", SenderSettings, lambda settings: Transport())
"""


@pytest.fixture
def clumsy(site: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Configure a provider whose transport raises this."""

    def install(failure: str) -> None:
        source = CLUMSY.replace("FAILURE", failure)
        write_distribution(site, "clumsy", {"clumsy": "clumsy_plugin"}, modules={"clumsy_plugin": source})
        monkeypatch.setenv("MAIL_TYPE", "clumsy")
        monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "sender@example.org")

    return install


def postroom(*arguments: str, **options: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own, `options` in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "postroom_cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | options,
    )


def test_version_is_that_of_the_distribution(run: Run) -> None:
    """`--version` prints the installed version."""
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"postroom {version('postroom-cli')}\n")


def test_no_command_prints_the_help(run: Run) -> None:
    """`postroom` alone shows what there is, and that is no error."""
    result = run()
    assert result.exit_code == 0
    assert all(f"\n  {command} " in result.stdout for command in COMMANDS)


@pytest.mark.parametrize("arguments", [(), *((command,) for command in COMMANDS)])
def test_every_help_fits_a_screen(run: Run, arguments: tuple[str, ...]) -> None:
    """Each `--help` is there, short, and names the command."""
    result = run(*arguments, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {' '.join(['postroom', *arguments])}")
    assert len(result.stdout.splitlines()) < 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("post",), "error: No such command 'post' (see postroom --help)\n"),
        (("--colour",), "error: No such option '--colour' (see postroom --help)\n"),
        (("send", "--colour"), "error: No such option '--colour' (see postroom send --help)\n"),
        (("send", "--subject", "Hi"), "error: Missing option '--to' (see postroom send --help)\n"),
        (("send", "--to", "grace@example.com"), "error: Missing option '--subject' (see postroom send --help)\n"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """A usage error says what is wrong and where to look, and nothing else."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == said


def test_settings_that_cannot_be_described_are_told(run: Run, site: Path) -> None:
    """What the author has forgotten is named, with the provider."""
    write_distribution(site, "undescribed", {"undescribed": "undescribed"}, modules={"undescribed": UNDESCRIBED})
    result = run("providers", "undescribed")
    assert (result.exit_code, result.stdout) == (2, "")
    why = "TypeError: settings field 'token' has no metadata=setting(...)"
    assert result.stderr == f"error: mail type undescribed cannot be described: {why}\n"


@pytest.mark.parametrize("error", ["RuntimeError('swordfish')", "SystemExit('swordfish')"])
def test_an_unexpected_error_is_one_line_without_its_text(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """A bug ends in one line and exit 1; what its exception says stays out."""
    source = CLUMSY.replace("def close(self):\n            pass", f"def close(self):\n            raise {error}")
    assert error in source
    write_distribution(site, "clumsy", {"clumsy": "clumsy"}, modules={"clumsy": source})
    monkeypatch.setenv("MAIL_TYPE", "clumsy")
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "ada@example.com")
    result = run(*SEND)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(f"error: unexpected {error.partition('(')[0]}; postroom --debug shows where\n")


def test_debug_shows_the_dialogue_without_the_password(
    run: Run, configure: Configure, real_server: Callable[..., RealServer], ca: Certificates
) -> None:
    """`--debug` prints what went over the wire, the login masked."""
    server = real_server(tls=ca.good, login=("grace", "swordfish"))
    configure(
        server,
        SMTP_TLS_MODE="starttls",
        SMTP_CA_FILE=ca.ca_file,
        SMTP_USERNAME="grace",
        SMTP_PASSWORD="swordfish",
    )
    result = run("--debug", *SEND)
    assert result.exit_code == 0
    assert "AUTH PLAIN ***" in result.stderr
    assert all(line.startswith("debug: ") for line in result.stderr.splitlines())
    assert "swordfish" not in result.output


def test_debug_adds_nothing_to_an_error_that_is_explained(
    run: Run, configure: Configure, smtp_server: Callable[..., SmtpServer]
) -> None:
    """A refusal, a lost connection and `--help` have no lines of code to show."""
    configure(smtp_server({"greeting": [Close(), b"554 no\r\n"]}))
    for arguments in (("doctor",), ("doctor",), ("doctor", "--help")):
        assert 'File "' not in run("--debug", *arguments).output


def test_debug_shows_where_a_foreign_error_comes_from_without_its_text(run: Run, clumsy: Callable[[str], None]) -> None:
    """`--debug` prints the lines of code behind a provider's bug, not what its exception quotes."""
    clumsy("RuntimeError")
    result = run("--debug", "doctor")
    assert result.exit_code == 1
    assert "builtins.RuntimeError" in result.stderr
    assert "in check_connection" in result.stderr
    assert result.stdout.splitlines()[0].endswith("check: unexpected RuntimeError in the provider")
    assert result.stdout.splitlines()[-1].endswith("It is a bug of the provider: report it with the traceback")
    assert '"swordfish"' not in result.output.replace('raise RuntimeError("swordfish")', "")


def test_interrupt_is_exit_130_and_says_what_may_have_happened(run: Run, clumsy: Callable[[str], None]) -> None:
    """Ctrl-C in the middle of a send ends without a traceback and tells which message may be on its way."""
    clumsy("KeyboardInterrupt")
    result = run(*SEND)
    assert result.exit_code == 130
    assert result.stderr.startswith("interrupted: the message may have been sent: look for <")
    assert result.stderr.rstrip().endswith("@example.org>")
    assert "Traceback" not in result.output


def test_a_real_interrupt_is_exit_130(smtp_server: Callable[..., SmtpServer], configure: Configure) -> None:
    """SIGINT to a process that waits for a silent server ends it at once."""
    server = smtp_server({"DATA": Silence()})
    configure(server)
    process = subprocess.Popen(
        [sys.executable, "-m", "postroom_cli", *SEND],
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore SIGINT, and what they start inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  no threads here
    )
    with process:
        end = time.monotonic() + 30
        while "DATA" not in server.commands and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.startswith("interrupted: ")


def test_runs_as_a_module_and_as_a_script() -> None:
    """`python -m postroom_cli` and the installed `postroom` are the same."""
    script = Path(sys.executable).with_name("postroom")
    by_script = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert postroom("--version").stdout == by_script.stdout == f"postroom {version('postroom-cli')}\n"


def test_the_module_runs_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Running the package calls the command line with the process's arguments."""
    monkeypatch.setattr(sys, "argv", ["postroom_cli", "providers"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("postroom_cli", run_name="__main__")
    assert ended.value.code == 0
    assert "smtp-basic" in capsys.readouterr().out


def test_works_on_a_stream_that_is_no_text_file() -> None:
    """Output that is caught by a plain `StringIO` is complete."""
    caught = io.StringIO()
    with contextlib.redirect_stdout(caught), pytest.raises(SystemExit):
        main(["--version"])
    assert caught.getvalue().startswith("postroom ")


def test_a_terminal_that_lacks_a_character_is_no_error(real_server: Callable[..., RealServer]) -> None:
    """What an encoding cannot show is escaped."""
    result = postroom("demo", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert r"Zo\xeb M\xfcller" in result.stdout


def test_colours_are_for_terminals_only() -> None:
    """A pipe gets no escape sequence, a terminal does."""
    assert "\x1b" not in postroom("providers", NO_COLOR="", TERM="xterm-256color").stdout
    leader, follower = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "postroom_cli", "providers"],
        stdout=follower,
        timeout=60,
        check=True,
        env={key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm-256color"},
    )
    os.close(follower)
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        assert b"\x1b[32mok" in terminal.read(65536)


def test_foreign_text_cannot_control_the_terminal(
    run: Run, configure: Configure, smtp_server: Callable[..., SmtpServer]
) -> None:
    """A reply with escape sequences is printed as one plain line."""
    configure(smtp_server({"MAIL": b"550 \x1b[31mred\x07\r\n"}))
    result = run(*SEND)
    assert result.exit_code == 1
    assert not {"\x1b", "\x07", "\r"} & set(result.output)
    assert len(result.stderr.splitlines()) == 1


def test_one_line_keeps_words_and_drops_controls() -> None:
    """Line ends become blanks, control and invisible characters too; letters of all languages stay."""
    assert one_line("Zoë\r\n 你好\x1b[0m\u202e!") == "Zoë 你好 [0m !"


def test_unknown_outcome_is_exit_3(run: Run, configure: Configure, smtp_server: Callable[..., SmtpServer]) -> None:
    """A server that goes away after the dot leaves the outcome open, and the exit code says so."""
    configure(smtp_server({".": Close()}))
    result = run(*SEND)
    assert result.exit_code == 3
    assert "The message may have been accepted: look for <" in result.stderr
