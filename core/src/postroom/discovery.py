"""Discovery: which distributions claim a name in the entry-point group. Reads metadata, imports no plugin.

It is part of every start of a process, in an environment of hundreds of distributions: so of most of them one file is
looked at, and of the few that matter two header lines are read without a parser of mail.
"""

import logging
import os
import re
import sys

import attrs
import importlib_metadata

_log = logging.getLogger("postroom.discovery")


@attrs.frozen
class Registration:
    """One entry point of the group: a name, and the distribution that claims it."""

    name: str
    distribution: str
    version: str
    value: str
    """The module that the entry point names."""
    entry_point: importlib_metadata.EntryPoint = attrs.field(repr=False, eq=False)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@attrs.frozen
class Skipped:
    """A distribution that mentions the group and cannot be read."""

    distribution: str
    reason: str


def scan(group: str) -> tuple[list[Registration], list[Skipped]]:
    """Return the entry points of the group, sorted by name, and the distributions that cannot be read.

    Each distribution is read inside its own guard. `entry_points(group=...)` would not do: one malformed line in any
    distribution breaks it for all of them. A distribution that does not mention the group is none of our business.
    """
    found: list[Registration] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    # What is not there would be opened as a zip file, by a package that is imported for that alone.
    path = [entry for entry in sys.path if not entry or os.path.exists(entry)]  # noqa: PTH110
    for distribution in importlib_metadata.Distribution.discover(path=path):
        name = None
        try:
            if group not in (distribution.read_text("entry_points.txt") or ""):
                continue
            name = _header(_metadata(distribution), "Name")
            canonical = re.sub(r"[-_.]+", "-", name).lower()
            if canonical in seen:
                continue
            seen.add(canonical)
            # The import system takes the first copy on sys.path; so do we.
            found += _read(importlib_metadata.Distribution.from_name(name), group)
        except Exception as error:  # noqa: BLE001  whatever is wrong with it must not hurt the others
            name = name or str(getattr(distribution, "_path", distribution))  # all that there is
            reason = " ".join(f"its metadata cannot be read ({type(error).__name__}: {error})".split())
            skipped.append(Skipped(name, reason))
            _log.warning("%s is passed over: %s", name, reason)
    return sorted(found, key=lambda each: (each.name, each.distribution)), skipped


def _read(distribution: importlib_metadata.Distribution, group: str) -> list[Registration]:
    text = _metadata(distribution)
    name, version = _header(text, "Name"), _header(text, "Version")
    return [
        Registration(each.name.lower(), name, version, each.value, each)
        for each in distribution.entry_points
        if each.group == group
    ]


def _metadata(distribution: importlib_metadata.Distribution) -> str:
    """Return the headers of the core metadata (https://packaging.python.org/specifications/core-metadata/)."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    return text.partition("\n\n")[0]


def _header(metadata: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(\S.*)$", metadata, re.MULTILINE | re.IGNORECASE)
    if found is None:
        raise ValueError(f"no {name} in METADATA")
    return found[1].rstrip()
