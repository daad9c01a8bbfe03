"""Wheels that are built here, and environments with nothing in them but what such a wheel declares.

Nothing is downloaded: hatchling and the third parties' files are taken from the environment that runs the tests.
"""

import functools
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from collections.abc import Iterable
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import attrs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in [ROOT / "core/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")])
"""The folder of each of our distributions."""


def required(requirements: Iterable[str], extra: str = "") -> dict[str, Requirement]:
    """Return, by name, which of these requirements count here: always, or with this extra besides."""
    wanted = map(Requirement, requirements)
    chosen = (each for each in wanted if each.marker is None or each.marker.evaluate({"extra": extra}))
    return {str(canonicalize_name(each.name)): each for each in chosen}


@attrs.frozen
class Wheel:
    """A wheel that was built, and what is in it."""

    name: str
    path: Path

    @functools.cached_property
    def files(self) -> dict[str, bytes]:
        """What is in it, by path."""
        with zipfile.ZipFile(self.path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    @property
    def package(self) -> str:
        """The name that it is imported by."""
        return self.name.replace("-", "_")

    @property
    def info(self) -> str:
        """Its dist-info folder."""
        return f"{'-'.join(self.path.name.split('-')[:2])}.dist-info"

    @property
    def metadata(self) -> Message:
        """Its METADATA."""
        return Parser().parsestr(self.files[f"{self.info}/METADATA"].decode())

    @property
    def modules(self) -> list[str]:
        """Every module in it."""
        paths = (Path(name) for name in self.files if name.endswith(".py"))
        return sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths)

    def requirements(self, extra: str = "") -> dict[str, Requirement]:
        """Return what it requires, by name: always, or with this extra besides."""
        return required(self.metadata.get_all("Requires-Dist", []), extra)


def build(folders: Iterable[Path], scratch: Path, target: str = "wheel") -> dict[str, Wheel]:
    """Build the wheel of each folder, offline, from a copy of it, and return them by the distributions' names.

    Args:
        folders: Where the distributions are.
        scratch: An empty folder for copies and wheels.
        target: What hatchling is asked for.
    """
    out, building = scratch / "wheels", []
    for folder in folders:
        copy = scratch / "sources" / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
        building.append(
            subprocess.Popen(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    for process in building:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    built = {str(canonicalize_name(path.name.split("-")[0])): path for path in out.glob("*.whl")}
    return {name: Wheel(name, path) for name, path in built.items()}


class Bare:
    """A virtual environment without pip, and without anything but what is put into it.

    Args:
        folder: Where it is made.
        wheels: What is installed from a wheel, by name; all else is copied from the environment of the tests.
    """

    def __init__(self, folder: Path, wheels: dict[str, Wheel]) -> None:
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
        self.site = Path(paths["purelib"])
        self.scripts = Path(paths["scripts"])
        self.python = self.scripts / Path(sys.executable).name
        self.wheels = wheels
        self._done: set[str] = set()

    def install(self, name: str, *extras: str) -> None:
        """Put a distribution into it, with what it requires, and what that requires."""
        if name in self._done and not extras:
            return
        self._done.add(name)
        if name in self.wheels:
            wheel = self.wheels[name]
            with zipfile.ZipFile(wheel.path) as archive:
                archive.extractall(self.site)
            needed = wheel.requirements()
            for extra in extras:
                needed.update(wheel.requirements(extra))
        else:
            distribution = importlib.metadata.distribution(name)
            for file in distribution.files or ():
                if "__pycache__" not in file.parts:
                    self._copy(file, Path(str(file.locate())))
            needed = required(distribution.requires or ())
        self._write_scripts(name)
        for each in needed.values():
            self.install(str(canonicalize_name(each.name)), *sorted(each.extras))

    def run(self, *arguments: str, **environ: str) -> str:
        """Run Python in it, apart from the environment of the tests, and return what it prints."""
        done = subprocess.run(
            [str(self.python), "-I", "-W", "error", *arguments],
            env={**{key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}, **environ},
            cwd=self.site,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.strip()

    def script(self, source: str, **environ: str) -> Any:
        """Run a script in it, and return the JSON that it prints."""
        return json.loads(self.run("-c", textwrap.dedent(source), **environ))

    def _copy(self, file: importlib.metadata.PackagePath, source: Path) -> None:
        target = self.site / file
        if ".." in file.parts:  # a program: one that names its Python in the first line is written anew
            if source.parent.name != self.scripts.name or source.read_bytes().startswith(b"#!"):
                return
            target = self.scripts / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def _write_scripts(self, name: str) -> None:
        """Write the commands that a distribution declares, as an installer does."""
        (distribution,) = importlib.metadata.distributions(name=name, path=[str(self.site)])
        for command in distribution.entry_points.select(group="console_scripts"):
            path = self.scripts / command.name
            call = (
                f"import sys\nfrom {command.module} import {command.attr.partition('.')[0]}\nsys.exit({command.attr}())"
            )
            path.write_text(f"#!{self.python}\n{call}\n", encoding="utf-8")
            path.chmod(0o755)
