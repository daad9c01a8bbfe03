"""What no text of a configuration may hold: control characters, and a secret nothing that is no Unicode either.

A control character divides what a login is made of: NUL the parts of PLAIN (RFC 4616), U+0001 those of XOAUTH2, a line
end two headers. One that came along with a copy is a mistake in any case.
"""

import re
from collections.abc import Iterator
from typing import Any

import attrs

from postroom.secret import Secret

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# A password may hold a tab, and a key in PEM has lines; whoever sends one where that divides refuses them itself.
_IN_SECRET = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# How os.environ shows what it cannot decode. The name of a file may hold it, and a text may be the name of a file.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def problems(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield each field of an attrs instance whose text cannot be used, with the reason, which never holds the value."""
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        words = field.name.replace("_", " ")
        if isinstance(value, Secret):
            if _IN_SECRET.search(value.reveal()):
                yield field.name, f"{words} must hold no control characters"
            elif _SURROGATE.search(value.reveal()):
                yield field.name, f"{words} must be valid UTF-8"
        elif isinstance(value, str) and _CONTROL.search(value):
            yield field.name, f"{words} must hold no control characters"
