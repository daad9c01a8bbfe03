"""What came back for a request."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

STAGE = "request"


@attrs.frozen
class Answer:
    """The response to a request: at least its status line and headers have come."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Names without regard to case."""
    body: bytes = attrs.field(repr=False)
    """As much of it as came in time, at most 1 MiB."""
    stage: str = STAGE
    """What the request was for, as `MailSendError.stage` names it."""

    def json(self) -> Any:
        """Return the body as JSON, or None if it is something else or broke off."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # the latter by a body of nothing but brackets
            return None
