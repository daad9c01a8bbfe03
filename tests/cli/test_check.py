"""`postroom check`: what is configured, whether it works, and what to do if it does not."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import Result

from distributions import write_pigeon
from postroom import ProviderRegistry
from postroom_testing import Certificates
from postroom_testing.smtp import Close, SmtpServer
from smtp_servers import RealServer

Run = Callable[..., Result]
Configure = Callable[..., None]
Real = Callable[..., RealServer]
Scripted = Callable[..., SmtpServer]


@pytest.fixture
def secure(real_server: Real, ca: Certificates, configure: Configure) -> RealServer:
    """A server that wants STARTTLS and a login, and the environment that suits it."""
    server = real_server(tls=ca.good, login=("grace", "swordfish"))
    variables = {"SMTP_USE_TLS": "true", "SMTP_OPPORTUNISTIC_TLS": "true", "SMTP_CA_FILE": ca.ca_file}
    configure(server, SMTP_USERNAME="grace", SMTP_PASSWORD="swordfish", **variables)
    return server


def test_shows_the_configuration_and_says_ok(run: Run, secure: RealServer, ca: Certificates) -> None:
    """What is set is listed with its distribution, the password masked; the login is tried, nothing is sent."""
    result = run("check")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0] == f"provider    smtp-basic (postroom-smtp-basic {version('postroom-smtp-basic')})"
    assert [line.removeprefix("settings").strip() for line in lines[1:-1]] == [
        "MAIL_DEFAULT_SEND_FROM=postroom <sender@example.org>",
        "SMTP_SERVER=127.0.0.1",
        f"SMTP_PORT={secure.port}",
        "SMTP_USERNAME=grace",
        "SMTP_USE_TLS=true",
        "SMTP_OPPORTUNISTIC_TLS=true",
        f"SMTP_CA_FILE={ca.ca_file}",
        "SMTP_LOCAL_HOSTNAME=localhost",
        "SMTP_PASSWORD=***",
    ]
    assert lines[-1].startswith("ok ")
    assert len(secure.logins) == 1
    assert secure.messages == []


def test_reads_the_env_file(run: Run, secure: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--env-file` fills in what the environment lacks, and its secrets are masked as well."""
    monkeypatch.delenv("SMTP_PASSWORD")
    file = tmp_path / "mail.env"
    file.write_text("SMTP_PASSWORD=swordfish\nSMTP_PORT=1\n", encoding="utf-8")
    result = run("check", "--env-file", str(file))
    assert result.exit_code == 0
    assert "SMTP_PASSWORD=***" in result.stdout
    assert "swordfish" not in result.output


def test_names_variables_that_nothing_reads(run: Run, configure: Configure, real_server: Real) -> None:
    """An invented variable is pointed out by name alone: its value may be a secret in the wrong place."""
    configure(real_server(), SMTP_ENABLE_SSL="true", SMTP_PASS="swordfish")
    result = run("check")
    assert result.exit_code == 0
    said = "warning: smtp-basic: {} is none of its settings; {}\n"
    assert said.format("SMTP_ENABLE_SSL", "it changes nothing") in result.stderr
    assert said.format("SMTP_PASS", "did you mean SMTP_PASSWORD?") in result.stderr
    assert "swordfish" not in result.output


def test_says_when_there_is_no_default_sender(run: Run, configure: Configure, real_server: Real) -> None:
    """A missing MAIL_DEFAULT_SEND_FROM is no error, and a common cause of mail that is not sent."""
    configure(real_server(), MAIL_DEFAULT_SEND_FROM=" ")
    result = run("check")
    assert result.exit_code == 0
    assert "note        MAIL_DEFAULT_SEND_FROM is not set" in result.stdout


def test_works_for_a_provider_it_never_heard_of(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's settings are shown and its secret is masked, with no table of names anywhere."""
    write_pigeon(site, version="2.3")
    monkeypatch.setenv("MAIL_TYPE", "Pigeon")
    monkeypatch.setenv("PIGEON_LOFT", "roof")
    monkeypatch.setenv("PIGEON_RING", "swordfish")
    result = run("check")
    assert result.exit_code == 0
    assert "provider    pigeon (acme-pigeon 2.3)\n" in result.stdout
    assert "PIGEON_LOFT=roof\n" in result.stdout
    assert "PIGEON_RING=***\n" in result.stdout


def test_a_wrong_password_is_exit_1_with_the_remedy(
    run: Run, secure: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused login shows the configuration, then one line that names the variables to check."""
    monkeypatch.setenv("SMTP_PASSWORD", "sword-fish")
    result = run("check")
    assert result.exit_code == 1
    assert "ok" not in result.stdout.split()
    assert "Check SMTP_USERNAME and SMTP_PASSWORD" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "sword-fish" not in result.output


def test_an_untrusted_certificate_is_exit_1_with_the_remedy(
    run: Run, secure: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the CA file the certificate is refused, and the variable that helps is named."""
    monkeypatch.delenv("SMTP_CA_FILE")
    result = run("check")
    assert result.exit_code == 1
    assert "set SMTP_CA_FILE" in result.stderr


def test_a_server_that_hangs_up_is_exit_1(run: Run, configure: Configure, smtp_server: Scripted) -> None:
    """Nothing is sent by a check, so no failure of it leaves anything unknown."""
    configure(smtp_server({"greeting": Close()}))
    result = run("check")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_mail_type_unset_is_exit_2(run: Run) -> None:
    """Nothing configured is said at once, with what may be set."""
    result = run("check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: MAIL_TYPE is not set: set it to {', '.join(ProviderRegistry().names())}\n"


def test_nothing_installed_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no provider at all, the advice is to install one."""
    monkeypatch.setattr("sys.path", [])
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr == "error: MAIL_TYPE is not set: set it to a provider, after you have installed one\n"


def test_all_problems_of_the_settings_come_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several mistakes are one line, and no value is quoted."""
    for name, value in {"MAIL_TYPE": "smtp", "SMTP_PORT": "swordfish", "SMTP_USE_TLS": "perhaps"}.items():
        monkeypatch.setenv(name, value)
    result = run("check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(variable in result.stderr for variable in ("SMTP_SERVER", "SMTP_PORT", "SMTP_USE_TLS"))
    assert len(result.stderr.splitlines()) == 1
    assert "swordfish" not in result.stderr
