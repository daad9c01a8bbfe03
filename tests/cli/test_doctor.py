"""`postroom doctor`: provenance, warnings, the JSON, and what it never does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from click.testing import Result

from distributions import write_pigeon
from postroom_cli.doctor import Report, examine, worker
from postroom_testing import Certificates, write_distribution
from postroom_testing.smtp import SmtpServer
from smtp_servers import RealServer

Run = Callable[..., Result]
Configure = Callable[..., None]
Real = Callable[..., RealServer]
Scripted = Callable[..., SmtpServer]

PIGEON = '''
    """A provider that knows two failures of its own, and how to go its way."""

    import attrs
    from postroom import MailAuthError, MailRejectedError, Provider, Rule, SenderSettings, Step, hookimpl, setting

    RULES = (
        Rule(
            meaning="The pigeon does not know the way", remedy="Teach it the way to {loft}",
            source="https://pigeons.example/ways", stage="auth", text="lost",
        ),
        Rule(
            meaning="The roll is too heavy", remedy="Write less, or set {grains} higher",
            source="https://pigeons.example/weight", code="413",
        ),
    )


    @attrs.frozen(kw_only=True)
    class PigeonSettings(SenderSettings):
        loft: str = attrs.field(metadata=setting("where the pigeons live"))
        grains: int = attrs.field(default=10, metadata=setting("what one flight costs"))


    @attrs.frozen
    class Pigeon:
        settings: PigeonSettings

        def deliver(self, message):
            raise MailRejectedError("it did not take off", stage="send", code=413)

        def probe(self, sender, recipient):
            yield Step("feed", f"{self.settings.grains} grains", {"grains": self.settings.grains})
            if self.settings.loft == "nowhere":
                raise MailAuthError("it is lost", stage="auth")

        def is_configured(self):
            return True

        def check_connection(self):
            list(self.probe(None, None))

        def close(self):
            pass


    @hookimpl
    def postroom_provider():
        return Provider("pigeon", PigeonSettings, Pigeon, rules=RULES)
'''


@pytest.fixture
def secure(real_server: Real, ca: Certificates, configure: Configure) -> RealServer:
    """A server that wants STARTTLS and a login, and the environment that suits it."""
    server = real_server(tls=ca.good, login=("grace", "swordfish"))
    variables = {"SMTP_USE_TLS": "true", "SMTP_OPPORTUNISTIC_TLS": "true", "SMTP_CA_FILE": ca.ca_file}
    configure(server, SMTP_USERNAME="grace", SMTP_PASSWORD="swordfish", **variables)
    return server


def test_all_that_is_well_is_said(run: Run, secure: RealServer, ca: Certificates) -> None:
    """Each setting has its origin, each step what it found; the login is tried, nothing is sent."""
    result = run("doctor")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0] == "ok          everything up to the message itself works"
    assert lines[1] == f"provider    smtp-basic (postroom-smtp-basic {version('postroom-smtp-basic')})"
    assert lines[2] == "settings    MAIL_TYPE=smtp (environment)"
    for setting in (
        "MAIL_DEFAULT_SEND_FROM=postroom <sender@example.org> (environment)",
        f"SMTP_PORT={secure.port} (environment)",
        f"SMTP_CA_FILE={ca.ca_file} (environment)",
        "SMTP_PASSWORD=*** (environment)",
        "SMTP_DEADLINE=180 (default)",
        "SMTP_TLS_MODE= (default)",
    ):
        assert setting in lines
    steps = [line.split()[0] for line in result.stdout.splitlines() if " s, " in line]
    assert steps == ["dns", "connect", "greeting", "tls", "ehlo", "auth", "mail"]
    assert lines[-1] == "remedy      To see a mail arrive: postroom doctor --send-to ADDRESS"
    assert len(secure.logins) == 1
    assert secure.messages == []


def test_a_mail_is_sent_if_an_address_is_given(run: Run, secure: RealServer) -> None:
    """The recipient is asked about first; then one mail arrives, and the receipt is in the report."""
    result = run("doctor", "--json", "--send-to", "ada@example.com")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"], report["failed"]) == (0, True, None)
    assert [step["name"] for step in report["steps"]][-3:] == ["mail", "rcpt", "send"]
    (message,) = secure.messages
    assert message.rcpt_tos == ["ada@example.com"]
    assert report["receipt"]["provider_id"].startswith("OK queued as 1")
    assert report["receipt"]["message_id"].encode() in message.content
    assert report["cause"] == "a mail to ada@example.com is accepted"
    assert report["remedy"] is None


def test_quotes_around_a_password_are_the_remedy(run: Run, secure: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses the login, and what is wrong with the password is said beside it, without the password."""
    monkeypatch.setenv("SMTP_PASSWORD", "'swordfish'")
    monkeypatch.setenv("SMTP_USERNAME", "grace ")
    result = run("doctor", "--json")
    report = json.loads(result.stdout)
    assert (report["failed"], report["error"]["class"]) == ("auth", "MailAuthError")
    assert [(warning["text"].partition(",")[0], warning["remedy"]) for warning in report["warnings"]] == [
        ("SMTP_USERNAME: it ends with a blank: write it without the blank", "Write SMTP_USERNAME without the blank"),
        ("SMTP_PASSWORD: it is in quotes", "Write SMTP_PASSWORD without quotes"),
    ]
    assert report["remedy"] == "Write SMTP_PASSWORD without quotes"
    assert "swordfish" not in result.output
    assert secure.messages == []


