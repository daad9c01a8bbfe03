"""Diagnosis as data: what a failure means, and what to do about it.

A provider registers the rules that it knows, the more exact ones first. Core takes the remedy of an error from them,
and the command line explains a reply by them, so one sentence stands in one place.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Self, TypeVar

import attrs

from postroom.send_errors import MailRecipientsError, MailSendError

_WORDS = 3  # what they weigh, where a code weighs 2 and a class of codes 1
_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@attrs.frozen(kw_only=True)
class Symptom:
    """What is known of a failure. None, and an empty text, is what is not known."""

    text: str = ""
    """The words of the server, with its host name if that is known."""
    stage: str | None = None
    """Step that failed, as `MailSendError.stage` has it."""
    code: int | None = None
    """SMTP reply code or HTTP status."""
    enhanced_code: str | None = None
    """Enhanced status code (RFC 3463)."""

    @classmethod
    def of(cls, error: MailSendError) -> Self:
        """Return the symptom that an error is. Where all recipients are refused, the first one's reply counts."""
        code, enhanced_code = error.code, error.enhanced_code
        if code is None and isinstance(error, MailRecipientsError) and error.refused:
            first = next(iter(error.refused.values()))
            code, enhanced_code = first.code, first.enhanced_code
        return cls(text=error.reason, stage=error.stage, code=code, enhanced_code=enhanced_code)


@attrs.frozen(kw_only=True)
class Rule:
    """What a failure means, and what to do. At least one condition is given, and all that are given must hold.

    `meaning` and `remedy` name a setting by its field in braces, `{username}`; people read the variable that sets it.
    """

    meaning: str
    """What has happened, as a sentence without its full stop."""
    remedy: str
    """What to do about it, as a sentence without its full stop."""
    source: str
    """Where this can be looked up: the address of a page."""
    stage: str | None = None
    """Condition: the step that failed."""
    code: str | None = None
    """Condition: the code, in which `x` is any digit: `535`, `5xx`."""
    enhanced_code: str | None = None
    """Condition: the enhanced status code, in which `x` is any number: `5.7.60`, `5.7.x`."""
    text: str | tuple[str, ...] | None = None
    """Condition: whole words of what the server said, without regard to case; of several, one must be there."""
    host: str | tuple[str, ...] | None = None
    """Condition: the server, which an error names in its text: its host name, or a domain above it, in which `*` is any
    part of a label, such as `smtp.*.example.com`; of several, one must be there."""

    def __attrs_post_init__(self) -> None:
        if not any((self.stage, self.code, self.enhanced_code, self.text, self.host)):
            raise ValueError(f"a rule needs a condition: {self.meaning!r}")

    def matches(self, symptom: Symptom) -> bool:
        """Return True if every condition holds."""
        return all(held is True for _, held in self._conditions(symptom))

    def likeness(self, symptom: Symptom) -> int:
        """Return how well the rule fits; 0 if it cannot. What is not known of a symptom contradicts nothing.

        Words count more than a code, and a code more than a class of codes.
        """
        conditions = self._conditions(symptom)
        if any(held is False for _, held in conditions):
            return 0
        return sum(weight for weight, held in conditions if held)

    def named(self, variables: Mapping[str, str]) -> Self:
        """Return the rule with the variables of the settings that it names by their fields."""
        return attrs.evolve(
            self, meaning=in_variables(self.meaning, variables), remedy=in_variables(self.remedy, variables)
        )

    @property
    def words(self) -> tuple[str, ...]:
        """What `text` asks for, of which one must be there."""
        return (self.text,) if isinstance(self.text, str) else self.text or ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """What `host` asks for, of which one must be there."""
        return (self.host,) if isinstance(self.host, str) else self.host or ()

    @property
    def fields(self) -> frozenset[str]:
        """The settings that the rule names."""
        return frozenset(_FIELD.findall(f"{self.meaning} {self.remedy}"))

    def _conditions(self, symptom: Symptom) -> list[tuple[int, bool | None]]:
        """Return for each condition that is given its weight, and whether it holds; None if nobody knows."""
        found: list[tuple[int, bool | None]] = []
        if self.stage is not None:
            found.append((1, None if symptom.stage is None else symptom.stage == self.stage))
        if self.code is not None:
            held = None if symptom.code is None else self._has_code(symptom.code, symptom.enhanced_code)
            found.append((_weight(self.code), held))
        if self.enhanced_code is not None:
            known = symptom.enhanced_code
            held = None if known is None else _like(self.enhanced_code, known, "[0-9]+")
            found.append((_weight(self.enhanced_code), held))
        if self.text is not None:
            found.append((_WORDS, any(_has(symptom.text, each) for each in self.words) if symptom.text else None))
        if self.host is not None:
            held = any(_names(symptom.text, each) for each in self.hosts)
            found.append((_WORDS, held))  # never None: there are too many hosts to think of each
        return found

    def _has_code(self, code: int, enhanced_code: str | None) -> bool:
        pattern, said = self.code or "", str(code)
        if "x" in pattern and enhanced_code is not None:
            # Where the two disagree on whether it may pass, the enhanced code decides.
            said = enhanced_code[0] + said[1:]
        return _like(pattern, said, "[0-9]")


_Rule = TypeVar("_Rule", bound=Rule)


def find_rule(rules: Iterable[_Rule], symptom: Symptom) -> _Rule | None:
    """Return the first rule whose conditions all hold, or None."""
    return next((rule for rule in rules if rule.matches(symptom)), None)


def in_variables(text: str, variables: Mapping[str, str]) -> str:
    """Return a text that names settings by their fields in braces with the variables of these fields."""
    return _FIELD.sub(lambda found: variables.get(found[1], found[0]), text)


def _weight(pattern: str) -> int:
    return 1 if pattern.endswith(("x", ".0")) else 2  # RFC 3463 section 2: a detail of 0 is an undefined one


def _like(pattern: str, code: str, any_: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace("x", any_), code) is not None


def _has(text: str, words: str) -> bool:
    """Return True if the words are there, and not as a part of longer ones: AADSTS70021 is not AADSTS700213."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None


def _names(text: str, host: str) -> bool:
    """Return True if a text names the host or one below it; an address of a mailbox there is not the host."""
    pattern = re.escape(host).replace(r"\*", r"[\w-]*")
    return re.search(rf"(?<![\w.@-])([\w-]+\.)*{pattern}(?![\w-]|\.\w)", text, re.IGNORECASE) is not None
