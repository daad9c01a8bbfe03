"""What to do about a text that is no address: what people write instead of one, and how to write it."""

import re

from postroom.address_text import INVISIBLE, NAME, quote

_LOOKED_AT = 500  # characters; a text that is longer is no slip of somebody's
_LONGEST = 200  # characters of an example; a longer one is hard to read in an error
_QUOTES = "'\"\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_NAMED = re.compile(rf"([^<>@]*)<([^<>]*@[^<>]*)>\s*(?:[{_QUOTES}]\s*)?(?:,|$)")
_COMMA = "Separate addresses with a comma (,)"
# The first one that is found is told.
_MISTAKES = (
    (r"&(?:lt|gt|quot|amp|#[0-9]+);", 'Write <, > and " themselves, not as HTML has them'),
    (r"mailto:", "Leave out mailto:"),
    (rf"^[{_QUOTES}].*@.*[{_QUOTES}]$", "Leave out the quotes around the whole"),
    (r"[\uff20\uff1c\uff1e\ufe64\ufe65\ufe6b]", "Write @, < and > themselves, not their full-width forms"),
    (r"[;\uff1b\uff0c\u3001\ufe50-\ufe54]", _COMMA),
    (rf"[{INVISIBLE}]", "Remove the invisible character"),
    (r'^[^"]*"[^"]*$', "Close the quotation mark, or leave it out"),
    (r"<\s*@", "Leave out the route before the address"),
    (r"^[^>]*<[^>]*$|^[^<]*>", "Write < and > as a pair: Grace <grace@example.com>"),
    (r"@.*@", f"{_COMMA}, and put a name that holds an @ into quotes"),
    (r"@.*\.>?$", "Leave out the dot at the end"),
    (r"<[^>]*\S\s+\S[^>]*>", "Leave out the blank in the address"),
    (r"[()\s>]", "Write the name before the address, and the address in < >: Grace <grace@example.com>"),
)


def advice(item: str, rest: str) -> str:
    """Return what to do, as a sentence, or nothing where the mistake is not known.

    Args:
        item: The item of an address list that is no address.
        rest: The list, from this item on.
    """
    item, rest = item[:_LOOKED_AT], rest[:_LOOKED_AT]
    if re.match(r'[^<>@"]*:.*;\s*$', rest) and "mailto:" not in rest:
        return "Write the addresses alone: a group (Name: address, address;) is not taken"
    found = _NAMED.match(rest)
    if found and not NAME.fullmatch(found[1]):
        example = f"{quote(found[1].strip().strip(_QUOTES).strip())} <{found[2].strip()}>"
        if len(example) > _LONGEST or not example.isprintable():
            example = '"Acme, Inc." <grace@example.com>'
        return f"Put the name into quotes: {example}"
    return next((what for pattern, what in _MISTAKES if re.search(pattern, item, re.IGNORECASE)), "")
