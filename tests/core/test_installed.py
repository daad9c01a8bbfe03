"""Which distributions are installed: folders on the path, and whatever importlib_metadata finds besides."""

import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution as StandardDistribution
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest

from distributions import write_pigeon
from postroom import ProviderRegistry
from postroom.installed import distributions, normalised
from postroom_testing import write_distribution


def zipped(folder: Path, path: Path) -> Path:
    """Put a folder's files into a zip file."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


def test_folders_are_found_as_the_library_finds_them() -> None:
    """On a path of folders, the same distributions are found as importlib_metadata finds, in the same order."""
    ours = dict.fromkeys(each.key for each in distributions())
    theirs = dict.fromkeys(normalised(each.metadata["Name"]) for each in importlib_metadata.distributions())
    assert len(ours) > 20
    assert ours.keys() == theirs.keys()


def test_the_files_of_a_distribution_are_read(site: Path) -> None:
    """A file of the metadata is given as it is, and one that is not there is None."""
    write_distribution(site, "acme-pigeon", {"pigeon": "x"})
    (found,) = (each for each in distributions() if each.key == "acme-pigeon")
    assert found.place == str(site / "acme_pigeon-1.0.dist-info")
    assert found.read("entry_points.txt") == b"[mail.senders]\npigeon = x\n"
    assert found.read("RECORD") is None


@pytest.mark.parametrize("egg", ["acme_pigeon-1.0-py3.11.egg-info", "acme_pigeon.egg-info"])
def test_an_older_form_of_metadata_is_found(site: Path, egg: str) -> None:
    """A folder of setuptools, with PKG-INFO, is a distribution like the others."""
    info = write_pigeon(site)
    (info / "METADATA").rename(info / "PKG-INFO")
    info.rename(site / egg)
    assert ProviderRegistry().provider("pigeon", {}).name == "pigeon"


def test_a_provider_in_a_zip_file_is_found(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip file on the path, as zipapps are, may bring a provider; those in folders are found beside it."""
    write_pigeon(tmp_path / "pigeon")
    write_pigeon(tmp_path / "dove", "dove")
    monkeypatch.syspath_prepend(str(zipped(tmp_path / "pigeon", tmp_path / "pigeon.zip")))
    monkeypatch.syspath_prepend(str(tmp_path / "dove"))
    registry = ProviderRegistry()
    assert {"dove", "pigeon", "smtp-basic"} <= set(registry.names())
    assert registry.provider("pigeon", {}).name == "pigeon"
    assert {str(each) for each in registry.registrations} >= {"acme-pigeon 1.0", "acme-dove 1.0"}


def test_a_first_copy_hides_one_in_a_zip_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two copies, the first on the path counts, wherever it lies."""
    write_pigeon(tmp_path / "old", version="1.0")
    write_pigeon(tmp_path / "new", version="2.0")
    monkeypatch.syspath_prepend(str(zipped(tmp_path / "old", tmp_path / "old.zip")))
    monkeypatch.syspath_prepend(str(tmp_path / "new"))
    (found,) = (each for each in ProviderRegistry().registrations if each.name == "pigeon")
    assert found.version == "2.0"


class Finder:
    """A finder of distributions that are in no folder, as a frozen application has it."""

    class Found(StandardDistribution):
        """One distribution."""

        def __init__(self, texts: dict[str, str]) -> None:
            self.texts = texts

        def read_text(self, filename: str) -> str | None:
            """Return a file; one that is not there is an error, which others spare us."""
            return self.texts[filename]

        def locate_file(self, path: Any) -> Any:
            """Return nothing that is there."""
            return Path("/nowhere") / path

    def __init__(self, *found: dict[str, str]) -> None:
        self.found = found

    def find_spec(self, *_: object) -> None:
        """Find no module."""

    def find_distributions(self, context: object = None) -> Iterable[StandardDistribution]:
        """Find the distributions."""
        return map(self.Found, self.found)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a finder that knows of one distribution, and of one that cannot be read."""
    named = {"METADATA": "Name: acme-frozen\nVersion: 3.0\n", "entry_points.txt": "[mail.senders]\nfrozen = json\n"}
    nameless = {"entry_points.txt": "[mail.senders]\nnameless = json\n"}
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(named, nameless)])


@pytest.mark.usefixtures("frozen")
def test_a_finder_of_somebody_elses_is_asked() -> None:
    """Distributions that only another finder knows are found; one that cannot be read is passed over."""
    registry = ProviderRegistry()
    assert {"frozen", "smtp-basic"} <= set(registry.names())
    (found,) = (each for each in registry.registrations if each.name == "frozen")
    assert (str(found), found.load()) == ("acme-frozen 3.0", sys.modules["json"])
    assert len(registry.skipped) == 1


@pytest.mark.parametrize("entry", ["", "nowhere", "file.txt"])
def test_an_entry_of_the_path_that_is_no_folder_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """The current folder, what is not there, and a file that is no zip file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("x", "utf-8")
    write_pigeon(tmp_path)
    monkeypatch.syspath_prepend(entry)
    assert ("pigeon" in ProviderRegistry().names()) == (entry == "")
