"""Discovery: which distributions claim a name in the entry-point group. Reads metadata, imports no plugin.

It is part of every start of a process, in an environment of hundreds of distributions: of most of them one file is
looked at, and of the few that matter two header lines are read without a parser of mail.

https://packaging.python.org/specifications/entry-points/
"""

import functools
import importlib
import logging
import re
from collections.abc import Iterator

import attrs

from postroom.installed import Installed, distributions

_log = logging.getLogger("postroom.discovery")


@attrs.frozen
class Registration:
    """One entry point of the group: a name, and the distribution that claims it."""

    name: str
    distribution: str
    version: str
    value: str
    """The module that the entry point names."""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    def load(self) -> object:
        """Import what the entry point names: a module, or an attribute of one. Whatever the import raises comes out."""
        module, _, attributes = self.value.partition("[")[0].replace(" ", "").partition(":")
        return functools.reduce(getattr, filter(None, attributes.split(".")), importlib.import_module(module))


@attrs.frozen
class Skipped:
    """A distribution that mentions the group and cannot be read."""

    distribution: str
    reason: str


def scan(group: str) -> tuple[list[Registration], list[Skipped]]:
    """Return the entry points of the group, sorted by name, and the distributions that cannot be read.

    Each distribution is read inside its own guard: one malformed line in any distribution must not break it for all of
    them. A distribution that does not mention the group is none of our business.
    """
    found: list[Registration] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for each in distributions():
        if each.key in seen:
            continue  # the import system takes the first copy on sys.path; so do we
        seen.add(each.key)
        name = each.place  # all that there is when it cannot be read
        try:
            written = each.read("entry_points.txt") or b""
            if group.encode() not in written:
                continue
            metadata = _metadata(each)
            name = _header(metadata, "Name")
            version = _header(metadata, "Version")
            found += [
                Registration(key.lower(), name, version, value) for key, value in _entry_points(written.decode(), group)
            ]
        except Exception as error:  # noqa: BLE001  whatever is wrong with it must not hurt the others
            reason = " ".join(f"its metadata cannot be read ({type(error).__name__}: {error})".split())
            skipped.append(Skipped(name, reason))
            _log.warning("mail: %s is passed over: %s", name, reason)
    return sorted(found, key=lambda each: (each.name, each.distribution)), skipped


def _entry_points(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each entry point of the group; a line that is none is a ValueError."""
    section = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1].strip()
        elif section == group and line[0] not in "#;":
            name, equals, value = map(str.strip, line.partition("="))
            if not (name and equals and value):
                raise ValueError(f"{line[:100]!r} in entry_points.txt is not NAME = MODULE")
            yield name, value


def _metadata(distribution: Installed) -> str:
    """Return the headers of the core metadata (https://packaging.python.org/specifications/core-metadata/)."""
    text = (distribution.read("METADATA") or distribution.read("PKG-INFO") or b"").decode()
    return text.replace("\r\n", "\n").partition("\n\n")[0]


def _header(metadata: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(\S.*)$", metadata, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise ValueError(f"no {name} in METADATA")
    return found[1].rstrip()
