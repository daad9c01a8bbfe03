"""Numbers that others write: what is one, and what Python alone takes for one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom import whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("33554432", 33554432), ("9" * 20, 10**20 - 1)])
def test_digits_are_a_number(text: str, number: int) -> None:
    """One to as many digits as are allowed."""
    assert whole_number(text, 20) == number


@given(
    st.text(st.characters(categories=["Nd", "No", "Nl", "Zs", "Pc", "Sm"]) | st.sampled_from("0123456789"), max_size=8)
)
@example("\u0663\u0663")
@example("\u00b2")
@example("1_000")
@example(" 1")
@example("1\n")
@example("+1")
@example("")
def test_nothing_else_is_a_number(text: str) -> None:
    """Digits of other scripts, signs, blanks and underscores are none, whatever `int` says of them."""
    assert (whole_number(text, 8) is not None) == (text != "" and set(text) <= set("0123456789"))


def test_too_many_digits_are_no_number() -> None:
    """A server cannot have us read a number of any length."""
    assert whole_number("1" * 21, 20) is None
    assert whole_number("1" * 100_000, 20) is None
