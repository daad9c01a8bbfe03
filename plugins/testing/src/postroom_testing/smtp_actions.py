"""What an SMTP server does where its script says so: octets that it sends, and the ways in which it fails."""

from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class Silence:
    """Say nothing more, but go on reading."""


@attrs.frozen
class Stall:
    """Neither say nor read anything more, so that the client's writes block in the end."""


@attrs.frozen
class Read:
    """Read what comes, once."""


@attrs.frozen
class Close:
    """Close the connection in good order."""


@attrs.frozen
class Reset:
    """Close the connection with a TCP reset."""


@attrs.frozen
class Pause:
    """Wait."""

    seconds: float


@attrs.frozen
class Drip:
    """Send one octet at a time."""

    data: bytes
    interval: float = 0.05
    """Seconds before each octet."""


@attrs.frozen
class Endless:
    """Send the same again and again until the client is gone."""

    data: bytes


Step = bytes | Silence | Stall | Read | Close | Reset | Pause | Drip | Endless
"""What a server does; octets go out as they are, in one write."""
Action = Step | tuple[Step, ...]
"""What happens at one occurrence of a moment; a tuple is done in its order."""
Decide = Callable[[str], Action | None]
"""Chooses the action by the command or by the body; None goes well."""
Script = Mapping[str, Action | list[Action] | Decide]
"""Moments and what to do at them. A list has one action for each occurrence. What it does not name goes well."""

VERBS = frozenset({"EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "STARTTLS", "AUTH", "QUIT"})
"""The commands that a server knows; each is a moment."""
MOMENTS = VERBS | {"greeting", "TLS", "body", ".", "chunk"}
"""Where a script may say something."""


def steps(action: Action) -> tuple[Step, ...]:
    """Return the steps of an action, in their order."""
    return action if isinstance(action, tuple) else (action,)


def said(action: Action) -> bytes:
    """Return the octets that an action sends in whole writes."""
    return b"".join(step for step in steps(action) if isinstance(step, bytes))
