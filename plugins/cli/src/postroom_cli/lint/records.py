"""What the DNS says about the domain that mail is sent from: SPF, DMARC, DKIM and MX. Needs dnspython."""

import re
import socket
from collections.abc import Callable, Iterator
from typing import TypeVar

import click
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from postroom_cli.lint import dkim, dmarc, rules, spf
from postroom_cli.lint.finding import Finding

_Record = TypeVar("_Record")
_NAMESERVER = re.compile(
    r"(?:(?P<host>[\w.-]+)|\[(?P<six>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
    r"|(?P<bare>[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)"
)

SECONDS = 5.0
"""How long one name is looked up before it counts as unanswered."""


class UnansweredError(Exception):
    """A name could not be looked up: no answer in time, or a server that fails. Whether it exists is not known."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason


class Records:
    """Looks records up, each once.

    Args:
        nameserver: `HOST` or `HOST:PORT` to ask; the system's resolver when None.

    Raises:
        click.ClickException: The system has no resolver, or the host has no address.
    """

    def __init__(self, nameserver: str | None = None) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=nameserver is None)
        except dns.exception.DNSException as error:
            raise click.ClickException("this system has no resolver: name one with --nameserver") from error
        if nameserver is not None:
            address, port = _address(nameserver)
            self._resolver.nameservers = [address]
            self._resolver.port = port
        self._resolver.lifetime = SECONDS
        self._known: dict[tuple[str, str], dns.resolver.Answer | UnansweredError | None] = {}

    def txt(self, name: str) -> list[str]:
        """Return the texts at a name, each put together from its pieces; none if there is no such name.

        Raises:
            UnansweredError: It could not be looked up.
        """
        records = self._records(name, "TXT", TXT)
        return [b"".join(record.strings).decode("utf-8", "replace") for record in records]

    def mx(self, name: str) -> list[str]:
        """Return the hosts that take mail for a domain; `.` is the null MX.

        Raises:
            UnansweredError: It could not be looked up.
        """
        return [record.exchange.to_text() for record in self._records(name, "MX", MX)]

    def has_address(self, name: str) -> bool:
        """Return True if a name has an IPv4 or IPv6 address.

        Raises:
            UnansweredError: It could not be looked up.
        """
        return any(self._answer(name, kind) is not None for kind in ("A", "AAAA"))

    def _records(self, name: str, kind: str, record: type[_Record]) -> list[_Record]:
        return [each for each in self._answer(name, kind) or () if isinstance(each, record)]

    def _answer(self, name: str, kind: str) -> dns.resolver.Answer | None:
        key = name.lower(), kind
        if key not in self._known:
            self._known[key] = self._ask(name, kind)
        known = self._known[key]
        if isinstance(known, UnansweredError):
            raise UnansweredError(known.name, known.reason)
        return known

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer | UnansweredError | None:
        try:
            return self._resolver.resolve(f"{name.rstrip('.')}.", kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except dns.exception.Timeout:
            return UnansweredError(name, f"no answer within {SECONDS:g} seconds")
        except dns.resolver.NoNameservers:
            return UnansweredError(name, "the server fails or refuses")
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return UnansweredError(name, type(error).__name__)


def check(domain: str, records: Records) -> Iterator[Finding]:
    """Yield what is wrong with a domain that mail is sent from. Its DKIM keys are looked at by `check_keys`."""
    for each in (spf.check, dmarc.check, _mx):
        yield from _guarded(each, domain, records)


def check_keys(
    path: str, domain: str, signatures: list[str], selector: str | None, records: Records
) -> Iterator[Finding]:
    """Yield what is wrong with the keys of a message's signatures, or if it has none, with the one of `selector`."""
    if not signatures and selector is not None:
        yield from _guarded(dkim.check_key, f"{selector}._domainkey.{domain}", records)
    for signature in signatures:
        tags = dkim.tags(signature)
        signer, name = tags.get("d", "").lower(), tags.get("s", "")
        if not signer or not name:
            yield rules.DKIM_MALFORMED.at(path, "a DKIM-Signature names no domain (d=) or no selector (s=)")
            continue
        yield from _guarded(dkim.check_key, f"{name}._domainkey.{signer}", records)
    signers = [tags["d"].lower() for tags in map(dkim.tags, signatures) if tags.get("d")]
    try:
        if signers and not any(dmarc.aligned(signer, domain, records) for signer in signers):
            yield rules.DKIM_NOT_ALIGNED.at(path, f"signed by {' and '.join(signers)}, and From is at {domain}")
    except UnansweredError as error:
        yield _unanswered(error)


def _guarded(each: Callable[[str, Records], Iterator[Finding]], name: str, records: Records) -> Iterator[Finding]:
    try:
        yield from each(name, records)
    except UnansweredError as error:
        yield _unanswered(error)


def _unanswered(error: UnansweredError) -> Finding:
    return rules.DNS_UNANSWERED.at(error.name, f"it could not be looked up: {error.reason}")


def _mx(domain: str, records: Records) -> Iterator[Finding]:
    """Say if bounces and answers reach nobody. A domain without MX takes mail at its own address (RFC 5321)."""
    hosts = records.mx(domain)
    if hosts == ["."]:
        yield rules.NULL_MX.at(domain, "the domain says that it takes no mail, so no bounce arrives")
    elif not hosts and not records.has_address(domain):
        yield rules.NO_MX.at(domain, "the domain has neither MX nor address, so no bounce arrives")


def _address(nameserver: str) -> tuple[str, int]:
    """Return the address and the port of `HOST`, `HOST:PORT`, an IPv6 address, or one in brackets with a port."""
    said = _NAMESERVER.fullmatch(nameserver)
    port = int(said["port"] or 53) if said else 0
    try:
        if said is None or not 0 < port < 65536:
            raise ValueError(nameserver)
        found = socket.getaddrinfo(said["host"] or said["six"] or said["bare"], port, type=socket.SOCK_DGRAM)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"--nameserver takes HOST or HOST:PORT, and {nameserver!r} is none") from error
    return str(found[0][4][0]), port
