"""Checks the key that a DKIM signature names (RFC 6376 section 3.6)."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from postroom_cli.lint import rules
from postroom_cli.lint.finding import Finding

if TYPE_CHECKING:
    from postroom_cli.lint.records import Records


def check_key(name: str, records: "Records") -> Iterator[Finding]:
    """Yield what is wrong with the key record at `SELECTOR._domainkey.DOMAIN`.

    Raises:
        UnansweredError: It could not be looked up.
    """
    found = [tags(text) for text in records.txt(name)]
    keys = [each["p"] for each in found if "p" in each and each.get("v", "DKIM1") == "DKIM1"]
    if not keys:
        said = "the record holds no key" if found else "there is no such record"
        yield rules.DKIM_NO_KEY.at(name, f"{said}, so no signature with it counts")
    elif not any(keys):
        yield rules.DKIM_REVOKED.at(name, "the key is revoked (p= is empty), so no signature with it counts")


def tags(text: str) -> dict[str, str]:
    """Return the tags of a signature or a key record, without the blanks that may stand in their values."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): re.sub(r"\s+", "", value) for name, equals, value in pairs if equals}
