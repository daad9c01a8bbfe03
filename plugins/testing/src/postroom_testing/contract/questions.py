"""Questions that a rule and settings answer without raising, whatever is known or set."""

from collections.abc import Callable

from postroom import Rule, SenderSettings, Symptom

MISTYPED = (
    "x",
    "-",
    "0",
    "-1",
    "99999",
    "true",
    "false",
    "gr\u00fcn",
    "a@b@c",
    "http://[",
    "https://",
    "//x:y/",
    ".",
    "x" * 300,
)
"""What an operator may write into any variable."""
SYMPTOMS = (
    Symptom(),
    Symptom(text="It does not work"),
    Symptom(text="535 5.7.8 mail.example.com", stage="auth", code=535, enhanced_code="5.7.8"),
)
"""What may be known of a failure."""


def asked(rule: Rule, symptom: Symptom) -> tuple[bool, int]:
    """Ask a rule."""
    return rule.matches(symptom), rule.likeness(symptom)


def doubted(made: SenderSettings) -> list[str]:
    """Read the doubts of settings."""
    return [field + doubt for field, doubt in made.doubts()]


def summed(made: SenderSettings) -> dict[str, str]:
    """Read the summary of settings."""
    return {key: str(value) for key, value in made.summary().items()}


def answer(look: Callable[..., object], *arguments: object) -> object:
    """Return what comes back, or what is raised."""
    try:
        return look(*arguments)
    except BaseException as error:  # noqa: BLE001  it may be any
        return error
