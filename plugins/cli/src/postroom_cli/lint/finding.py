"""What `postroom lint` reports: a rule, and what breaks it where."""

from typing import Literal

import attrs

from postroom_cli import output

Severity = Literal["error", "warning"]
_LONGEST = 300  # characters of a sentence that quotes a file


@attrs.frozen
class Finding:
    """One thing that is wrong."""

    path: str
    """The file; for a record in the DNS its name."""
    rule: str
    """Short name of the rule; it stays the same from one release to the next."""
    severity: Severity
    """`error`: it does not arrive, or not readable; `warning`: somewhere, or it is suspicious."""
    what: str
    """What is wrong, on one line without control characters."""
    remedy: str
    """What to do, as a sentence without its full stop."""
    source: str
    """Where it is written: a section of an RFC, or the URL of a page."""


@attrs.frozen
class Check:
    """One rule of the command; `rules` has all of them."""

    name: str
    severity: Severity
    remedy: str
    source: str

    def at(self, path: object, what: str, *, source: str | None = None) -> Finding:
        """Return the finding that `what` breaks the rule in this file, or at this name in the DNS.

        Args:
            path: The file or the name.
            what: What is wrong. It may quote the file.
            source: Where it is written, when that is not the rule's own source.
        """
        said = output.one_line(what)
        said = said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"
        return Finding(str(path), self.name, self.severity, said, self.remedy, source or self.source)
