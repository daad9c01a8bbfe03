"""A Flask extension that sends by whatever provider the configuration names."""

from postroom_flask.client import Client
from postroom_flask.mail import Mail

__all__ = ["Client", "Mail"]
