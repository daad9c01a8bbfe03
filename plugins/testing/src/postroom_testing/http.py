"""The scripted HTTP server, and what its script is made of."""

from postroom_testing.http_server import HttpServer
from postroom_testing.http_steps import Close, Drip, Early, Raw, Reply, Request, Reset, Silence, Step, Truncate

__all__ = [
    "Close",
    "Drip",
    "Early",
    "HttpServer",
    "Raw",
    "Reply",
    "Request",
    "Reset",
    "Silence",
    "Step",
    "Truncate",
]
