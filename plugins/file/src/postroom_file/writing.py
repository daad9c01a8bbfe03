"""Files and folders that only this user reads, and that another user's links, pipes and folders do not lead astray.

In a folder such as /tmp, where every user may write, others can foresee a name and put something of theirs there.
"""

import errno
import os
import stat
from pathlib import Path

# No link is followed, no pipe is waited for, no line end is changed. Windows knows only the last, other systems do not.
_AS_IT_IS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class UnsafeError(OSError):
    """What is there was not made by this provider, or not by this user."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.EPERM, f"{str(path)!r} {reason}")


def write(path: Path, data: bytes) -> None:
    """Write a file under a name of its own, and then give it its name, so that no program sees a part of it.

    What had the name before is replaced, and not followed.
    """
    draft = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        make(draft, data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # it is there only if something went wrong


def make(path: Path, data: bytes) -> bool:
    """Write a file that is not there yet; False if it is. What others `add` to it meanwhile is kept."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _AS_IT_IS, _FILE_MODE)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def add(path: Path, data: bytes) -> None:
    """Add to the end of a file, in one piece, whoever else adds to it.

    Raises:
        UnsafeError: It is no plain file of this user, such as a link to a file elsewhere.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | _AS_IT_IS)
    except OSError:
        _check_file(path, path.lstat())
        raise
    try:
        _check_file(path, os.fstat(descriptor))
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def read_beginning(path: Path, size: int) -> str:
    """Return the beginning of a file as text; nothing if it is no plain file, or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _AS_IT_IS)
    except OSError:
        return ""
    try:
        plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, size).decode("utf-8", "replace") if plain else ""
    finally:
        os.close(descriptor)


def prepare(folder: Path) -> None:
    """Make a folder as `make_folder` does, and look at the whole way to it.

    Raises:
        UnsafeError: It is a symbolic link, or the way leads through something that another user has put there.
    """
    make_folder(folder)
    real = folder.resolve()
    for path in dict.fromkeys((*folder.parents, real, *real.parents)):
        _check_owner(path, path.lstat())


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        UnsafeError: It is a symbolic link, or another user has put it there.
    """
    _make(folder)
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeError(folder, "is a symbolic link")
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    _check_owner(folder, found)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(_FOLDER_MODE)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make(folder.parent)
        folder.mkdir(_FOLDER_MODE, exist_ok=True)


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeError(path, "is a symbolic link" if stat.S_ISLNK(found.st_mode) else "is not a plain file")
    if found.st_nlink > 1:
        raise UnsafeError(path, "has a second name elsewhere (a hard link)")
    _check_owner(path, found)


def _check_owner(path: Path, found: os.stat_result) -> None:
    """Raise if another user has made it, in a folder where every user may. It is what Linux asks of links in /tmp."""
    if os.name == "nt":
        return
    above = path.parent.stat()
    if above.st_mode & stat.S_IWOTH and found.st_uid not in (os.geteuid(), above.st_uid):
        raise UnsafeError(path, f"belongs to another user (uid {found.st_uid}), in a folder that every user may write")
