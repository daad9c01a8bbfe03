"""`postroom explain`: what a reply means, by the rules of the providers that are installed, without network."""

from typing import Self

import attrs
import click

from postroom import Provider, ProviderRegistry, Rule, Symptom, find_rule
from postroom_cli import limited, listing, output
from postroom_cli.line import Line


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="CODE|TEXT")
def explain(words: tuple[str, ...]) -> int:
    """Say what a reply or an error means, and what to do.

    Give it a code (535, 5.7.60, AADSTS7000215), or the line of the log with all its words.
    """
    text = " ".join(words)
    survey = listing.survey(ProviderRegistry(), lambda provider: _ask(provider, Line(text).symptom))
    for name in survey.late:
        output.say("warning", f"{name} is left out: {limited.late()}")
    found = look_up(text, [provider for provider, _ in survey.found])
    if not found:
        output.say("error", "no rule of an installed provider knows this; postroom doctor asks the server itself")
        return 1
    for position, (rule, names) in enumerate(found):
        if position:
            click.echo()
        output.line("meaning", rule.meaning)
        output.line("known by", ", ".join(names))
        output.line("see", rule.source)
        output.line("remedy", rule.remedy, "cyan")
    return 0


def _ask(provider: Provider, symptom: Symptom) -> None:
    """Ask each rule, so that a provider is left out whose rules fail."""
    for rule in provider.rules:
        rule.likeness(symptom)
        rule.matches(symptom)


def look_up(text: str, providers: list[Provider]) -> list[tuple[Rule, list[str]]]:
    """Return what a text may mean, with the names of the providers that say so.

    The rules that are most like the text count. Before them goes what holds whatever else is not known of it.
    """
    line = Line(text)
    symptom = line.symptom
    asked = [_Asked.about(each, symptom) for each in line.about(providers)]
    outdone = {rule for each in asked for rule in each.outdone}
    likely = {each: [rule for rule in each.likely if rule not in outdone] for each in asked}
    most = max((rule.likeness(symptom) for rules in likely.values() for rule in rules), default=0)
    found: dict[Rule, list[str]] = {}
    certain: set[Rule] = set()
    for each, rules in likely.items():
        if most not in [rule.likeness(symptom) for rule in rules]:
            continue  # what it knows is about something else
        for rule in rules:
            if rule is each.first or rule.likeness(symptom) == most:
                # One sentence is shown once, whatever conditions lead to it.
                told = rule.named(each.provider.variables)
                shown = Rule(meaning=told.meaning, remedy=told.remedy, source=told.source, text=text)
                names = found.setdefault(shown, [])
                names.extend([each.provider.name] if each.provider.name not in names else [])
                certain.update([shown] if rule is each.first else [])
    return sorted(found.items(), key=lambda each: each[0] not in certain)


@attrs.frozen(eq=False)
class _Asked:
    """What one provider knows of a symptom."""

    provider: Provider
    first: Rule | None
    """The rule that holds as it is."""
    likely: list[Rule]
    """That one, and those that ask for something that is not there."""
    outdone: list[Rule]
    """Those of the latter that say no more than the one that holds; no other provider need show them."""

    @classmethod
    def about(cls, provider: Provider, symptom: Symptom) -> Self:
        """Ask a provider."""
        first = find_rule(provider.rules, symptom)
        open_ = [rule for rule in provider.rules if rule.likeness(symptom) and not rule.matches(symptom)]
        if first is None:
            return cls(provider, None, open_, [])
        outdone = [rule for rule in open_ if not _is_more_exact(rule, first, symptom)]
        return cls(provider, first, [first, *open_], outdone)


def _is_more_exact(rule: Rule, first: Rule, symptom: Symptom) -> bool:
    """Return True if a rule is about this very enhanced code, and fits better than the one that holds as it is."""
    named = rule.enhanced_code is not None and symptom.enhanced_code is not None
    # A detail of 0 is an undefined one (RFC 3463 section 2).
    exact = named and not str(rule.enhanced_code).endswith((".x", ".0"))
    return exact and rule.likeness(symptom) > first.likeness(symptom)
