"""A plugin or an observer with its hooks, in a manager of pluggy's of its own.

One manager for all would have to be locked while it looks through a plugin, which runs code of that plugin. It would
also blame one plugin for the mistake of another that is being registered.
"""

from postroom import foreign
from postroom.discovery import canonical
from postroom.provider import Provider

PROVIDING = frozenset({"postroom_provider", "postroom_route"})
"""The hooks of a plugin that brings providers."""


class AnswerError(TypeError):
    """A hook has answered with something else than was asked for."""


class Plugin:
    """What implements our hooks.

    Args:
        subject: A module or an object.
        name: What it is called in a log.

    Raises:
        pluggy.PluginValidationError: It implements a hook that does not exist, or with arguments that do not exist.
    """

    def __init__(self, subject: object, name: str) -> None:
        # Loaded with the first plugin or observer, not to list names.
        import pluggy  # noqa: PLC0415

        from postroom import hookspecs  # noqa: PLC0415

        self.subject = subject
        self.name = name
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(subject, name=name)
        manager.check_pending()
        self._hooks = manager.hook
        self.implements = frozenset(hook for hook, caller in vars(manager.hook).items() if caller.get_hookimpls())
        """Names of its hooks."""

    def call(self, hook: str, **arguments: object) -> object:
        """Call a hook, and return its answer; None if there is none. What the hook raises comes out."""
        answers: list[object] = getattr(self._hooks, hook)(**arguments)
        return answers[0] if answers else None


def route_in(answer: object) -> str | None:
    """Return the name that `postroom_route` has answered with; None if it was not there or has nothing to say.

    Raises:
        AnswerError: It is no name.
    """
    if answer is None:
        return None
    if not isinstance(answer, str):
        raise AnswerError(f"postroom_route returned {foreign.kind(answer)}, not a name")
    return canonical(answer)


def provider_in(answer: object, name: str) -> Provider:
    """Return what `postroom_provider` has answered with.

    Raises:
        AnswerError: It is no provider of this name.
    """
    if not isinstance(answer, Provider):
        said = "implements no postroom_provider" if answer is None else f"returned {foreign.kind(answer)}"
        raise AnswerError(f"{said}; expected postroom_provider() to return a Provider")
    if answer.name != name:
        raise AnswerError(f"its Provider is named {answer.name!r}, its entry point {name!r}")
    return answer
