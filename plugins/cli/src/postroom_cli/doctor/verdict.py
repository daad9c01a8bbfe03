"""From an error to the two lines that count: what is wrong, and what to do."""

import re
from collections.abc import Mapping

import attrs

from postroom import (
    DifySource,
    MailError,
    MailMessageError,
    MailRecipientsError,
    MailSendError,
    MailSettingsError,
    Outcome,
    Provider,
    ProviderConflictError,
    ProviderLoadError,
    SettingInfo,
    UnknownProviderError,
)
from postroom_cli.doctor.configuration import Configuration

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_ASK = "Ask whoever runs the service, with the words of the step that failed"


@attrs.frozen
class Verdict:
    """What is wrong, and what to do."""

    cause: str
    remedy: str
    source: str | None = None
    exit_code: int = 1


def of(error: MailError, provider: Provider | None, found: Configuration) -> Verdict:
    """Return what an error means, by the rules of its provider where they know it."""
    if isinstance(error, MailSendError):
        rule = provider.diagnose(error) if provider is not None else None
        remedy = error.remedy or (rule.remedy if rule else _ASK)
        return Verdict(
            rule.meaning if rule else error.reason,
            _rewritten(remedy, found.source.slips(provider) if provider is not None else {}),
            rule.source if rule else None,
            3 if error.outcome is Outcome.UNKNOWN else 1,
        )
    if isinstance(error, MailSettingsError) and provider is not None:
        reasons = dict.fromkeys(problem.reason for problem in error.problems)
        return Verdict("; ".join(reasons), _settings(error, provider, found), exit_code=2)
    if isinstance(error, UnknownProviderError):
        return Verdict(str(error).rpartition("; ")[0], _unknown(error, found), exit_code=2)
    cause, remedy = _other(error)
    return Verdict(cause, remedy, exit_code=2)


def as_data(error: MailError) -> dict[str, object]:
    """Return an error as plain data."""
    found: dict[str, object] = {"class": type(error).__name__, "reason": str(error)}
    if isinstance(error, MailSendError):
        names = ("reason", "stage", "code", "enhanced_code", "transient", "retry_after")
        found |= {name: getattr(error, name) for name in names} | {"outcome": error.outcome.value}
    if isinstance(error, MailRecipientsError):
        found["refused"] = {address: attrs.asdict(refusal) for address, refusal in error.refused.items()}
    return found


def _rewritten(remedy: str, slips: Mapping[str, str]) -> str:
    """Return how to write the variables that a remedy asks to be checked, if they hold what does not belong to them."""
    written = [f"{name} {slips[name]}" for name in dict.fromkeys(_VARIABLE.findall(remedy)) if name in slips]
    return f"Write {' and '.join(written)}" if written else remedy


def _settings(error: MailSettingsError, provider: Provider, found: Configuration) -> str:
    """Return what to set, and to what where there is no choice."""
    infos = {info.variable: info for info in provider.describe()}
    named = dict.fromkeys(problem.variable for problem in error.problems if problem.variable)
    steps = [_step(infos[variable], found.source) for variable in named if variable in infos]
    unknown = [f"remove {problem.field}" for problem in error.problems if problem.variable is None]
    return _sentence(" and ".join([*steps, *unknown]))


def _step(info: SettingInfo, source: DifySource) -> str:
    value, slip = source.get(info.variable), source.slip(info.variable)
    if slip is not None:
        return f"write {info.variable} {slip}"
    if isinstance(info.default, bool):
        word = str(info.default if value is None else value).strip().lower()
        known = word in ("true", "false")
        return (
            f"set {info.variable}={'false' if word == 'true' else 'true'}"
            if known
            else f"set {info.variable} to true or false"
        )
    if value is None:
        return f"set {info.variable}"
    return f"correct {info.variable}" if info.type == "text" else f"set {info.variable} to {info.type}"


def _unknown(error: UnknownProviderError, found: Configuration) -> str:
    advice = str(error).rpartition("; ")[2]
    meant = advice.removeprefix("did you mean ").rstrip("?")
    variable = found.chosen_by(error.name)
    if (slip := found.source.slip(variable or "MAIL_TYPE")) is not None:
        return f"Write {variable or 'MAIL_TYPE'} {slip}"
    if meant == advice:
        return _sentence(advice)
    if variable is None:
        return f"Set MAIL_TYPE={meant}"
    return f"Set {variable}={meant.removeprefix(error.name.rpartition('-')[0] + '-')}"


def _other(error: MailError) -> tuple[str, str]:
    text = str(error)
    if isinstance(error, ProviderConflictError):
        return text.rpartition(": ")[0], f"Uninstall all but one of {', '.join(error.distributions)}"
    if isinstance(error, ProviderLoadError):
        return text, f"Install {error.distribution or 'the provider'} anew, or tell its authors"
    if isinstance(error, MailMessageError):
        return text, f"Set {_VARIABLE.findall(text)[0]}" if _VARIABLE.search(text) else "Change the message"
    return text, f"Check {' and '.join(dict.fromkeys(_VARIABLE.findall(text))) or 'the settings'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
