"""What stands between a provider and the application: whatever a provider raises becomes one of our errors."""

import copy
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from postroom.errors import MailError
from postroom.foreign import is_its_own
from postroom.provider import Provider
from postroom.receipt import Outcome
from postroom.rules import in_variables
from postroom.send_errors import MailSendError
from postroom.traces import forget_locals

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Guard:
    """Lets nothing but a `MailError` out of a provider, and completes what it raises."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def call(
        self, outcome: Outcome | Callable[[], Outcome], call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Call the provider. Where it raises anything but a `MailError`, `outcome` is what is known, or says it.

        Raises:
            MailError: It has failed. What a signal handler raises meanwhile passes, too.
        """
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            forget_locals(error)
            if isinstance(error, MailSendError):
                self.tell(error)
            if isinstance(error, MailError) or not is_its_own(error):
                raise
            raise self._foreign(error, outcome if isinstance(outcome, Outcome) else outcome()) from error

    def tell(self, error: MailSendError) -> None:
        """Add the provider's name, and what to do where the transport has left that to the rules."""
        error.provider = error.provider or self._provider.name
        if error.remedy is None:
            rule = self._provider.diagnose(error)
            error.remedy = rule.remedy if rule is not None else None
        elif "{" in error.remedy:
            error.remedy = in_variables(error.remedy, self._provider.variables)

    def lost(self, error: Exception, outcome: Outcome) -> MailError:
        """Return a new error for one of the messages that a transport has lost by raising.

        Args:
            error: What it has raised.
            outcome: What is known of the message.
        """
        forget_locals(error)
        made = copy.copy(error) if isinstance(error, MailError) else self._foreign(error, outcome)
        made.__cause__ = error  # which has the traceback
        return made

    def _foreign(self, error: BaseException, outcome: Outcome) -> MailSendError:
        # Its text stays out: nobody knows what a foreign exception quotes. The cause is chained for the traceback.
        remedy = "It is a bug of the provider: report it with the traceback"
        if outcome is Outcome.UNKNOWN:
            remedy += ". The message may have been sent: do not send it again before you know"
        return MailSendError(
            f"unexpected {type(error).__name__} in the provider",
            remedy=remedy,
            provider=self._provider.name,
            outcome=outcome,
        )
