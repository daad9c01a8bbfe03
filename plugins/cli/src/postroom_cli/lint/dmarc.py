"""Checks the DMARC policy of a domain, and whether another domain is aligned with it (RFC 9989).

The organizational domain is found by walking up the DNS, as RFC 9989 section 4.10 has it, without a list of public
suffixes.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from postroom_cli.lint import rules
from postroom_cli.lint.finding import Finding

if TYPE_CHECKING:
    from postroom_cli.lint.records import Records

_LIKE = re.compile(r"\s*v\s*=\s*dmarc1", re.IGNORECASE)
_VALID = re.compile(r"\s*[vV]\s*=\s*DMARC1\s*(?:;|$)")  # section 4.8: the value in capitals
_POLICIES = {"none", "quarantine", "reject"}
_MOST_LABELS = 8  # section 4.10: from a longer name, the walk goes on with the last seven

Policy = tuple[str, dict[str, str]]
"""A domain, and the tags of the record at its `_dmarc`."""


def check(domain: str, records: "Records") -> Iterator[Finding]:
    """Yield what is wrong with the policy that holds for a domain.

    Raises:
        UnansweredError: It could not be looked up.
    """
    name = f"_dmarc.{domain}"
    own = [text for text in records.txt(name) if _LIKE.match(text)]
    if len(own) > 1:
        yield rules.DMARC_MALFORMED.at(name, f"there are {len(own)} DMARC records, so receivers ignore all")
        return
    if own and not _VALID.match(own[0]):
        yield rules.DMARC_MALFORMED.at(name, f"{own[0][:60]!r} does not begin with v=DMARC1;")
        return
    found = _policy(domain, records)
    if found is None:
        yield rules.DMARC_MISSING.at(name, "neither the domain nor one above it has a DMARC record")
        return
    where, tags = found
    tag = "sp" if where != domain and "sp" in tags else "p"
    asked = tags.get(tag, "none").lower()  # section 4.7: without p= it is none
    if asked not in _POLICIES:
        yield rules.DMARC_MALFORMED.at(f"_dmarc.{where}", f"{tag}= is {asked[:60]!r}")
    elif asked == "none":
        said = f"{tag}=none" if tag in tags else "no p= is the same as p=none, which"
        yield rules.DMARC_NONE.at(f"_dmarc.{where}", f"{said} asks receivers to let forged mail pass")


def aligned(signer: str, author: str, records: "Records") -> bool:
    """Return True if a signature of `signer` counts for mail from `author` (section 3.2.10).

    Raises:
        UnansweredError: It could not be looked up.
    """
    if signer == author:
        return True
    found = _policy(author, records)
    if found is not None and found[1].get("adkim", "r").lower() == "s":
        return False
    if author.endswith(f".{signer}") or signer.endswith(f".{author}"):
        return True  # also where neither has a record, and so no organizational domain is known
    return _organizational(signer, records) == _organizational(author, records)


def _policy(domain: str, records: "Records") -> Policy | None:
    """Return the record that holds for a domain: its own, or its organizational domain's, or a public suffix's."""
    found = _walk(domain, records)
    if not found or found[0][0] == domain:
        return found[0] if found else None
    above = dict(found)
    return next((name, above[name]) for name in (_organizational(domain, records), found[-1][0]) if name in above)


def _organizational(domain: str, records: "Records") -> str:
    found = _walk(domain, records)
    for name, tags in found:
        if tags.get("psd", "").lower() == "n":
            return name
        if tags.get("psd", "").lower() == "y" and name != domain:
            below = domain.removesuffix(f".{name}").rpartition(".")[2]
            return f"{below}.{name}"
    return found[-1][0] if found else domain


def _walk(domain: str, records: "Records") -> list[Policy]:
    """Return the records at a domain and above it, the longest name first."""
    found: list[Policy] = []
    labels = domain.split(".")
    while labels:
        name = ".".join(labels)
        texts = [text for text in records.txt(f"_dmarc.{name}") if _VALID.match(text)]
        if len(texts) == 1:
            found.append((name, _tags(texts[0])))
            if found[-1][1].get("psd", "").lower() in {"y", "n"}:
                break
        labels = labels[-(_MOST_LABELS - 1) :] if len(labels) > _MOST_LABELS else labels[1:]
    return found


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
