"""The errors before a send: of the configuration, of a provider, of a message. `send_errors` has the others.

Each is one line: what failed, where, and what to do about it. None shows a secret or a message's body. Task queues
carry them between processes: by pickle, or, as Celery with JSON does, by the class and `args`. So `args` are plain
data, and the class called with them makes the same error.
"""

from collections.abc import Iterable

import attrs


class MailError(Exception):
    """Anything that postroom raises on purpose."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MailConfigError(MailError, ValueError):
    """The configuration is wrong. Nothing has touched the network."""


@attrs.frozen
class SettingProblem:
    """One thing that is wrong with the settings. It never holds the value."""

    field: str
    """Name of the field in the provider's settings class, or the unknown key."""
    variable: str | None
    """The environment variable that sets the field; None for an unknown key."""
    reason: str
    """What is wrong, for the operator."""


def _problem(field: str | None, variable: str | None, reason: str | None) -> SettingProblem:
    return SettingProblem(str(field), variable, str(reason))


class MailSettingsError(MailConfigError):
    """Settings are missing, malformed, unknown or contradict each other; `problems` has all of them at once."""

    def __init__(self, provider: str, problems: Iterable[SettingProblem | Iterable[str | None]] = ()) -> None:
        """Take the provider's name and the problems, each as it is or as plain data in the order of its fields."""
        self.provider = provider
        self.problems = tuple(each if isinstance(each, SettingProblem) else _problem(*each) for each in problems)
        super().__init__(provider, [list(attrs.astuple(each)) for each in self.problems])

    def __str__(self) -> str:
        # Two fields that share a reason are one sentence: "SMTP server and port are required: set server
        # (SMTP_SERVER) and port (SMTP_PORT)".
        places: dict[str, list[str]] = {}
        for problem in self.problems:
            where = places.setdefault(problem.reason, [])
            if problem.variable is not None:
                where.append(f"{problem.field} ({problem.variable})")
        said = [f"{why}: set {' and '.join(where)}" if where else why for why, where in places.items()]
        return f"{self.provider}: {'; '.join(said)}"


class UnknownProviderError(MailConfigError, LookupError):
    """No installed distribution offers a provider of this name."""

    def __init__(self, message: str, name: str = "", installed: Iterable[str] = ()) -> None:
        self.name = name
        self.installed = tuple(installed)
        super().__init__(message, name, list(self.installed))


class ProviderConflictError(MailConfigError):
    """Several distributions offer a provider of this name; none is chosen over another."""

    def __init__(self, message: str, name: str = "", distributions: Iterable[str] = ()) -> None:
        self.name = name
        self.distributions = tuple(distributions)
        super().__init__(message, name, list(self.distributions))


class ProviderLoadError(MailConfigError, ImportError):
    """A provider is installed and does not work; `__cause__` says why."""

    def __init__(self, message: str, name: str | None = None, distribution: str | None = None) -> None:
        super().__init__(message, name, distribution)
        self.name = name
        self.distribution = distribution


class MailMessageError(MailError, ValueError):
    """The message cannot be sent as it is: refused here, before or without the server. Nothing was sent."""
