"""Certificates of one test run: an authority that tests may trust, and servers with good and bad certificates."""

import datetime
import functools
import ssl
from pathlib import Path

import trustme

_DAY = datetime.timedelta(days=1)


class Certificates:
    """An authority, and the context of a server for every kind of certificate.

    Args:
        directory: Where files are written; it must be there.
    """

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self.ca_file = str(directory / "ca.pem")
        """What a client trusts: the certificate of the authority."""
        self._ca.cert_pem.write_to_path(self.ca_file)

    @functools.cached_property
    def good(self) -> ssl.SSLContext:
        """Valid for localhost and 127.0.0.1."""
        return _server(self._issue())

    @functools.cached_property
    def expired(self) -> ssl.SSLContext:
        """Valid until yesterday."""
        return _server(self._issue(not_before=_now() - 9 * _DAY, not_after=_now() - _DAY))

    @functools.cached_property
    def not_yet_valid(self) -> ssl.SSLContext:
        """Valid from tomorrow on."""
        return _server(self._issue(not_before=_now() + _DAY, not_after=_now() + 9 * _DAY))

    @functools.cached_property
    def wrong_host(self) -> ssl.SSLContext:
        """Valid for another host, and for another address."""
        return _server(self._ca.issue_cert("mail.example.org", "192.0.2.1"))

    @functools.cached_property
    def unknown_ca(self) -> ssl.SSLContext:
        """Issued by an authority that nobody trusts."""
        return _server(trustme.CA().issue_cert("localhost", "127.0.0.1"))

    @functools.cached_property
    def self_signed(self) -> ssl.SSLContext:
        """Signed by itself."""
        lonely = trustme.CA()
        path = self._directory / "self-signed.pem"
        path.write_bytes(lonely.private_key_pem.bytes() + lonely.cert_pem.bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def ending(self, left: datetime.timedelta) -> ssl.SSLContext:
        """Valid for localhost and 127.0.0.1, and for so long from now on."""
        return _server(self._issue(not_before=_now() - _DAY, not_after=_now() + left))

    def good_files(self) -> tuple[str, str]:
        """Write the certificate chain and the key of a good server, and return their paths."""
        leaf = self._issue()
        chain, key = self._directory / "chain.pem", self._directory / "key.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        return str(chain), str(key)

    def _issue(
        self, *, not_before: datetime.datetime | None = None, not_after: datetime.datetime | None = None
    ) -> trustme.LeafCert:
        return self._ca.issue_cert("localhost", "127.0.0.1", not_before=not_before, not_after=not_after)


def _server(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
