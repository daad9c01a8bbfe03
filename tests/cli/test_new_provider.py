"""`postroom new-provider`: what it writes is a distribution that keeps the contract as it is."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from authoring import check_code, check_contract
from bare_environment import build
from postroom_testing import write_distribution

Run = Callable[..., Result]

ROOT = Path(__file__).parents[2]
LONGEST = "abcdefghij-klmnopqrst-uvwxyzab"  # 30 characters
WRONG = ["Mailbird", "mail_bird", "mail--bird", "mail-", "2mail", "mail bird", "postroom-", "brï", "../x", "x\n"]
FILES = {
    ".github/workflows/ci.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "src/postroom_mail_bird/__init__.py",
    "src/postroom_mail_bird/plugin.py",
    "src/postroom_mail_bird/py.typed",
    "src/postroom_mail_bird/sender.py",
    "src/postroom_mail_bird/settings.py",
    "tests/test_contract.py",
    "tests/test_mail_bird.py",
}
HTTP_FILES = {"src/postroom_mail_bird/payload.py", "src/postroom_mail_bird/rules.py"}


def generated(run: Run, folder: Path, name: str, *options: str) -> Path:
    """Let the command write a distribution, and return its folder."""
    result = run("new-provider", name, "--into", str(folder), *options)
    assert result.exit_code == 0, result.output
    return folder / f"postroom-{name}"


def files(folder: Path) -> set[str]:
    """Return the paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", [(), ("--smtp",)], ids=["http", "smtp"])
