"""Diagnosis as data: when a rule holds, and what people read."""

from typing import Any

import attrs
import pytest

from postroom import (
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    Provider,
    Refusal,
    Rule,
    Symptom,
    find_rule,
    setting,
)
from postroom.settings import SenderSettings


def rule(**conditions: Any) -> Rule:
    """Return a rule with these conditions."""
    return Rule(meaning="It is so", remedy="Do it", source="https://example.com", **conditions)


SEEN = Symptom(
    text="mail.example.com:587 refused the login: 535 5.7.139 Basic authentication is disabled (AADSTS700213)",
    stage="auth",
    code=535,
    enhanced_code="5.7.139",
)


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"stage": "auth"}, True),
        ({"stage": "mail"}, False),
        ({"code": "535"}, True),
        ({"code": "5xx"}, True),
        ({"code": "53x"}, True),
        ({"code": "4xx"}, False),
        ({"code": "53"}, False),
        ({"enhanced_code": "5.7.139"}, True),
        ({"enhanced_code": "5.7.x"}, True),
        ({"enhanced_code": "x.x.x"}, True),
        ({"enhanced_code": "5.7.1"}, False),
        ({"enhanced_code": "5.7.13"}, False),
        ({"text": "basic AUTHENTICATION is disabled"}, True),
        ({"text": "AADSTS700213"}, True),
        ({"text": "AADSTS70021"}, False),
        ({"text": "DSTS700213"}, False),
        ({"text": "(AADSTS700213)"}, True),
        ({"text": "5.7.139 Basic"}, True),
        ({"text": ("nothing", "is disabled")}, True),
        ({"text": ("nothing", "nobody")}, False),
        ({"host": "mail.example.com"}, True),
        ({"host": "example.org"}, False),
        ({"host": "example.com"}, True),
        ({"host": "ail.example.com"}, False),
        ({"host": "example"}, False),
        ({"host": "*.example.com"}, True),
        ({"host": "m*.example.com"}, True),
        ({"host": "m*.*.com"}, True),
        ({"host": "mail*.example.com"}, True),
        ({"host": "pop*.example.com"}, False),
        ({"host": ("example.org", "mail.example.com")}, True),
        ({"host": ("example.org", "example.net")}, False),
        ({"code": "535", "stage": "auth", "text": "disabled"}, True),
        ({"code": "535", "stage": "auth", "text": "enabled"}, False),
    ],
)
def test_a_rule_holds_if_every_condition_does(conditions: dict[str, Any], holds: bool) -> None:
    """Words are whole words, and an `x` stands for a digit of a code, or a number of an enhanced one."""
    assert rule(**conditions).matches(SEEN) is holds
    assert (rule(**conditions).likeness(SEEN) > 0) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("smtp.example.com:465 refused the login", True),
        ("SMTP.Example.COM.:465 refused the login", True),
        ("550 no [smtp.example.com 2026-11-30]", True),
        ("a.b.smtp.example.com said no", True),
        ("smtp.example.com.evil.org:465 said no", False),
        ("notsmtp.example.com:465 said no", False),
        ("<ada@smtp.example.com> is unknown", False),
        ("smtp.example.com-x said no", False),
    ],
)
def test_a_host_is_a_whole_name(text: str, holds: bool) -> None:
    """Neither a part of one, nor the domain of a mailbox that is named; with its last dot it is the same."""
    assert rule(host="smtp.example.com").matches(Symptom(text=text)) is holds


def test_a_rule_needs_a_condition() -> None:
    """One without would explain everything."""
    with pytest.raises(ValueError, match="a rule needs a condition: 'It is so'"):
        rule()


@pytest.mark.parametrize(
    ("code", "enhanced_code", "pattern", "holds"),
    [
        (550, "4.2.2", "5xx", False),
        (550, "4.2.2", "4xx", True),
        (450, "5.1.1", "5xx", True),
        (450, "5.1.1", "450", True),
        (550, None, "5xx", True),
    ],
)
def test_the_enhanced_code_says_whether_it_may_pass(
    code: int, enhanced_code: str | None, pattern: str, holds: bool
) -> None:
    """Where the two disagree, a class of codes means the enhanced one's; a code as such stays what it is."""
    assert rule(code=pattern).matches(Symptom(code=code, enhanced_code=enhanced_code)) is holds


@pytest.mark.parametrize(
    ("conditions", "likeness"),
    [
        ({"code": "5xx"}, 1),
        ({"code": "535"}, 2),
        ({"code": "535", "enhanced_code": "5.7.139"}, 2),
        ({"code": "535", "text": "whatever"}, 2),
        ({"code": "535", "stage": "auth", "host": "mail.example.com"}, 0),
        ({"stage": "auth"}, 0),
        ({"code": "530"}, 0),
        ({"code": "530", "stage": "auth"}, 0),
    ],
)
def test_what_nobody_knows_contradicts_nothing(conditions: dict[str, str], likeness: int) -> None:
    """Whoever looks a bare code up finds each rule that may be meant, and no rule that certainly is not."""
    assert rule(**conditions).likeness(Symptom(code=535)) == likeness
    assert rule(**conditions).matches(Symptom(code=535)) is (conditions.keys() == {"code"} and likeness > 0)


def test_the_first_rule_that_holds_counts() -> None:
    """So the exact ones stand before the general ones."""
    exact, general = rule(code="535", text="disabled"), rule(code="5xx")
    assert find_rule((rule(stage="mail"), exact, general), SEEN) is exact
    assert find_rule((general, exact), SEEN) is general
    assert find_rule((rule(stage="mail"),), SEEN) is None


def test_a_refused_recipient_is_the_symptom_where_all_are_refused() -> None:
    """The error has no code of its own then."""
    refused = {"a@example.com": Refusal(550, "5.1.1", "no such user", transient=False)}
    error = MailRecipientsError("every recipient was refused", refused=refused, stage="rcpt")
    assert Symptom.of(error) == Symptom(
        text="every recipient was refused", stage="rcpt", code=550, enhanced_code="5.1.1"
    )
    assert Symptom.of(MailRecipientsError("nobody")) == Symptom(text="nobody")
    assert Symptom.of(MailSendError("no", code=403)) == Symptom(text="no", code=403)


@attrs.frozen(kw_only=True)
class LoftSettings(SenderSettings):
    """Settings with a field whose variable is not its name."""

    key: str = attrs.field(default="", metadata=setting("key"))
    loft: str = attrs.field(default="", metadata=setting("where", env="PLACE"))


def test_a_rule_names_the_variables_of_the_provider() -> None:
    """A field in braces becomes what an operator sets; other braces stay."""
    found = Rule(
        meaning="{loft} is wrong", remedy="Set {key}, {default_from} or {loft}; not {other} or { key }",
        source="https://example.com", code="403",
    )  # fmt: skip
    assert found.fields == {"loft", "key", "default_from", "other"}
    provider = Provider("pigeon", LoftSettings, print, rules=[found])
    told = provider.diagnose(MailRejectedError("no", code=403))
    assert told is not None
    assert told.meaning == "PLACE is wrong"
    assert told.remedy == "Set PIGEON_KEY, MAIL_DEFAULT_SEND_FROM or PLACE; not {other} or { key }"
    assert provider.diagnose(MailRejectedError("no", code=404)) is None
