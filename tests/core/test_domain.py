"""Domains: encoded labels that stand for a name, and literals that a host can have."""

import subprocess
import sys

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom import Address, MailMessageError


@pytest.mark.parametrize(
    "domain",
    ["xn--mnchen-3ya.example", "mail.xn--strae-oqa.de", "xn--r8jz45g.xn--zckzah", "axn--b.example", "a--b.test"],
)
def test_a_label_that_stands_for_a_name_is_taken(domain: str) -> None:
    """What IDNA 2008 makes of a name is a domain, in either case; what only holds `xn--` is a label like any other."""
    assert Address("grace", domain).domain == Address("grace", domain.upper()).domain == domain


@pytest.mark.parametrize(
    "label",
    [
        "xn--zzzzzzzzzzz",  # beyond Unicode
        "xn--a",  # no code point
        "xn--99999999",
        "xn--abc-",  # nothing is encoded
        "xn--example",  # stands for what IDNA does not allow
        "xn--a-ecp",  # a letter that is no lower-case one
        "xn--strasse-",
        "xn--ls8h",  # a picture: IDNA 2008 has none
        "xn--0ca24w",  # letters that are not composed
        "xn--mnchen_3ya",
        "xn--xn--mnchen-3ya",
    ],
)
def test_a_label_that_stands_for_nothing_is_refused(label: str) -> None:
    """Whatever its place, and beside a label that is not ASCII; the error names it and says what to write."""
    for domain in (f"{label}.example", f"mail.{label.upper()}", f"bücher.{label}"):
        with pytest.raises(MailMessageError, match="is not a domain") as caught:
            Address.parse(f"grace@{domain}")
        assert label in str(caught.value).lower() or "IDNA" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_error_about_a_label_says_what_to_write() -> None:
    """It names the domain and the label."""
    with pytest.raises(MailMessageError) as caught:
        Address.parse("grace@mail.xn--a.example")
    assert str(caught.value) == (
        "'mail.xn--a.example' is not a domain: 'xn--a' is not what IDNA 2008 makes of any name. "
        "Write the domain in its own letters"
    )


@given(st.from_regex(r"xn--[a-z0-9-]{0,20}[a-z0-9]", fullmatch=True))
@example("xn--0")
def test_any_label_is_one_of_idna_or_refused(label: str) -> None:
    """A label that is taken is what its own letters are encoded as."""
    try:
        domain = Address("grace", f"{label}.example").domain
    except MailMessageError:
        return
    assert idna.encode(idna.decode(domain)).decode() == domain


@pytest.mark.parametrize(
    "literal", ["127.0.0.1", "0.0.0.0", "255.255.255.255", "IPv6:::", "IPv6:2001:db8::1", "IPv6:::ffff:192.0.2.1"]
)
def test_a_literal_that_a_host_can_have_is_taken(literal: str) -> None:
    """It stays as it is written."""
    assert Address.parse(f"grace@[{literal}]").spec == f"grace@[{literal}]"


@pytest.mark.parametrize(
    "literal",
    [
        *("999.1.1.1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.", ".1.2.3", "1..2.3", "127.0.0.01", "...", "1"),
        *("IPv6:zzz", "IPv6:1", "IPv6::::", "IPv6:1::2::3", "IPv6:127.0.0.1", "IPv6:1:2:3:4:5:6:7:8:9", "IPv6:12345::"),
        *("IPv6:::ffff:999.0.0.1", "IPv6:fe80::1%eth0", "IPv6:", "::1", "example.com", "", "X400:a", "127.0.0.1\u0661"),
    ],
)
def test_a_literal_that_no_host_can_have_is_refused(literal: str) -> None:
    """Before any network, whether it is written by hand or in parts."""
    for make in (lambda: Address("grace", f"[{literal}]"), lambda: Address.parse(f"Grace <grace@[{literal}]>")):
        with pytest.raises(MailMessageError, match="is not a domain"):
            make()


def test_a_plain_domain_loads_no_tables() -> None:
    """Neither those of IDNA nor a parser of addresses: nearly every address has neither."""
    script = (
        "import sys, postroom; postroom.Address.parse('grace@mail.example.com'); "
        "print([name for name in ('idna', 'ipaddress') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
