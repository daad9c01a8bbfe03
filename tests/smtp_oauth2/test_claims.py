"""What a token says about itself, for people."""

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_smtp_oauth2.claims import advice, read


def jwt(payload: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.c2ln"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = ("aud", "roles", "tid", "oid", "appid", "azp", "exp")


def test_the_claims_that_decide_are_read() -> None:
    """Each in its place, and shown without the token."""
    given_claims = {"aud": "https://x", "roles": ["SMTP.SendAsApp"], "tid": "t", "oid": "o", "appid": "a"}
    claims = read(jwt({**given_claims, "exp": time.time() + 600}))
    assert claims is not None
    assert (claims.aud, claims.roles, claims.tid, claims.oid, claims.appid) == (
        "https://x", ("SMTP.SendAsApp",), "t", "o", "a",
    )  # fmt: skip
    assert claims.has_role
    assert str(claims) == "aud=https://x roles=SMTP.SendAsApp tid=t appid=a oid=o ends in 10 minutes"


def test_a_token_of_version_2_names_its_application_otherwise() -> None:
    """`azp` stands in for `appid`; what is missing is shown as such."""
    claims = read(jwt({"azp": "a"}))
    assert claims is not None
    assert (claims.appid, claims.exp, claims.has_role) == ("a", None, False)
    assert "roles=none" in str(claims)
    assert "ends unknown" in str(claims)


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b", "a.!.c", "a..c", jwt([1]), jwt("x"), jwt(7), jwt({"exp": 10**400}), "a.\xe9.c"]
)
def test_what_is_no_token_with_claims_is_none(token: str) -> None:
    """An opaque token is nothing special."""
    assert read(token) is None


@given(st.text())
def test_any_text_is_read_or_none(token: str) -> None:
    """Nothing is raised."""
    claims = read(f"a.{token}")
    assert claims is None or str(claims)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)))
def test_any_claims_are_read_and_shown(payload: dict[str, object]) -> None:
    """Whatever their types; text is short."""
    claims = read(jwt(payload))
    assert claims is not None
    assert str(claims)
    assert len(claims.aud or "") <= 200


def test_the_advice_without_claims_has_placeholders() -> None:
    """An opaque token is not accused of lacking a role."""
    said = advice(None, "app@example.org")
    assert "-AppId APPLICATION_ID -ObjectId OBJECT_ID" in said
    assert "lacks" not in said


@pytest.mark.parametrize(
    ("roles", "lacks"), [(["SMTP.SendAsApp"], False), (["Mail.Send"], True), ("SMTP.SendAsApp", True)]
)
def test_the_advice_names_a_missing_role(roles: object, lacks: bool) -> None:
    """And only a missing one."""
    assert ("The token lacks the role" in advice(read(jwt({"roles": roles})), "app@example.org")) == lacks
