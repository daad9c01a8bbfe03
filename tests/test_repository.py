"""The repository: rules that no tool checks, over every file that is or will be tracked."""

import ast
import fnmatch
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import postroom

ROOT = Path(__file__).parents[1]
LONGEST_MODULE = 250  # lines
BINARY = {".png", ".ico", ".woff2", ".gif", ".svg"}


def ours() -> list[Path]:
    """Return every file that git tracks or would add; without git, every file that `.gitignore` does not name."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            timeout=60,
            check=True,
        ).stdout.decode()
        found = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.SubprocessError):
        found = list(walked(ROOT))
    return sorted({path for path in found if path.is_file()})


def walked(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, but what `.gitignore` names."""
    ignored = [".git", *(line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").split())]
    for path in folder.iterdir():
        if not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored):
            if path.is_dir():
                yield from walked(path)
            else:
                yield path


FILES = ours()
MODULES = [path for path in FILES if path.suffix == ".py" and "src" in path.relative_to(ROOT).parts]
PLUGINS = [path for path in MODULES if path.relative_to(ROOT).parts[0] == "plugins"]
TESTS = [path for path in FILES if path.is_relative_to(ROOT / "tests") and path.name.startswith("test_")]


def named(path: Path) -> str:
    """Return the path of a file as a test's id."""
    return path.relative_to(ROOT).as_posix()


def lines() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every line of every text file."""
    for path in FILES:
        if path.suffix not in BINARY:
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                yield f"{named(path)}:{number}", line


def test_there_is_something_to_check() -> None:
    """The lists that the tests below go through are not empty."""
    assert len(FILES) > 50
    assert len(MODULES) > 30
    assert len(PLUGINS) > 15
    assert Path(__file__).resolve() in [path.resolve() for path in TESTS]
    assert {path.resolve() for path in walked(ROOT)} >= {path.resolve() for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_digit_is_one_of_ten(path: Path) -> None:
    """Python's words for digits mean those of every script; what others write is read by `whole_number` or [0-9]."""
    found = re.findall(r"\\d|\.(?:isdecimal|isdigit|isnumeric)\(", path.read_text("utf-8"))
    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_short(path: Path) -> None:
    """A module of a distribution holds one idea, in at most 250 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_MODULE


def warnings_of(path: Path) -> Iterator[tuple[int, object]]:
    """Yield the line and the text of each WARNING or ERROR that a module logs."""
    levels = {f"_log.{level}" for level in ("warning", "error", "exception", "critical")}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in levels:
            yield node.lineno, getattr(node.args[0], "value", None)


def test_a_warning_begins_like_the_line_at_info() -> None:
    """So `grep mail:` in the log of an application finds what was made and what is wrong with it."""
    found = [(f"{named(path)}:{line}", text) for path in MODULES for line, text in warnings_of(path)]
    assert len(found) > 5
    assert [each for each in found if not str(each[1]).startswith("mail: ")] == []


# The words are put together here, so that this file does not hold what it forbids.
PLACES = ["/ho" + "me/", "/Us" + "ers/", r"\Us" + "ers" + "\\", "/ro" + "ot/", "/wo" + "rk/", "/va" + "r/folders/"]
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "jfrog" + ".io", "artifact" + "ory", "/si" + "mple/"]
MARKS = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]


def package_hosts() -> set[str]:
    """Return the hosts that packages come from here: those of the lock file, and those that the environment names."""
    lock = ROOT / "uv.lock"
    said = re.findall(r'"(https?://[^"]+)"', lock.read_text("utf-8")) if lock.is_file() else []
    said += [word for key, value in os.environ.items() if key.startswith(("PIP_", "UV_")) for word in value.split()]
    hosts = {urlsplit(word).hostname for word in said if "://" in word}
    return {host for host in hosts if host and host != "github.com"}


@pytest.mark.parametrize("place", PLACES)
def test_no_path_of_a_developers_machine(place: str) -> None:
    """No file holds the path of somebody's home or workspace."""
    assert [f"{where}: {line.strip()}" for where, line in lines() if place in line] == []


def test_no_package_host() -> None:
    """No file names the host that packages were downloaded from."""
    forbidden = {*HOSTS, *package_hosts()}
    found = [f"{where}: {line.strip()}" for where, line in lines() if any(host in line.lower() for host in forbidden)]
    assert found == []


@pytest.mark.parametrize("mark", MARKS)
def test_nothing_is_left_for_later(mark: str) -> None:
    """No file holds a mark of unfinished work."""
    assert [f"{where}: {line.strip()}" for where, line in lines() if re.search(rf"\b{mark}\b", line)] == []


def test_no_lock_file() -> None:
    """No lock file is kept: it names package hosts."""
    patterns = ["*.lock", "*.lock.json", "*-lock.json", "*-lock.yaml", "pylock*.toml", "requirements*.txt"]
    assert [named(path) for path in FILES if any(fnmatch.fnmatch(path.name, each) for each in patterns)] == []


def test_the_licence_is_the_same_everywhere() -> None:
    """Each distribution carries the licence of the repository, word by word."""
    licence = (ROOT / "LICENSE").read_bytes()
    ours = [path for path in FILES if path.name == "pyproject.toml" and not path.is_relative_to(ROOT / "tests")]
    projects = [path.parent for path in ours]
    assert len(projects) >= 5
    assert [named(project) for project in projects if (project / "LICENSE").read_bytes() != licence] == []


def imports(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each module that a file imports, anywhere in it, with the names taken from it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), [alias.name for alias in node.names]


@pytest.mark.parametrize("path", PLUGINS, ids=named)
def test_a_plugin_imports_what_is_public(path: Path) -> None:
    """A plugin imports from `postroom` what its `__all__` names, and nothing from its submodules."""
    for module, names in imports(path):
        assert not module.startswith("postroom."), module
        if module == "postroom":
            assert set(names) <= set(postroom.__all__)


@pytest.mark.parametrize("path", PLUGINS, ids=named)
def test_plugins_do_not_import_each_other(path: Path) -> None:
    """A plugin imports no other plugin but what it builds on: SMTP, HTTP, and for tests the provider in memory."""
    own = path.relative_to(ROOT).parts[3]
    bases = {
        "postroom_smtp_oauth2": {"postroom_smtp", "postroom_http"},  # its tokens come by HTTP
        "postroom_smtp": {"postroom_smtp"},
        "postroom_testing": {"postroom_memory"},
    }
    allowed = {own, *next((base for prefix, base in bases.items() if own.startswith(prefix)), {"postroom_http"})}
    used = {module.partition(".")[0] for module, _ in imports(path)}
    assert {each for each in used if each.startswith("postroom_")} <= allowed


# All of an enumeration, as a value: what a newer core adds to it would be in it, too.
WHOLE = re.compile(r"(?:=\s*|\*|\bin |\b(?:frozenset|set|list|tuple|sorted)\()Capability\b(?!\.)")
LISTING = ROOT / "docs" / "hooks.py"  # the page has a row for each capability that there is


@pytest.mark.parametrize(
    "said", ["capabilities=Capability,", "frozenset(Capability)", "[*Capability]", "for each in Capability if each"]
)
def test_all_capabilities_at_once_are_recognised(said: str) -> None:
    """The check below finds each way to write them, and none that names one."""
    assert WHOLE.search(said)
    assert not WHOLE.search(said.replace("Capability", "Capability.TAGS"))


def test_no_provider_declares_what_it_has_not_heard_of() -> None:
    """A provider names each capability: all that there are would be more under a newer core, and be dropped."""
    texts = [path for path in FILES if path.suffix in {".py", ".md", ".tmpl"} and path not in {*TESTS, LISTING}]
    assert any(WHOLE.search(path.read_text("utf-8")) for path in [LISTING])
    assert [named(path) for path in texts if WHOLE.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_importing_a_module_does_no_work(path: Path) -> None:
    """No module calls something for its effect when it is imported, as to configure logging or to filter warnings."""
    body = ast.parse(path.read_text("utf-8")).body
    called = [node for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    assert [ast.unparse(node) for node in called] == []


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_every_test_says_what_it_shows(path: Path) -> None:
    """Each test has a docstring of one sentence that states the behaviour."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            said = ast.get_docstring(node) or ""
            assert said.endswith((".", "?")), f"{node.name} has no docstring that is a sentence"
            assert "\n\n" not in said, f"{node.name} has a docstring of more than a sentence"
