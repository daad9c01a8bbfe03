"""The page for authors tells the truth: its commands and changes are run, from an empty folder to a wheel."""

import inspect
import json
import os
import re
import resource
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import postroom_testing.contract
from bare_environment import ROOT, Bare, Wheel, build, required
from postroom import hookspecs
from postroom_testing.contract import SenderContract
from postroom_testing.http import HttpServer, Reply, Request

PAGE = (ROOT / "docs" / "publish.md").read_text("utf-8")
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]
WHEEL = "postroom_mailbird-0.1.0-py3-none-any.whl"


@attrs.frozen
class Block:
    """A fenced block of the page."""

    kind: str
    """What stands behind the fence: `sh`, or `.diff .change` with a title."""
    text: str

    @property
    def title(self) -> str:
        """The file that it is about."""
        (title,) = re.findall(r'title="([^"]+)"', self.kind)
        return str(title)


def blocks() -> Iterator[Block]:
    """Yield the blocks of the page, from top to bottom."""
    for kind, text in re.findall(r"^```(.+?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        yield Block(kind.strip("{}"), text)


class Shell:
    """The terminal in which the author types what the page says.

    These lines are replaced, since they would ask a package index, and tests ask nobody: `python -m venv` and its
    activation by an environment without pip; `pip install` by unpacking our wheels and copying third parties' files,
    and for the author's own folder, a path file in place of the package; `twine` by a look at the wheel.
    """

    def __init__(self, folder: Path, wheels: dict[str, Wheel]) -> None:
        self.folder = folder
        self.said = ""
        """What the last command has said."""
        self.environ = {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "300"}
        self._wheels = wheels
        self._bare: Bare | None = None

    def type(self, line: str, *, fails: bool = False) -> None:
        """Do what a line says, or what stands for it."""
        command, _, rest = line.partition(" ")
        match command:
            case "python":
                assert rest == "-m venv .venv"
                self._bare = Bare(self.folder / ".venv", dict(self._wheels))
            case ".":
                assert rest == ".venv/bin/activate"
                self.environ["PATH"] = f"{self.bare.scripts}{os.pathsep}{os.environ['PATH']}"
            case "cd":
                self.folder /= rest
            case "export":
                self.environ |= dict(re.findall(r"(\w+)=(\S+)", rest))
            case "pip" if rest == "install --editable . --group dev":
                self._install_own()
            case "pip" if rest == "install postroom-cli":
                self.bare.install("postroom-cli")
            case "pip" | "twine":
                assert line in ("pip install twine", "twine upload dist/*")
                assert (self.folder / "dist" / WHEEL).is_file()
            case _:
                self._run(line, fails=fails)

    def change(self, file: str, text: str) -> None:
        """Change a file as a diff says whose lines are next to each other."""
        before = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] in " -")
        after = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] in " +")
        path = self.folder / file
        content = path.read_text("utf-8")
        assert content.count(before) == 1, f"{file} holds {content.count(before)} times\n{before}"
        path.write_text(content.replace(before, after), encoding="utf-8")

    @property
    def bare(self) -> Bare:
        """The environment."""
        assert self._bare is not None, "the page makes no environment before this line"
        return self._bare

    def _install_own(self) -> None:
        group = tomllib.loads((self.folder / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["dev"]
        for name in required(group):
            self.bare.install(name)
        wheel = build([self.folder], self.folder.parent / "editable")["postroom-mailbird"]
        self.bare.wheels[wheel.name] = wheel
        self.bare.install(wheel.name)
        shutil.rmtree(self.bare.site / wheel.package)
        (self.bare.site / f"{wheel.package}.pth").write_text(f"{self.folder / 'src'}\n", encoding="utf-8")

    def _run(self, line: str, *, fails: bool) -> None:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.said = done.stdout
        assert (done.returncode != 0) == fails, f"{line}\n{self.said}"


def answer(request: Request) -> Reply:
    """Answer as Mail Bird does."""
    return Reply(202, {"id": "0198f3a2"}) if request.method == "POST" else Reply(200, {})


def test_the_page_leads_from_an_empty_folder_to_a_wheel(wheels: dict[str, Wheel], tmp_path: Path) -> None:
    """Each command does what the page says, each change fits, and the wheel brings the provider."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shell = Shell(tmp_path, wheels)
    with HttpServer(answer=answer) as server:
        shell.environ["MAILBIRD_API_URL"] = server.url  # in place of the service itself
        for block in blocks():
            language, _, rest = block.kind.partition(" ")
            if language in ("sh", ".sh"):
                for line in block.text.splitlines():
                    shell.type(line, fails=rest == ".fails")
            elif language == ".diff":
                shell.change(block.title, block.text)
            elif rest == ".said":
                assert block.text in shell.said
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The processor's time, which does not depend on what else the machine does.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 120, "two minutes are promised"
    requests = [(request.method, request.path) for request in server.requests]
    assert requests == [("GET", "/account"), ("POST", "/messages")]
    assert server.requests[1].headers["authorization"] == "Bearer the-key-of-your-account"
    assert server.requests[1].json()["plain"] == "Hello from Mail Bird."

    made = Wheel("postroom-mailbird", shell.folder / "dist" / WHEEL)
    elsewhere = Bare(tmp_path / "elsewhere", {**wheels, made.name: made})
    elsewhere.install(made.name)
    script = "import json, postroom; print(json.dumps(postroom.MailSenderFactory.get_supported_types()))"
    assert elsewhere.script(script) == ["mailbird"]


def test_the_audit_log_works(wheels: dict[str, Wheel], tmp_path: Path) -> None:
    """The observer of the page writes one line for each message, sent or not, without what it says."""
    (source,) = (block.text for block in blocks() if ".py .file" in block.kind)
    assert len([line for line in source.splitlines() if line]) <= 22, "it says twenty lines, besides the imports"
    environment = Bare(tmp_path, wheels)
    environment.install("postroom-memory")
    (environment.site / "audit.py").write_text(source, encoding="utf-8")
    said = environment.script(
        """
        import contextlib, io, json, logging
        import audit
        from postroom import MailError, MailMessage, MailSenderFactory
        written = io.StringIO()
        logging.basicConfig(stream=written, level=logging.INFO, format="%(name)s %(message)s")
        with MailSenderFactory.create_sender("memory", {"default_from": "ada@example.com"}) as sender:
            sender.send(MailMessage("grace@example.com", "Your code", text="1234"))
            with contextlib.suppress(MailError):
                sender.send(MailMessage("grace@example.com", "Your code", text="1234", headers={"Bcc": "x"}))
        lines = [line.partition(" ")[2] for line in written.getvalue().splitlines() if line.startswith("audit ")]
        print(json.dumps(lines))
        """
    )
    (sent,) = map(json.loads, said)
    assert (sent["to"], sent["outcome"], sent["by"], sent["refused"]) == (
        ["grace@example.com"],
        "accepted",
        "memory",
        [],
    )
    assert "code" not in said[0]


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_described_as_its_specification_does(name: str) -> None:
    """The page has the signature of each hook, and the words of its contract."""
    ((signature, words),) = re.findall(rf"^### {name}\n\n```\{{.py .hook\}}\n(.*?)\n```\n\n(.*?)\n#", PAGE, re.M | re.S)
    hook = getattr(hookspecs, name)
    parameters = [f"{key}: {hook.__annotations__[key].__name__}" for key in inspect.signature(hook).parameters]
    returned = hook.__annotations__["return"]
    assert signature == f"{name}({', '.join(parameters)}) -> {getattr(returned, '__name__', returned)}"
    assert words.split() == str(inspect.getdoc(hook)).split()


def test_every_hook_is_on_the_page() -> None:
    """No hook is left out, and none is made up."""
    assert re.findall(r"^### (postroom_\w+)$", PAGE, re.MULTILINE) == HOOKS
    assert len(HOOKS) == 4


def rows(head: str) -> list[str]:
    """Return the first column of the table with this head."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)[^|]*` \|", table, re.MULTILINE)


def test_every_group_of_the_contract_is_on_the_page() -> None:
    """The page lists the groups of checks, and what the author supplies."""
    groups = [group.__name__ for group in SenderContract.__bases__]
    assert rows("group | what it asks") == groups
    (supplied,) = {base for group in SenderContract.__bases__ for base in group.__bases__}
    names = [*(name for name in supplied.__annotations__ if name[0] != "_"), "settings"]
    assert sorted(rows("attribute | what it is")) == sorted(names)


def test_what_is_promised_is_there() -> None:
    """The modules whose `__all__` the page promises to keep have one."""
    promised = re.findall(r"`(postroom_testing[.\w]*)`", PAGE.partition("## What will not break")[2])
    assert len(promised) == 4
    for name in promised:
        assert __import__(name, fromlist=["__all__"]).__all__
    assert {"HttpService", "Service", "SmtpService", "Case", "Expected"} <= {*postroom_testing.contract.__all__}
