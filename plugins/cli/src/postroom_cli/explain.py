"""`postroom explain`: what a reply means, by the rules of the providers that are installed, without network."""

import click

from postroom import Provider, ProviderRegistry, Rule, Symptom, find_rule
from postroom_cli import listing, output
from postroom_cli.line import Line


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="CODE|TEXT")
def explain(words: tuple[str, ...]) -> int:
    """Say what a reply or an error means, and what to do.

    Give it a code (535, 5.7.60, AADSTS7000215), or the line of the log with all its words.
    """
    found = look_up(" ".join(words), listing.sound(ProviderRegistry()))
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


def look_up(text: str, providers: list[Provider]) -> list[tuple[Rule, list[str]]]:
    """Return what a text may mean, with the names of the providers that say so.

    The rules that are most like the text count. Before them goes what holds whatever else is not known of it.
    """
    line = Line(text)
    symptom = line.symptom
    asked = line.about(providers)
    likely = {provider.name: _likely(provider, symptom) for provider in asked}
    outdone = {rule for provider in asked for rule in provider.rules if _is_outdone(rule, provider, symptom)}
    most = max(
        (rule.likeness(symptom) for rules in likely.values() for rule in rules if rule not in outdone), default=0
    )
    found: dict[Rule, list[str]] = {}
    certain: set[Rule] = set()
    for provider in asked:
        rules = [rule for rule in likely[provider.name] if rule not in outdone]
        if most not in [rule.likeness(symptom) for rule in rules]:
            continue  # what it knows is about something else
        for each in rules:
            if each.likeness(symptom) == most or each.matches(symptom):
                # One sentence is shown once, whatever conditions lead to it.
                shown = each.named(provider.variables)
                rule = Rule(meaning=shown.meaning, remedy=shown.remedy, source=shown.source, text=text)
                names = found.setdefault(rule, [])
                names.extend([provider.name] if provider.name not in names else [])
                certain.update([rule] if each.matches(symptom) else [])
    return sorted(found.items(), key=lambda each: each[0] not in certain)


def _likely(provider: Provider, symptom: Symptom) -> list[Rule]:
    """Return the rules of a provider that a symptom may fall under: the first that holds, and what asks for more."""
    first = find_rule(provider.rules, symptom)
    return [each for each in provider.rules if each.likeness(symptom) and (each is first or not each.matches(symptom))]


def _is_outdone(rule: Rule, provider: Provider, symptom: Symptom) -> bool:
    """Return True if a rule asks for something that is not there, and another one of the provider holds as it is.

    Unless it is about this very enhanced code, and so more exact than the one that holds.
    """
    first = find_rule(provider.rules, symptom)
    if first is None or rule.matches(symptom):
        return False
    exact = (
        rule.enhanced_code is not None and symptom.enhanced_code is not None and not rule.enhanced_code.endswith(".0")
    )
    return not exact or rule.likeness(symptom) <= first.likeness(symptom)
