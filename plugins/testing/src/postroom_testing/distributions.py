"""Write distributions that nobody has installed: a dist-info folder and modules, as an installer leaves them.

The format is that of https://packaging.python.org/specifications/recording-installed-packages/.
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path

GROUP = "mail.senders"
"""The entry-point group that providers are found in."""


def write_distribution(
    folder: Path,
    name: str,
    entry_points: str | bytes | Mapping[str, str] | None = None,
    *,
    version: str = "1.0",
    modules: Mapping[str, str] | None = None,
    metadata: bool = True,
) -> Path:
    """Write a distribution into a folder of the import path, and return its dist-info folder.

    Args:
        folder: Where it is installed. It is made if it is not there.
        name: Name of the distribution.
        entry_points: Name and value of each entry point of the group, or what `entry_points.txt` holds.
        version: Version of the distribution.
        modules: Source of each module, by its name.
        metadata: False leaves METADATA out.

    Raises:
        FileExistsError: This version of it has been written there before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    if isinstance(entry_points, Mapping):
        entry_points = "\n".join([f"[{GROUP}]", *(f"{key} = {value}" for key, value in entry_points.items()), ""])
    if isinstance(entry_points, str):
        entry_points = entry_points.encode()
    if entry_points is not None:
        (info / "entry_points.txt").write_bytes(entry_points)
    for module, source in (modules or {}).items():
        (folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return info
