"""What no text of a configuration may hold: control characters, and a secret nothing that is no Unicode either.

A control character divides what a login is made of: NUL the parts of PLAIN (RFC 4616), U+0001 those of XOAUTH2, a line
end two headers. One that came along with a copy is a mistake in any case.
"""

import re
from collections.abc import Iterator
from typing import Any

import attrs

from postroom.secret import Secret

_CONTROL = "must hold no control characters"
_OF_A_TEXT = ((re.compile(r"[\x00-\x1f\x7f-\x9f]"), _CONTROL),)
_OF_A_SECRET = (
    # A password may hold a tab, and a key in PEM has lines; whoever sends one where that divides refuses them itself.
    (re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"), _CONTROL),
    # How os.environ shows what it cannot decode. The name of a file may hold it, so a text may.
    (re.compile(r"[\ud800-\udfff]"), "must be valid UTF-8"),
)


def problems(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield each field of an attrs instance whose text cannot be used, with the reason, which never holds the value."""
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        text, refused = (value.reveal(), _OF_A_SECRET) if isinstance(value, Secret) else (value, _OF_A_TEXT)
        if isinstance(text, str):
            reason = next((reason for pattern, reason in refused if pattern.search(text)), None)
            if reason is not None:
                yield field.name, f"{field.name.replace('_', ' ')} {reason}"
