"""The scripted HTTP server, and what its script is made of."""

from postroom_testing.http_server import HttpServer
from postroom_testing.http_steps import (
    Close,
    Drip,
    Early,
    Interim,
    Raw,
    Reply,
    Request,
    Reset,
    Silence,
    Step,
    Surplus,
    Truncate,
)

__all__ = [
    "Close",
    "Drip",
    "Early",
    "HttpServer",
    "Interim",
    "Raw",
    "Reply",
    "Request",
    "Reset",
    "Silence",
    "Step",
    "Surplus",
    "Truncate",
]
