"""`postroom explain`: what a reply means, by the rules of the providers that are installed, without network."""

import re

import click

from postroom import Provider, ProviderRegistry, Rule, Symptom, find_rule
from postroom_cli import listing, output

# Neither a port (`mail.example.com:587`) nor the milliseconds of a log (`10:00:00,345`) is a code.
_CODE = re.compile(r"(?<![\w.:,])([2-5][0-9]{2})(?!\w|\.\w)")
_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?!\w|\.\w)")


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
    symptom = _symptom(text)
    likely = {provider.name: _likely(provider, symptom) for provider in providers}
    most = max((likeness for rules in likely.values() for likeness in rules.values()), default=0)
    found: dict[Rule, list[str]] = {}
    certain: set[Rule] = set()
    for provider in providers:
        rules = likely[provider.name]
        if most not in rules.values():
            continue  # what it knows is about something else
        for each, likeness in rules.items():
            if likeness == most or each.matches(symptom):
                # One sentence is shown once, whatever conditions lead to it.
                shown = each.named(provider.variables)
                rule = Rule(meaning=shown.meaning, remedy=shown.remedy, source=shown.source, text=text)
                names = found.setdefault(rule, [])
                names.extend([provider.name] if provider.name not in names else [])
                certain.update([rule] if each.matches(symptom) else [])
    return sorted(found.items(), key=lambda each: each[0] not in certain)


def _likely(provider: Provider, symptom: Symptom) -> dict[Rule, int]:
    """Return how like a symptom the rules of a provider are, without those that another one goes before."""
    first = find_rule(provider.rules, symptom)
    return {
        each: likeness
        for each in provider.rules
        if (likeness := each.likeness(symptom)) and (each is first or not each.matches(symptom))
    }


def _symptom(text: str) -> Symptom:
    code, enhanced = _CODE.search(text), _ENHANCED.search(text)
    words = _ENHANCED.sub(" ", _CODE.sub(" ", text))
    return Symptom(
        text=text if re.search(r"[^\W0-9]{2}", words) else "",
        code=int(code[1]) if code else None,
        enhanced_code=enhanced[1] if enhanced else None,
    )
