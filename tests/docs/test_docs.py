"""The docs tell the truth: their code and commands run, and the settings and classes that they name exist."""

import json
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import attrs
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

import postroom
from postroom import (
    Capability,
    MailMessage,
    MailRecipientsError,
    MailSenderFactory,
    MailSendError,
    Outcome,
    ProviderRegistry,
    SettingInfo,
    describe,
)
from postroom_cli.doctor import Report
from postroom_cli.doctor.verdict import as_data
from postroom_smtp import microsoft
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import Reply
from postroom_smtp_oauth2 import plugin as smtp_oauth2
from postroom_smtp_oauth2.aadsts import RULES as AADSTS
from postroom_smtp_oauth2.clouds import CLOUDS
from postroom_testing import Certificates
from postroom_testing.http import HttpServer
from postroom_testing.http import Reply as HttpReply
from smtp_servers import RealServer

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "core" / "README.md",
    *sorted((ROOT / "plugins").glob("*/README.md")),
]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
DOCTOR = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
MICROSOFT = (ROOT / "docs" / "microsoft365.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take back what the example on logging does, which runs in this process."""
    logger = logging.getLogger("postroom")
    level, handlers = logger.level, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.handlers = handlers


def settings_of(name: str) -> list[SettingInfo]:
    """Return the settings of a provider."""
    provider = ProviderRegistry().provider(name, {})
    return describe(provider.settings, provider.env_prefix)


def run_commands(example: Example) -> None:
    """Run each line of a console block that begins with a dollar sign."""
    for line in str(example.parsed).splitlines():
        prompt, program, *arguments = shlex.split(line)
        assert (prompt, program) == ("$", "postroom"), "console blocks hold our own command and nothing else"
        command = [sys.executable, "-m", "postroom_cli", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


# Which page is about which provider.
PAGE_OF = {
    "smtp-basic": "smtp.md",
    "smtp-oauth2": "microsoft365.md",
    "resend": "resend.md",
    "sendgrid": "sendgrid.md",
    "console": "development.md",
    "file": "development.md",
    "memory": "development.md",
}

PARSER = Sybil([PythonCodeBlockParser(), CodeBlockParser("console", run_commands)])


@pytest.fixture
def application(ca: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealServer]:
    """Yield a server that demands TLS and a login, with folder and environment as the pages assume them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.setattr("postroom.factory._default", {})  # observers of one page stay with that page
    with RealServer(tls=ca.good, login=("no-reply@example.com", "a password")) as server:
        variables = {
            "MAIL_TYPE": "smtp",
            "MAIL_DEFAULT_SEND_FROM": "Example <no-reply@example.com>",
            "SMTP_SERVER": server.host,
            "SMTP_PORT": str(server.port),
            "SMTP_USERNAME": "no-reply@example.com",
            "SMTP_PASSWORD": "a password",
            "SMTP_TLS_MODE": "starttls",
            "SMTP_CA_FILE": ca.ca_file,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_runs(page: Path, application: RealServer) -> None:
    """The Python and console blocks of a page run, from top to bottom."""
    for example in PARSER.parse(page).examples():
        example.evaluate()


def test_the_quickstart_delivers(application: RealServer) -> None:
    """Each mail that the quickstart sends arrives."""
    for example in PARSER.parse(ROOT / "docs" / "quickstart.md").examples():
        example.evaluate()
    subjects = [re.findall(rb"^Subject: (.*)\r$", mail.content, re.MULTILINE) for mail in application.messages]
    assert subjects == [[b"Hello"], [b"Your code"], [b"Report"], [b"Report"]]


def test_every_variable_in_the_docs_is_a_setting() -> None:
    """A variable that a page names is read by a provider."""
    known = {info.variable for name in PAGE_OF for info in settings_of(name)} | {"MAIL_TYPE"}
    assert {*re.findall(r"\b(?:SMTP|MAIL|RESEND|SENDGRID)_[A-Z0-9_]*[A-Z0-9]\b", TEXT)} <= known


def rendered(file: str) -> str:
    """Return a page with what the code puts into it."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import hooks  # noqa: PLC0415  not a package: MkDocs loads it by its path
    finally:
        sys.path.pop(0)
    return str(hooks.on_page_markdown((ROOT / "docs" / file).read_text(encoding="utf-8")))


def test_every_provider_has_a_page() -> None:
    """Each provider that is installed has a page in the docs."""
    registry = ProviderRegistry()
    assert {registry.provider(name, {}).name for name in registry.names()} == {*PAGE_OF}


@pytest.mark.parametrize("name", PAGE_OF)
def test_a_page_on_a_provider_has_every_setting(name: str) -> None:
    """The page on a provider gets one row for each of its settings, made from the settings class."""
    page = rendered(PAGE_OF[name])
    for info in settings_of(name):
        assert f"| `{info.variable}` | `{info.field}` | {info.help} |" in page


def test_what_each_provider_carries_is_listed() -> None:
    """The page on capabilities has a column for each provider, and says of each part whether it is carried."""
    page = rendered("capabilities.md")
    (head,) = re.findall(r"^\|  \| (.*) \|$", page, re.MULTILINE)
    names = re.findall(r"`([\w-]+)`", head)
    assert names == sorted(PAGE_OF)
    for capability in Capability:
        (row,) = re.findall(rf"^\| {capability.value} \| (.*) \|$", page, re.MULTILINE)
        carried = [capability in ProviderRegistry().provider(name, {}).capabilities for name in names]
        assert [cell == "yes" for cell in row.split(" | ")] == carried


def test_every_limit_is_listed_with_its_source() -> None:
    """The page on capabilities has each rule of each provider, with a link to where it comes from."""
    page = rendered("capabilities.md")
    for name in PAGE_OF:
        for limit in ProviderRegistry().provider(name, {}).limits:
            assert f"- {limit.rule} ([source]({limit.source}))" in page


@pytest.mark.parametrize(("file", "name"), [("resend.md", "resend"), ("sendgrid.md", "sendgrid")])
def test_every_answer_of_a_service_is_what_the_page_says(
    file: str, name: str, http_server: Callable[..., HttpServer]
) -> None:
    """The page on a service says of each of its answers which error it becomes, and whether it may pass."""
    page = (ROOT / "docs" / file).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d{3}.*?) \| `(Mail\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert len(rows) >= 10
    for answers, kind, verdict in rows:
        for reply in as_replies(answers, name):
            config = {"api_key": "a-key", "api_url": http_server(reply).url, "default_from": "no-reply@example.com"}
            with MailSenderFactory.create_sender(name, config) as sender, pytest.raises(MailSendError) as caught:
                sender.send(MailMessage("grace@example.com", "-", text="-"))
            error = caught.value
            assert (type(error).__name__, error.transient) == (kind, verdict.startswith("yes")), answers
            assert (error.outcome is Outcome.UNKNOWN) == ("*unknown*" in verdict), answers
            assert (error.outcome is Outcome.UNKNOWN and error.safe_to_retry) == ("safe" in verdict), answers


def as_replies(answers: str, name: str) -> Iterator[HttpReply]:
    """Yield what a row of a page speaks of: `400, 422`, or a status with its name, text or field."""
    for status, field, word in re.findall(r"(\d{3})(?:(, field)? `([^`]+)`)?", answers):
        if name == "resend":
            yield HttpReply(int(status), {"name": word or "any_name", "message": "-", "statusCode": int(status)})
        else:
            error = {"field": word if field else None, "message": "-" if field else word or "-", "help": None}
            yield HttpReply(int(status), {"errors": [error]})


def test_every_cloud_is_listed_with_its_presets() -> None:
    """The page on Microsoft 365 has a row for each cloud, with the presets that the code has, and no other."""
    rows = re.findall(r"^\| `([\w-]+)` \| `(https://[^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", MICROSOFT, re.MULTILINE)
    assert rows == [(name, cloud.authority, cloud.scope, cloud.server) for name, cloud in CLOUDS.items()]


def test_every_code_of_the_identity_service_is_explained() -> None:
    """The page on Microsoft 365 has a row for each known code, with the variables of its remedy, and no other."""
    rows = dict(re.findall(r"^\| `AADSTS(\d+)` \| (.*) \|$", MICROSOFT, re.MULTILINE))
    known = {
        str(rule.text)[6:]: rule.named(smtp_oauth2.postroom_provider().variables)
        for rule in AADSTS
        if str(rule.text).startswith("AADSTS")
    }
    assert rows.keys() == known.keys()
    for code, rule in known.items():
        assert {*re.findall(r"SMTP_\w+", rule.remedy)} == {*re.findall(r"SMTP_\w+", rows[code])}, code
        assert rule.transient == ("transient" in rows[code]), code


def test_every_known_reply_of_exchange_is_explained() -> None:
    """The page on Microsoft 365 says of each reply what the code makes of it, and leaves out no reply that it knows."""
    rows = re.findall(r"^\| `(\d{3}) ([^`]+)` \| `(\w+)` \| (yes|no) \| (.*) \|$", MICROSOFT, re.MULTILINE)
    explained = set()
    for code, text, kind, transient, advice in rows:
        reply = Reply(int(code), (text,))
        stage = Stage.AUTH if kind == "MailAuthError" else Stage.FINAL
        error = from_reply(reply, stage, "smtp.office365.com:587")
        assert (type(error).__name__, error.transient) == (kind, transient == "yes"), text
        rule = microsoft.explain(reply, "smtp.office365.com:587")
        if rule is not None:
            explained.add(rule.meaning)
            # One of the remedy's commands, unless the page has sent the reader to a step that has it.
            commands = re.findall(r"(?:Set|Add)-\w+", rule.remedy)
            assert not commands or any(command in advice for command in commands), text
    assert explained == {rule.meaning for rule in microsoft.RULES}


def test_every_error_is_explained() -> None:
    """The page on errors has a row for each error class."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    explained = {*re.findall(r"^\| ` ?(\w+Error)`", page, re.MULTILINE)}
    assert explained == {name for name in postroom.__all__ if name.endswith("Error")}


def test_every_key_of_the_report_is_explained() -> None:
    """The page on doctor has a row for each key of the JSON, in its order; the example has the same."""
    parts = {name: get_args(hint)[0] for name, hint in get_type_hints(Report).items() if get_origin(hint) is list}
    assert [*parts] == ["settings", "warnings", "steps"]
    keys = ["schema", "ok"]
    for field in attrs.fields(Report):
        part = parts.get(field.name)
        keys += [field.name, *(f"{field.name}[].{each.name}" for each in (attrs.fields(part) if part else ()))]
        if field.name == "error":
            keys += [f"error.{key}" for key in as_data(MailRecipientsError("-", refused={}))]
    (section,) = re.findall(r"^## JSON$(.*?)^## ", DOCTOR, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `([\w.\[\]]+)` \|", section, re.MULTILINE) == keys
    (example,) = re.findall(r"^```json$(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    report = json.loads(example)
    assert [*report] == [key for key in keys if key.isidentifier()]
    assert {f"error.{key}" for key in report["error"]} == {key for key in keys if "error." in key} - {"error.refused"}
    for name, part in parts.items():
        assert all([*each] == [field.name for field in attrs.fields(part)] for each in report[name])


def test_the_first_lines_of_doctor_are_what_it_says() -> None:
    """What the page has as the first line after a failed step is the meaning of a rule."""
    registry = ProviderRegistry()
    meanings = {rule.meaning for name in PAGE_OF for rule in registry.provider(name, {}).rules}
    lines = re.findall(r"`failed (\w+): ([^`]+)`", DOCTOR)
    steps = [said for step, said in lines if step not in ("configuration", "provider")]
    assert len(steps) > 10
    assert [said for said in steps if said not in meanings] == []


def test_what_explain_prints_is_what_the_page_says() -> None:
    """The page on doctor shows the answer of `postroom explain` as it is."""
    command = [sys.executable, "-m", "postroom_cli", "explain", "AADSTS7000215"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert f"```text\n{done.stdout}```" in DOCTOR


def test_every_logger_is_listed() -> None:
    """The page on logging names every logger, and no other."""
    sources = [*(ROOT / "core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    page = (ROOT / "docs" / "logging.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\| `([\w.]+)`", page, re.MULTILINE)} == {*re.findall(r'getLogger\("([\w.]+)"\)', code)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(page: Path) -> None:
    """A relative link or picture of a page exists."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target