@pytest.mark.parametrize("name", ["mail-bird", "class", "testmail"])
def test_what_is_written_keeps_the_contract(run: Run, tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    """Its wheel can be built, and with that installed, its contract and its tests pass, even as `class` or `test…`."""
    folder = generated(run, tmp_path, name, *options)
    (wheel,) = build([folder], tmp_path / "built").values()
    check_contract(folder, wheel, tmp_path / "site")


@pytest.mark.parametrize("options", [(), ("--smtp",)], ids=["http", "smtp"])
@pytest.mark.parametrize(
    ("name", "words"), [("m", "M"), ("import", "None"), (LONGEST, "Ünïcode title, 40 characters, it's a lot")]
)
def test_what_is_written_is_clean(run: Run, tmp_path: Path, name: str, words: str, options: tuple[str, ...]) -> None:
    """Whatever it is called, its code is formatted, and ruff and mypy in strict mode have nothing to say."""
    folder = generated(run, tmp_path, name, "--title", words, "--author", words, *options)
    check_code(folder)


def test_what_is_written_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is printed, and then the next three commands."""
    monkeypatch.chdir(tmp_path)
    result = run("new-provider", "mail-bird")
    assert (result.exit_code, result.stderr) == (0, "")
    *lines, first, second, third = result.stdout.splitlines()
    written = [line.removeprefix("written     postroom-mail-bird/") for line in lines]
    assert {*written} == files(tmp_path / "postroom-mail-bird") == FILES | HTTP_FILES
    assert first == "next        cd postroom-mail-bird"
    assert [second.strip(), third.strip()] == ["pip install --editable . --group dev", "pytest"]


def test_smtp_has_a_login_in_place_of_a_payload(run: Run, tmp_path: Path) -> None:
    """`--smtp` writes a mechanism for the login, and builds on postroom-smtp."""
    folder = generated(run, tmp_path, "mail-bird", "--smtp")
    assert files(folder) == FILES | {"src/postroom_mail_bird/login.py"}
    assert '"postroom-smtp>=' in (folder / "pyproject.toml").read_text("utf-8")


def test_title_and_author_are_where_they_belong(run: Run, tmp_path: Path) -> None:
    """The title is what people see, the author holds the copyright."""
    folder = generated(run, tmp_path, "mail-bird", "--title", "MailBird 2", "--author", "Ada Lovelace")
    assert 'title="MailBird 2"' in (folder / "src/postroom_mail_bird/plugin.py").read_text("utf-8")
    assert re.search(r"^Copyright \(c\) \d{4} Ada Lovelace$", (folder / "LICENSE").read_text("utf-8"), re.MULTILINE)
    assert 'authors = [{ name = "Ada Lovelace" }]' in (folder / "pyproject.toml").read_text("utf-8")


def test_title_and_author_have_defaults(run: Run, tmp_path: Path) -> None:
    """Without them, the title comes from the name, and the authors are those of the distribution."""
    folder = generated(run, tmp_path, "mail-bird")
    assert 'title="Mail Bird"' in (folder / "src/postroom_mail_bird/plugin.py").read_text("utf-8")
    assert " the authors of postroom-mail-bird\n" in (folder / "LICENSE").read_text("utf-8")


def test_the_distributions_name_is_the_providers_too(run: Run, tmp_path: Path) -> None:
    """`postroom-` in front of the name is taken off, so it does not come twice."""
    result = run("new-provider", "postroom-mailbird", "--into", str(tmp_path))
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["postroom-mailbird"]


@pytest.mark.parametrize("name", [*WRONG, f"{LONGEST}c"])
def test_a_wrong_name_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    """A name that cannot be that of a provider, a module and a class is a usage error that says the rule."""
    result = run("new-provider", "--into", str(tmp_path), name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: Invalid value for 'NAME': ")
    assert "is not small letters, digits and single hyphens, a letter first, at most 30 characters" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("contract", "is the name of a test that is written, too"),
        ("mail", "would have variables that begin with MAIL_, as those of postroom itself do"),
        *((path.name, "is a distribution of postroom itself") for path in sorted((ROOT / "plugins").iterdir())),
    ],
)
def test_a_name_that_is_taken_is_refused(run: Run, tmp_path: Path, name: str, why: str) -> None:
    """What postroom has itself, installed here or not, and what would be written over the contract."""
    result = run("new-provider", "--into", str(tmp_path), name)
    assert result.exit_code == 2
    assert f"{name!r} {why}: take another name" in result.stderr
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("option", ["--title", "--author"])
@pytest.mark.parametrize("words", ["", " ", "a ", 'a"b', "a\\b", "a\nb", "a\u202eb", "a" * 41])
def test_words_that_would_break_a_file_are_refused(run: Run, tmp_path: Path, option: str, words: str) -> None:
    """What cannot stand in a string of Python and TOML as it is, is a usage error."""
    result = run("new-provider", "mailbird", "--into", str(tmp_path), option, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: Invalid value for '{option}': write ")
    assert [*tmp_path.iterdir()] == []


def test_an_existing_folder_is_left_alone(run: Run, tmp_path: Path) -> None:
    """Nothing is written into a folder that is there already."""
    (tmp_path / "postroom-mailbird").mkdir()
    result = run("new-provider", "mailbird", "--into", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: {tmp_path / 'postroom-mailbird'} exists: take another name, or another folder by --into\n"
    )
    assert [*(tmp_path / "postroom-mailbird").iterdir()] == []


def test_the_name_of_an_installed_distribution_is_refused(run: Run, tmp_path: Path, site: Path) -> None:
    """A second distribution of the name would hide the first, or both would claim the provider."""
    write_distribution(site, "postroom-mailbird", version="3.1")
    result = run("new-provider", "mailbird", "--into", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == "error: postroom-mailbird 3.1 is installed already: take another name\n"
    assert [*tmp_path.iterdir()] == [site]


def test_the_name_of_an_installed_provider_is_refused(run: Run, tmp_path: Path, site: Path) -> None:
    """Another distribution may have a provider of this name; neither would be chosen then."""
    write_distribution(site, "acme-mail", {"mailbird": "acme.plugin"})
    result = run("new-provider", "mailbird", "--into", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == "error: acme-mail has a provider 'mailbird' already: take another name\n"
    assert [*tmp_path.iterdir()] == [site]


def test_the_name_of_an_installed_module_is_refused(run: Run, tmp_path: Path, site: Path) -> None:
    """One of the two modules would hide the other, whatever the distribution is called."""
    write_distribution(site, "acme-mail", modules={"postroom_mail_bird": ""})
    result = run("new-provider", "mail-bird", "--into", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == "error: a module postroom_mail_bird is installed already: take another name\n"
    assert [*tmp_path.iterdir()] == [site]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write into")
def test_a_folder_that_cannot_be_written_into_is_an_error(run: Run) -> None:
    """The system's reason is said in one line."""
    result = run("new-provider", "mailbird", "--into", "/proc/self")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: /proc/self/postroom-mailbird cannot be written: ")
