"""The distributions that are installed, with the files of their metadata. Imports nothing of them.

Nearly always they are metadata folders below the folders of `sys.path`, and are found here. `importlib_metadata` finds
those and whatever else there may be, but its import costs a quarter of a process's start. So it is asked where the path
holds something else, such as a zip file, or where somebody has added a finder of distributions.

https://packaging.python.org/specifications/recording-installed-packages/
"""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder

import attrs

_METADATA = (".dist-info", ".egg-info")
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


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
    """Yield the distributions in the order of `sys.path`; of copies, the first is the one that is imported."""
    path = [entry or os.curdir for entry in sys.path]
    if all(map(_is_plain, path)) and not any(map(_finds_more, sys.meta_path)):
        return (found for entry in path for found in _below(entry))
    return _by_library()


def _is_plain(entry: str) -> bool:
    """Return True if there is a folder, or nothing. An egg has its metadata inside."""
    return not entry.endswith(".egg") and (os.path.isdir(entry) or not os.path.exists(entry))  # noqa: PTH110, PTH112  often


def _finds_more(finder: object) -> bool:
    """Return True if a finder may know of distributions that are not on the path."""
    usual = finder is PathFinder or type(finder).__module__.partition(".")[0] == "importlib_metadata"
    return hasattr(finder, "find_distributions") and not usual


def _below(entry: str) -> Iterator[Installed]:
    try:
        names = os.listdir(entry)  # noqa: PTH208  hundreds of names, of which a Path each would be made
    except _ABSENT:
        return
    for name in names:
        if name.endswith(_METADATA):
            place = f"{entry}/{name}"
            yield Installed(
                place, normalised(name.rpartition(".")[0].partition("-")[0]), functools.partial(_read, place)
            )


def _read(place: str, name: str) -> bytes | None:
    try:
        with open(f"{place}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
            return file.read()
    except _ABSENT:
        return None


def _by_library() -> Iterator[Installed]:
    import importlib_metadata  # noqa: PLC0415  see above

    for distribution in importlib_metadata.Distribution.discover():
        place = str(getattr(distribution, "_path", distribution))
        read = functools.partial(_read_text, distribution.read_text)
        try:
            key = normalised(distribution.metadata["Name"] or place)
        except Exception:  # noqa: BLE001  whatever is wrong with it, it is looked at for itself
            key = place
        yield Installed(place, key, read)


def _read_text(read: Callable[[str], str | None], name: str) -> bytes | None:
    text = read(name)
    return None if text is None else text.encode()


def normalised(name: str) -> str:
    """Return a name in its one form (https://packaging.python.org/specifications/name-normalization/)."""
    return re.sub(r"[-_.]+", "-", name).lower()
