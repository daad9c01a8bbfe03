"""Our SMTP provider keeps the contract, as any other."""

from collections.abc import Mapping

from postroom_testing.contract import Place, SenderContract, SmtpService


class SmtpBasic(SenderContract):
    """`smtp-basic` at a server."""

    provider = "smtp-basic"

    def settings(self, place: Place) -> Mapping[str, object]:
        """Log in with a password."""
        return {"server": place.host, "port": place.port, "username": "grace", "password": "s3cr3t-passphrase"}


class TestWithChunking(SmtpBasic):
    """A server that offers PIPELINING and CHUNKING."""

    server = SmtpService()


class TestWithTls(SmtpBasic):
    """A server that offers STARTTLS and nothing that saves round trips."""

    server = SmtpService(extensions=("8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN"), tls=True)

    def settings(self, place: Place) -> Mapping[str, object]:
        """Trust the server's CA."""
        return {**super().settings(place), "tls_mode": "starttls", "ca_file": place.ca_file}
