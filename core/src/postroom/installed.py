"""The distributions that are installed, with the files of their metadata. Imports nothing of them.

Nearly always they are metadata folders below the folders of `sys.path`, and are found here. `importlib_metadata` finds
those and whatever else there may be, but its import costs a quarter of a process's start. So it is asked where the path
holds something else, such as a zip file, or where somebody has added a finder of distributions.

https://packaging.python.org/specifications/recording-installed-packages/
"""

import functools
import logging
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from typing import Any

import attrs

from postroom import foreign

LONGEST = 1 << 20
"""Octets of a file that are read; the headers of METADATA are at its beginning, whatever follows."""

_METADATA = (".dist-info", ".egg-info")
_UNREADABLE = (OSError, ValueError)
"""What a folder or a file raises that is not there, that nobody may read, that lies on a disk or a share which is gone,
that is a loop of links, or whose name no file can have."""

_log = logging.getLogger("postroom.discovery")


@attrs.frozen(eq=False)
class Installed:
    """One distribution."""

    place: str
    """Where its metadata are, as far as that has a name."""
    key: str
    """Its name, normalised, so that two copies have the same."""
    read: Callable[[str], bytes | None]
    """Returns a file of its metadata, or None if it is not there."""


def distributions() -> Iterator[Installed]:
    """Yield the distributions in the order of `sys.path`; of copies, the first is the one that is imported.

    Entries that are no `str` are left out, as Python does it when it imports.
    """
    entries: list[object] = [*sys.path]
    path = [entry or os.curdir for entry in entries if isinstance(entry, str)]
    finders = [*sys.meta_path]
    if all(map(_is_plain, path)) and not any(map(_finds_more, finders)):
        return (found for entry in path for found in _below(entry))
    return _by_library(path)


def _is_plain(entry: str) -> bool:
    """Return True if there is a folder, or nothing to read. An egg has its metadata inside."""
    return not (entry.endswith(".egg") or os.path.isfile(entry))  # noqa: PTH113  often


def _finds_more(finder: object) -> bool:
    """Return True if a finder may know of distributions that are not on the path."""
    usual = finder is PathFinder or type(finder).__module__.partition(".")[0] == "importlib_metadata"
    return hasattr(finder, "find_distributions") and not usual


def _below(entry: str) -> Iterator[Installed]:
    try:
        names = os.listdir(entry)  # noqa: PTH208  hundreds of names, of which a Path each would be made
    except _UNREADABLE:
        return
    for name in names:
        if name.endswith(_METADATA):
            yield _in_folder(f"{entry}/{name}", name)


def _in_folder(place: str, name: str) -> Installed:
    return Installed(place, normalised(name.rpartition(".")[0].partition("-")[0]), functools.partial(_read, place))


def _read(place: str, name: str) -> bytes | None:
    try:
        with open(f"{place}/{name}", "rb", buffering=0, opener=_open) as file:
            found = os.fstat(file.fileno())
            return file.read(min(found.st_size, LONGEST)) if stat.S_ISREG(found.st_mode) else None
    except _UNREADABLE:
        return None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # else a named pipe would wait for its writer


def _by_library(path: list[str]) -> Iterator[Installed]:
    import importlib_metadata  # noqa: PLC0415  see above

    known = [entry for entry in path if os.path.isdir(entry) or os.path.isfile(entry)]  # noqa: PTH112, PTH113  no pipe
    context = importlib_metadata.DistributionFinder.Context(path=known)  # type: ignore[no-untyped-call]  # it has no types
    for finder in [*sys.meta_path]:  # the import has put the library's own one there
        try:
            for distribution in getattr(finder, "find_distributions", _finds_nothing)(context):
                yield _installed(distribution)
        except BaseException as error:
            if not foreign.is_its_own(error):
                raise
            _log.warning("mail: %s of sys.meta_path is passed over: %s", foreign.kind(finder), foreign.told(error))


def _finds_nothing(_: object) -> tuple[Any, ...]:
    return ()


def _installed(distribution: Any) -> Installed:
    place = "a distribution without a name"
    try:
        path = getattr(distribution, "_path", distribution)
        place = str(path)
        if isinstance(path, os.PathLike):  # what lies in a zip file has a path of another kind
            return _in_folder(place, os.path.basename(place))  # noqa: PTH119
        key = normalised(distribution.metadata["Name"] or place)
    except BaseException as error:  # whatever is wrong with it, it is looked at for itself
        if not foreign.is_its_own(error):
            raise
        key = f"{place} {id(distribution)}"
    return Installed(place, key, functools.partial(_read_text, distribution))


def _read_text(distribution: Any, name: str) -> bytes | None:
    text: str | None = distribution.read_text(name)
    return None if text is None else text.encode()


def normalised(name: str) -> str:
    """Return a name in its one form (https://packaging.python.org/specifications/name-normalization/)."""
    return re.sub(r"[-_.]+", "-", name).lower()
