"""The scripted SMTP server, and what its script is made of."""

from postroom_testing.smtp_actions import (
    Action,
    Close,
    Decide,
    Drip,
    Endless,
    Pause,
    Read,
    Reset,
    Script,
    Silence,
    Stall,
    Step,
)
from postroom_testing.smtp_server import SmtpServer

__all__ = [
    "Action",
    "Close",
    "Decide",
    "Drip",
    "Endless",
    "Pause",
    "Read",
    "Reset",
    "Script",
    "Silence",
    "SmtpServer",
    "Stall",
    "Step",
]
