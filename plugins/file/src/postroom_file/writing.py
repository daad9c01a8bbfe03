"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file under a name of its own, and then give it its name, so that nobody sees a part of it."""
    draft = path.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # it is there only if something went wrong
