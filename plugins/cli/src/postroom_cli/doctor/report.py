"""What an examination has found, as data. `Report.as_json` is stable: keys are added, none is renamed or removed."""

from typing import Any, Literal

import attrs

SCHEMA = 1
"""Number of the form of the JSON; another one would mean that a key is gone or means something else."""


@attrs.frozen
class Setting:
    """A setting, its value, and where that comes from."""

    variable: str
    value: str | None
    """As it was written; `***` for a secret, None if it is not set and has no default."""
    origin: str
    """`config object`, `environment`, the file, an option, or `default`."""


@attrs.frozen
class Caution:
    """Something that is wrong, or likely to be, and does not stop the mail."""

    text: str
    """What it is, in one line."""
    remedy: str
    """What to do about it."""


@attrs.frozen
class Taken:
    """A step that was taken."""

    name: str
    status: Literal["ok", "failed"]
    seconds: float
    said: str
    facts: dict[str, Any]


@attrs.define(kw_only=True)
class Report:
    """What is wrong and what to do, and how that was found."""

    provider: str | None = None
    distribution: str | None = None
    """Name and version of what brings the provider."""
    settings: list[Setting] = attrs.field(factory=list)
    warnings: list[Caution] = attrs.field(factory=list)
    steps: list[Taken] = attrs.field(factory=list)
    receipt: dict[str, Any] | None = None
    """Of the mail that was sent, if one was asked for."""
    error: dict[str, Any] | None = None
    """What the failed step raised: class, reason, code, enhanced code, outcome, transient."""
    failed: str | None = None
    """The step that failed: `configuration`, `provider`, or the name of one of `steps`."""
    cause: str = ""
    """What is wrong, in one line; that all is well, if it is."""
    remedy: str | None = None
    """What to do, in one line."""
    source: str | None = None
    """Where this can be looked up."""
    exit_code: int = 0
    """0 well, 1 not sent, 2 configuration, 3 nobody knows whether the mail was sent."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"schema": SCHEMA, "ok": self.failed is None, **attrs.asdict(self)}
