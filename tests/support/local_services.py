"""Services within the process, for the contracts of providers that send nothing to anybody."""

import contextlib
import datetime
from collections.abc import Callable, Collection
from typing import Any

import attrs

from postroom_testing.contract import Arrived, Case, Place


@attrs.frozen
class Local:
    """What runs: a place, and how to read what is there."""

    where: str
    read: Callable[[], list[Arrived]]

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place("", 0, self.where)

    def play(self, case: Case) -> None:
        """Do nothing: it takes everything."""

    def arrived(self) -> list[Arrived]:
        """Read what is there."""
        return self.read()

    def connections(self) -> int:
        """Return 0: nothing is connected to."""
        return 0


@attrs.frozen
class LocalService:
    """A service within the process, which takes everything."""

    run: Callable[[], contextlib.AbstractContextManager[Local]]
    cases: Collection[Case] = (Case.ACCEPTED,)
    retry_after: float | None = None

    def start(self) -> contextlib.AbstractContextManager[Local]:
        """Run it."""
        return self.run()


def unshown(row: Callable[[str], list[str]]) -> dict[str, Any]:
    """Return what a mail program does not show, from rows of label and value."""
    return {
        "tags": [tag for value in row("Tags") for tag in value.split(", ")],
        "metadata": dict(value.split("=", 1) for value in row("Metadata")),
        "send_at": next(iter(map(datetime.datetime.fromisoformat, row("Send at"))), None),
    }
