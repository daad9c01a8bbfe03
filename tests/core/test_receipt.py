"""Receipts: what was accepted, and what was not."""

import pickle

import attrs
import pytest

from postroom import Outcome, Receipt, Refusal

REFUSAL = Refusal(550, "5.1.1", "no such user", transient=False)


def test_a_receipt_without_refusals_is_accepted() -> None:
    """The outcome of a receipt is `ACCEPTED` unless somebody was refused, and never `NOT_SENT`."""
    assert Receipt("<1@a.b>", "pigeon", accepted=("a@a.b",)).outcome is Outcome.ACCEPTED
    assert Receipt("<1@a.b>", "pigeon", accepted=("a@a.b",), refused={"b@a.b": REFUSAL}).outcome is Outcome.PARTIAL


def test_a_receipt_needs_little() -> None:
    """Only the Message-ID and the provider are needed; nothing is refused, at the first attempt."""
    receipt = Receipt("<1@a.b>", "pigeon")
    assert (receipt.provider_id, receipt.accepted, receipt.refused, receipt.attempts) == (None, (), {}, 1)
    assert Receipt("<2@a.b>", "pigeon").refused is not receipt.refused


def test_a_receipt_is_a_value() -> None:
    """Receipts are frozen, equal by what they say, and the same after pickling."""
    receipt = Receipt("<1@a.b>", "pigeon", "id-1", ("a@a.b",), {"b@a.b": REFUSAL}, attempts=2)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        receipt.provider = "dove"  # type: ignore[misc]
    twin = pickle.loads(pickle.dumps(receipt))
    assert twin == receipt
    assert hash(twin) == hash(receipt)
    assert twin.refused["b@a.b"] == REFUSAL
    assert twin.outcome is Outcome.PARTIAL


def test_outcomes_read_as_words() -> None:
    """The value of an outcome is what logs and the command line print."""
    assert [outcome.value for outcome in Outcome] == ["accepted", "partial", "not sent", "unknown"]
