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

from postroom import foreign
from postroom.installed import LONGEST, Installed, distributions

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

    def warn(self) -> None:
        """Say it in the log."""
        _log.warning("mail: %s is passed over: %s", self.distribution, self.reason)


def canonical(name: str) -> str:
    """Return a provider's name in its one form: without regard to case, blanks around it, and the form of Unicode."""
    name = " ".join(name.split())
    if name.isascii():
        return name.lower()
    import unicodedata  # noqa: PLC0415  hardly a name pays for it

    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


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
            entry_points = dict.fromkeys(_entry_points(_text(written), group))  # the same line twice is one
            found += [Registration(key, name, version, value) for key, value in entry_points]
        except BaseException as error:  # whatever is wrong with it must not hurt the others
            if not foreign.is_its_own(error):
                raise
            skipped.append(Skipped(foreign.printable(name), f"its metadata cannot be read ({foreign.told(error)})"))
    return sorted(found, key=lambda each: (each.name, each.distribution)), skipped


def _text(written: bytes) -> str:
    if len(written) >= LONGEST:
        raise ValueError(f"entry_points.txt has {LONGEST} octets or more")
    return written.decode("utf-8-sig")


def _entry_points(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each entry point of the group; a line that is none is a ValueError."""
    section = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1].strip()
        elif section == group and line[0] not in "#;":
            name, equals, value = map(str.strip, line.partition("="))
            if not (name and equals and value and line.replace("\t", " ").isprintable()):
                raise ValueError(f"{line[:100]!r} in entry_points.txt is not NAME = MODULE")
            yield canonical(name), value


def _metadata(distribution: Installed) -> str:
    """Return the headers of the core metadata (https://packaging.python.org/specifications/core-metadata/).

    Name and version are ASCII. What else is there may be in whatever encoding, as the name of an author is at times.
    """
    written = distribution.read("METADATA") or distribution.read("PKG-INFO") or b""
    return written.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8-sig", "replace")


def _header(metadata: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(\S.*)$", metadata, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise ValueError(f"no {name} in METADATA")
    return foreign.printable(found[1].rstrip())
