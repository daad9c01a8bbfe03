"""Checks the SPF record of a domain (RFC 7208), as far as that can be done without a sending address."""

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from postroom_cli.lint import rules
from postroom_cli.lint.finding import Finding

if TYPE_CHECKING:
    from postroom_cli.lint.records import Records

_MOST_LOOKUPS = 10  # RFC 7208 section 4.6.4
_VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_TERM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(.*)")
_ASKING = {"include", "a", "mx", "ptr", "exists"}
_MECHANISMS = {*_ASKING, "all", "ip4", "ip6"}


class _BrokenError(Exception):
    """A receiver gives up at this (permerror)."""


class _TooManyError(Exception):
    """A receiver gives up counting."""


@attrs.define
class _Walk:
    """One evaluation of a record and of all that it includes."""

    records: "Records"
    lookups: int = 0

    def ending(self, domain: str, record: str) -> str | None:
        """Return the qualifier of the `all` that the record ends with, or None."""
        redirect = None
        for term in record.split()[1:]:
            qualifier, name, rest = self._parsed(domain, term)
            if name == "all":
                return qualifier or "+"
            if name == "redirect":
                redirect = rest
            elif name in _ASKING:
                self._count()
                if name == "include":
                    self._follow(domain, term, rest)
        if redirect is None:
            return None
        self._count()
        return self._follow(domain, f"redirect={redirect}", redirect)

    def _parsed(self, domain: str, term: str) -> tuple[str, str, str]:
        """Return qualifier, name and value; a modifier that is not `redirect` has no name."""
        found = _TERM.fullmatch(term)
        name = found[2].lower() if found else ""
        if found and found[3].startswith("="):
            return "", "redirect" if name == "redirect" else "", found[3][1:]
        if not found or name not in _MECHANISMS:
            raise _BrokenError(f"{domain} has {term[:60]!r}, which is no mechanism")
        value = found[3].removeprefix(":")
        if name in {"ip4", "ip6"} and not _is_network(value, int(name[-1])):
            raise _BrokenError(f"{domain} has {term[:60]!r}, which is no network")
        if name in {"include", "exists"} and not value:
            raise _BrokenError(f"{domain} has {term[:60]!r} without a domain")
        return found[1], name, value

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > _MOST_LOOKUPS:
            raise _TooManyError

    def _follow(self, domain: str, term: str, target: str) -> str | None:
        if "%" in target:  # a macro: it depends on the mail
            return None if term.startswith("include") else "-"
        found = _published(target, self.records)
        if len(found) != 1:
            raise _BrokenError(f"{domain} has {term[:60]!r}, where there are {len(found)} SPF records")
        return self.ending(target, found[0])


def check(domain: str, records: "Records") -> Iterator[Finding]:
    """Yield what is wrong with the SPF record of a domain.

    Raises:
        UnansweredError: It could not be looked up, or not all that it includes.
    """
    found = _published(domain, records)
    if not found:
        yield rules.SPF_MISSING.at(domain, "the domain has no SPF record")
    if len(found) > 1:
        yield rules.SPF_SEVERAL.at(domain, f"the domain has {len(found)} SPF records, so receivers ignore all")
    if len(found) != 1:
        return
    try:
        ending = _Walk(records).ending(domain, found[0])
    except _BrokenError as error:
        yield rules.SPF_MALFORMED.at(domain, str(error))
    except _TooManyError:
        said = f"the SPF record takes more than {_MOST_LOOKUPS} look-ups, so receivers ignore it"
        yield rules.SPF_LOOKUPS.at(domain, said)
    else:
        if ending == "+":
            yield rules.SPF_ALLOWS_ALL.at(domain, "the SPF record ends with +all, so anybody may send")
        elif ending in {None, "?"}:
            yield rules.SPF_UNDECIDED.at(domain, "the SPF record does not say what becomes of other senders")


def _published(domain: str, records: "Records") -> list[str]:
    return [text for text in records.txt(domain) if _VERSION.match(text)]


def _is_network(value: str, version: int) -> bool:
    try:
        return ipaddress.ip_network(value, strict=False).version == version
    except ValueError:
        return False
