"""The pytest plugin."""

from postroom_testing.fixtures import certificates, http_server, installed_distribution, smtp_server
from postroom_testing.outbox import mail_outbox

__all__ = ["certificates", "http_server", "installed_distribution", "mail_outbox", "smtp_server"]
