"""Mail addresses, parsed once.

Syntax: RFC 5321 section 4.1.2 and RFC 5322 section 3.4, with the non-ASCII local parts of RFC 6531 section 3.3.
Domains are kept as A-labels (IDNA 2008, RFC 5891), so that headers, envelope and JSON all name the same domain.
"""

import re

import attrs

from postroom.address_text import ATEXT, DOT_ATOM, quote, read, split, trim
from postroom.domain import to_ascii
from postroom.errors import MailMessageError
from postroom.injection import check_text

# One bare address without anything special: what most texts are.
_PLAIN = re.compile(r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@([A-Za-z0-9.-]*[A-Za-z0-9])")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?", re.IGNORECASE)
_LONGEST_LOCAL_PART = 64  # octets, RFC 5321 section 4.5.3.1.1
_LONGEST_ADDRESS = 254  # octets, RFC 5321 section 4.5.3.1.3 less the angle brackets


@attrs.frozen
class Address:
    """One mailbox: `Address("grace", "example.com", "Grace Hopper")`, or `Address.parse("Grace <grace@example.com>")`.

    Raises:
        MailMessageError: The parts do not make an address, or hold a character that could end a header line.
    """

    local_part: str = attrs.field()
    """What stands before the @, without quotes."""
    domain: str = attrs.field(converter=to_ascii)
    """Domain in lower case as A-labels, or an address literal such as `[127.0.0.1]`."""
    name: str = attrs.field(default="")
    """Display name, decoded; empty when there is none."""
    spec: str = attrs.field(init=False, repr=False, eq=False)
    """The bare address, `grace@example.com`; a local part that needs quotes has them."""

    def __attrs_post_init__(self) -> None:
        check_text(self.local_part, "the part before the @")
        check_text(self.name, "the display name")
        bare = self.local_part if DOT_ATOM.fullmatch(self.local_part) else quote(self.local_part)
        object.__setattr__(self, "spec", f"{bare}@{self.domain}")  # every send asks for it several times
        if not self.local_part:
            raise MailMessageError(f"nothing stands before the @ in {self.spec[:100]!r}")
        if _ENCODED_WORD.search(self.local_part):
            # RFC 2047 forbids encoded words in an address, but readers decode them, and see another one.
            raise MailMessageError("the part before the @ looks like an encoded word")
        if len(self.local_part.encode()) > _LONGEST_LOCAL_PART:
            raise MailMessageError(f"the part before the @ is longer than {_LONGEST_LOCAL_PART} octets")
        if len(self.spec.encode()) > _LONGEST_ADDRESS:
            raise MailMessageError(f"the address is longer than {_LONGEST_ADDRESS} octets")

    def __str__(self) -> str:
        """The mailbox as people write it, `Grace Hopper <grace@example.com>`."""
        if not self.name:
            return self.spec
        plain = re.fullmatch(rf"{ATEXT}+(?: {ATEXT}+)*", self.name)
        return f"{self.name if plain else quote(self.name)} <{self.spec}>"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read one mailbox, with or without a display name: `grace@example.com`, `Grace Hopper <grace@example.com>`.

        A name that holds a backslash or one of `()[]<>@,:;"` needs quotes, `"Acme, Inc." <no-reply@example.com>`.
        Brackets in pairs need none, `Acme (Berlin) <no-reply@example.com>`.

        Raises:
            MailMessageError: The text is not exactly one mailbox. The error says how to write what is probably meant.
        """
        found = cls.parse_list(text)
        if len(found) != 1:
            raise MailMessageError(f"{text[:100]!r} holds {len(found)} addresses where one is expected")
        return found[0]

    @classmethod
    def parse_list(cls, text: str) -> "tuple[Address, ...]":
        """Read mailboxes separated by commas; commas in quotes do not separate, empty items are passed over.

        What programs read in different ways is refused and never guessed at: comments beside an address, an address in
        a name without quotes, groups, routes, text behind the `>`.

        Raises:
            MailMessageError: An item is not a mailbox.
        """
        try:
            check_text(text, "an address")
        except MailMessageError as error:
            if re.search(r"[\r\n]", str(text)):
                raise MailMessageError(f"{error}. Write addresses on one line, with a comma between them") from None
            raise
        if plain := _PLAIN.fullmatch(text):
            return (cls(*plain.groups()),)
        found: list[Address] = []
        for start, pieces in split(text):
            if item := trim(pieces):
                try:
                    found.append(cls(*read(item)))
                except MailMessageError as error:
                    raise _advised(error, "".join(item), text[start:]) from None
        return tuple(found)


def _advised(error: MailMessageError, item: str, rest: str) -> MailMessageError:
    from postroom.address_advice import advice  # noqa: PLC0415  only a text that is no address needs it

    what = advice(item, rest)
    return MailMessageError(f"{error}. {what}") if what else error
