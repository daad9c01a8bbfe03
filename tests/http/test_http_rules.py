"""The rules of every service with an HTTP API: each can be reached, names what there is, and is light to load."""

import json
import subprocess
import sys

import pytest

from postroom import Concealer, Rule, Secret, Symptom, find_rule
from postroom_http import failures
from postroom_http.answer import Answer
from postroom_http.failures import Peer, from_answer
from postroom_http.rules import NOT_THE_API, AnswerRule, rules
from postroom_http.settings import HttpSettings

RULES = rules()
KEY = Secret("key_s3cr3t")


def symptoms(rule: Rule) -> list[Symptom]:
    """Return failures with all that a rule asks for, and nothing else."""
    code = None if rule.code is None else int(rule.code.replace("x", "9"))
    return [Symptom(text=f"api.example.com: {words}", stage=rule.stage, code=code) for words in rule.words or ("",)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.stage or rule.code}-{rule.text or 'any'}")
def test_no_rule_hides_another(rule: Rule) -> None:
    """What a rule is about is not taken for something else by a rule before it."""
    assert all(find_rule(RULES, each) is rule for each in symptoms(rule))


def test_the_key_may_have_another_name() -> None:
    """The rules for a wrong key name the field that a provider says, and no other rule changes."""
    fields = {field for rule in RULES for field in rule.fields}
    assert fields == {"api_key", "api_url", "ca_file"}
    other = rules("server_token")
    assert {field for rule in other for field in rule.fields} == {"server_token", "api_url", "ca_file"}
    changed = [new for old, new in zip(RULES, other, strict=True) if new != old]
    assert [(rule.code, rule.remedy) for rule in changed] == [
        ("401", "Check {server_token}"),
        ("403", "Check {server_token}"),
    ]


def test_the_rules_name_fields_of_the_settings() -> None:
    """Besides the key, which each provider adds, every field is one that all of them have."""
    known = {"api_key", *HttpSettings.__annotations__}
    assert all(rule.fields <= known for rule in RULES)


@pytest.mark.parametrize("said", ["", "its words", "certificate has expired: the proxy to it did not answer in time"])
def test_every_answer_is_diagnosed_by_the_rule_that_made_its_error(said: str) -> None:
    """The class of an error and its remedy come from one rule, whatever the status."""
    for status in range(100, 1000):
        error = from_answer(Answer(status, {}, b""), Peer("api.example.com", Concealer(KEY)), None, said=said)
        rule = find_rule(RULES, Symptom.of(error))
        assert isinstance(rule, AnswerRule), status
        assert (rule.kind, rule.transient) == (type(error), error.transient), status
        assert (NOT_THE_API in error.reason) is (not said)


def test_loading_the_rules_loads_no_http_client() -> None:
    """A plugin registers the rules, and plugins are imported to be listed."""
    script = "import sys, json, postroom_http.rules; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not {"requests", "urllib3", "ssl", "http.client", failures.__name__} & {*json.loads(done.stdout)}