def test_the_file_stands_behind_the_environment(
    run: Run, secure: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The origin of a value is the file or the environment; an empty variable that hides the file's is pointed out."""
    monkeypatch.delenv("SMTP_PASSWORD")
    monkeypatch.setenv("SMTP_USERNAME", "")
    file = tmp_path / "mail.env"
    file.write_text("SMTP_PASSWORD=swordfish\nSMTP_PORT=1\nSMTP_USERNAME=grace\nMAIL_TYPE=smtp\n", encoding="utf-8")
    result = run("doctor", "--env-file", str(file))
    assert f"SMTP_PASSWORD=*** ({file})" in result.stdout
    assert f"SMTP_PORT={secure.port} (environment)" in result.stdout
    assert f"SMTP_PORT differs between the environment and {file}: the environment's value counts" in result.stdout
    assert f"SMTP_USERNAME is empty in the environment, which hides its value in {file}" in result.stdout
    assert "MAIL_TYPE differs" not in result.stdout
    assert "swordfish" not in result.output


def test_the_configuration_object_goes_first(secure: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application is examined from within with its own object, an attribute or a key for each variable."""
    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    for config in ({"SMTP_PASSWORD": "swordfish"}, SimpleNamespace(SMTP_PASSWORD="swordfish", SMTP_TIMEOUT=None)):
        report = examine(config)
        assert report.failed is None, report.cause
        origins = {setting.variable: setting.origin for setting in report.settings}
        assert origins["SMTP_PASSWORD"] == "config object"
        assert origins["SMTP_USERNAME"] == "environment"
        assert origins["SMTP_TIMEOUT"] == "default"


def test_a_slip_in_the_configuration_object_is_found(run: Run, secure: RealServer) -> None:
    """A mapping, as Flask's is, is looked through for variables that nothing reads."""
    report = examine({"SMTP_PASSWROD": "swordfish"})
    assert [each.remedy for each in report.warnings] == ["Rename SMTP_PASSWROD to SMTP_PASSWORD"]


def test_an_example_of_another_provider_is_no_warning(
    run: Run, secure: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dify's example sets an address and a key of Resend's that is none, whatever the provider."""
    monkeypatch.setenv("RESEND_API_URL", "https://api.resend.com")
    monkeypatch.setenv("RESEND_API_KEY", "your-resend-api-key")
    assert run("doctor").stdout.startswith("ok          everything up to the message itself works\n")


def test_another_provider_that_is_configured_is_named_once(run: Run, secure: RealServer) -> None:
    """SMTP has two names, its own and the family's, and is one provider."""
    report = examine({"MAIL_TYPE": "console"})
    assert [each.text for each in report.warnings] == ["smtp-basic is configured as well, and mail goes by console"]


def test_a_provider_that_is_written_badly_hurts_nobody(run: Run, site: Path, secure: RealServer) -> None:
    """Its settings cannot even be listed; another one is examined and explained all the same."""
    source = PIGEON.replace('metadata=setting("where the pigeons live")', "default=1")
    write_distribution(site, "acme-pigeon", {"pigeon": "pigeon_plugin"}, modules={"pigeon_plugin": source})
    assert run("doctor").exit_code == 0
    assert run("explain", "535").exit_code == 0


def test_a_provider_can_be_named(run: Run, secure: RealServer) -> None:
    """Whatever `MAIL_TYPE` says, the one that the option names is looked at."""
    result = run("doctor", "--provider", "resend")
    assert result.exit_code == 2
    assert result.stdout.startswith("failed      configuration: RESEND_API_KEY is not set")
    assert "MAIL_TYPE=resend (option)" in result.stdout


def test_the_json_has_all_of_it_in_any_case(run: Run, secure: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are the same whether all is well, a step fails, or nothing is configured."""
    keys = {"schema", "ok", *(field.name for field in attrs.fields(Report))}
    well = json.loads(run("doctor", "--json").stdout)
    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    failed = json.loads(run("doctor", "--json").stdout)
    monkeypatch.delenv("MAIL_TYPE")
    unset = json.loads(run("doctor", "--json").stdout)
    assert well.keys() == failed.keys() == unset.keys() == keys
    assert [each["schema"] for each in (well, failed, unset)] == [1, 1, 1]
    assert [each["exit_code"] for each in (well, failed, unset)] == [0, 1, 2]
    assert failed["failed"] == failed["error"]["stage"] == failed["steps"][-1]["name"] == "auth"
    assert (failed["error"]["class"], failed["error"]["code"]) == ("MailAuthError", 535)
    assert (failed["error"]["outcome"], failed["error"]["transient"]) == ("not sent", False)
    assert failed["steps"][-1]["status"] == "failed"
    assert failed["source"].startswith("https://")
    tls = next(step for step in well["steps"] if step["name"] == "tls")
    assert tls["facts"]["verified"] is True
    assert tls["facts"]["days_left"] > 0


def test_a_provider_that_nobody_has_heard_of_is_explained(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outside provider's own rules are in the doctor's two lines, its steps in the table, its secrets masked."""
    write_distribution(site, "acme-pigeon", {"pigeon": "pigeon_plugin"}, modules={"pigeon_plugin": PIGEON})
    monkeypatch.setenv("MAIL_TYPE", "pigeon")
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "ada@example.com")
    monkeypatch.setenv("PIGEON_LOFT", "nowhere")
    lines = run("doctor").stdout.splitlines()
    assert lines[0] == "failed      auth: The pigeon does not know the way"
    assert any(line.startswith("feed ") and line.endswith("10 grains") for line in lines)
    assert lines[-2] == "see         https://pigeons.example/ways"
    assert lines[-1] == "remedy      Teach it the way to PIGEON_LOFT"
    monkeypatch.setenv("PIGEON_LOFT", "roof")
    lines = run("doctor", "--send-to", "grace@example.com").stdout.splitlines()
    assert lines[0] == "failed      send: The roll is too heavy"
    assert lines[-1] == "remedy      Write less, or set PIGEON_GRAINS higher"
    sent = run("send", "--to", "grace@example.com", "--subject", "Hello", "--text", "Hello")
    assert sent.stderr == "error: pigeon: it did not take off. Write less, or set PIGEON_GRAINS higher\n"
    assert "The pigeon does not know the way" in run("explain", "lost").stdout


def test_the_setting_that_chose_a_provider_is_no_stranger(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member of the family `smtp` by somebody else need not know `auth_type`, and a rule may name it all the same."""
    source = PIGEON.replace('Provider("pigeon"', 'Provider("smtp-pigeon"').replace(
        "rules=RULES", 'rules=RULES, env_prefix="SMTP_"'
    )
    source = source.replace("Teach it the way to {loft}", "Set {auth_type} to another bird")
    write_distribution(site, "acme-pigeon", {"smtp-pigeon": "pigeon_plugin"}, modules={"pigeon_plugin": source})
    variables = {"MAIL_TYPE": "smtp", "SMTP_AUTH_TYPE": "pigeon", "SMTP_LOFT": "roof"}
    for name, value in {**variables, "MAIL_DEFAULT_SEND_FROM": "ada@example.com"}.items():
        monkeypatch.setenv(name, value)
    report = json.loads(run("doctor", "--json").stdout)
    assert (report["provider"], report["ok"], report["warnings"]) == ("smtp-pigeon", True, [])
    monkeypatch.setenv("SMTP_LOFT", "nowhere")
    assert run("doctor").stdout.splitlines()[-1] == "remedy      Set SMTP_AUTH_TYPE to another bird"
    monkeypatch.setenv("SMTP_AUTH_TYP", "pigeon")
    assert "SMTP_AUTH_TYP is none of the settings of smtp-pigeon: did you mean SMTP_AUTH_TYPE?" in run("doctor").stdout


def test_a_sender_that_no_mail_can_come_from_is_a_failed_step(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of an outside provider, with its rule and page; the way is not even begun."""
    limits = """RULES, limits=[
        Limit(
            "short names", lambda message: message.from_.name if len(message.from_.name) > 9 else None,
            source="https://pigeons.example/names",
        ),
    ])"""
    source = PIGEON.replace("import MailAuthError", "import Limit, MailAuthError").replace("RULES)\n", f"{limits}\n")
    write_distribution(site, "acme-pigeon", {"pigeon": "pigeon_plugin"}, modules={"pigeon_plugin": source})
    monkeypatch.setenv("MAIL_TYPE", "pigeon")
    monkeypatch.setenv("PIGEON_LOFT", "roof")
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "Ada Countess of Lovelace <ada@example.com>")
    said = "Every message of the default sender is refused: the provider takes short names"
    result = run("doctor")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0] == f"failed      sender: {said}"
    (step,) = [line for line in lines if " s, " in line]
    assert step.startswith("sender ")
    assert "failed: every message from Ada Countess of Lovelace <ada@example.com> is refused: " in step
    assert lines[-2:] == [
        "see         https://pigeons.example/names",
        "remedy      Change MAIL_DEFAULT_SEND_FROM",
    ]
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "Ada <ada@example.com>")
    assert run("doctor").exit_code == 0


def test_a_proxy_that_cannot_be_used_is_a_failed_step(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable and the package are named; the password is not shown, and the CAs are not blamed."""
    monkeypatch.setitem(sys.modules, "socks", None)  # as if PySocks were not installed
    for name in ("HTTPS_PROXY", "https_proxy", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://user:swordfish@127.0.0.1:1080")
    monkeypatch.setenv("MAIL_TYPE", "resend")
    monkeypatch.setenv("RESEND_API_KEY", "re_123")
    result = run("doctor")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0] == (
        "failed      proxy: The proxy that the environment names speaks SOCKS, and the package for that is missing"
    )
    assert lines[-1].startswith('remedy      Run pip install "requests[socks]", or set ALL_PROXY to')
    assert "warning     ALL_PROXY: it speaks SOCKS, and PySocks is not installed" in result.stdout
    assert "swordfish" not in result.output
    assert "CA_FILE and" not in result.stdout


def test_a_provider_without_steps_is_checked_as_a_whole(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's settings are shown and its secret is masked, with no table of names anywhere."""
    write_pigeon(site, version="2.3")
    for name, value in {"MAIL_TYPE": "Pigeon", "PIGEON_LOFT": "roof", "PIGEON_RING": "swordfish"}.items():
        monkeypatch.setenv(name, value)
    result = run("doctor")
    assert result.exit_code == 0
    assert "provider    pigeon (acme-pigeon 2.3)\n" in result.stdout
    assert "PIGEON_LOFT=roof (environment)\n" in result.stdout
    assert "PIGEON_RING=*** (environment)\n" in result.stdout
    assert "check " in result.stdout


@pytest.mark.parametrize("sends", [False, True])
def test_nothing_keeps_the_doctor(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch, sends: bool) -> None:
    """A provider that never comes back is given up; a mail that it was sending may have gone."""
    hangs = "import threading; threading.Event().wait()"
    source = PIGEON.replace(
        'raise MailRejectedError("it did not take off", stage="send", code=413)' if sends else "yield Step(",
        hangs + ("" if sends else "; yield Step("),
    )
    write_distribution(site, "acme-pigeon", {"pigeon": "pigeon_plugin"}, modules={"pigeon_plugin": source})
    monkeypatch.setattr(worker, "LIMIT", 0.3)
    for name, value in {
        "MAIL_TYPE": "pigeon",
        "PIGEON_LOFT": "roof",
        "MAIL_DEFAULT_SEND_FROM": "a@example.com",
    }.items():
        monkeypatch.setenv(name, value)
    result = run("doctor", *(["--send-to", "grace@example.com"] if sends else []))
    assert result.exit_code == (3 if sends else 1)
    first, *_, last = result.stdout.splitlines()
    assert "nothing came back" in first
    assert ("may have been sent" in last) is sends


def test_without_any_provider_the_advice_is_to_install_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing installed there is nothing to set."""
    monkeypatch.setattr("sys.path", [])
    result = run("doctor")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[-1].startswith("remedy      Install a provider, such as postroom-smtp-basic")


def test_all_problems_of_the_settings_come_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several mistakes are one line; the secret among them is not quoted."""
    for name, value in {"MAIL_TYPE": "smtp", "SMTP_PORT": "none", "SMTP_USE_TLS": "perhaps"}.items():
        monkeypatch.setenv(name, value)
    result = run("doctor")
    assert result.exit_code == 2
    assert (
        result.stdout.splitlines()[-1]
        == "remedy      Set SMTP_SERVER and set SMTP_PORT to a whole number and set SMTP_USE_TLS to true or false"
    )


def test_a_value_cannot_move_the_terminal(run: Run, real_server: Real, configure: Configure) -> None:
    """Control characters of a variable or a server stay out of the output."""
    configure(real_server(), SMTP_USERNAME="grace\x1b[31m\nada", SMTP_PASSWORD="swordfish")
    result = run("doctor")
    assert "\x1b" not in result.output
    assert "SMTP_USERNAME=grace [31m ada (environment)" in result.stdout


def test_debug_shows_the_dialogue(run: Run, secure: RealServer) -> None:
    """What was said is on standard error, without the password; the report stays as it is."""
    result = run("--debug", "doctor")
    assert "EHLO" in result.stderr
    assert "swordfish" not in result.output
    assert result.stdout.startswith("ok ")


def test_it_is_a_program(secure: RealServer, ca: Certificates) -> None:
    """As a process of its own, with a pipe for its output, it says the same and exits with the same code."""
    environ = {**os.environ, "SMTP_PASSWORD": "wrong"}
    done = subprocess.run(
        [sys.executable, "-m", "postroom_cli", "doctor"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("failed      auth: ")
    assert done.stdout.splitlines()[-1].startswith("remedy      Check SMTP_USERNAME and SMTP_PASSWORD")


def test_a_reader_that_leaves_is_no_failure(secure: RealServer) -> None:
    """`postroom doctor | head -1` shows the cause, and exits like the doctor."""
    shell = f"{sys.executable} -m postroom_cli doctor | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok ")


def test_what_is_no_address_is_wrong_usage(run: Run, secure: RealServer) -> None:
    """It is said before anything is asked."""
    result = run("doctor", "--send-to", "ada at example.com")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--send-to" in result.stderr
    assert secure.logins == []


def test_a_file_that_cannot_be_read_is_said(run: Run, tmp_path: Path) -> None:
    """It is a wrong use, in one line."""
    file = tmp_path / "mail.env"
    file.write_bytes(b"SMTP_PASSWORD=\xff\xfe")
    result = run("doctor", "--env-file", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {file} is not UTF-8\n"
