"""What stands between a provider and the application: whatever a provider raises becomes one of our errors."""

import copy
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from postroom.errors import MailError
from postroom.provider import Provider
from postroom.receipt import Outcome
from postroom.send_errors import MailSendError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Guard:
    """Lets nothing but a `MailError` out of a provider, and completes what it raises."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def call(self, outcome: Outcome, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the provider. Where it raises anything but a `MailError`, `outcome` is what is known.

        Raises:
            MailError: It has failed.
        """
        try:
            return call(*args, **kwargs)
        except MailSendError as error:
            self.tell(error)
            raise
        except MailError:
            raise
        except Exception as error:
            raise self._foreign(error, outcome) from error

    def tell(self, error: MailSendError) -> None:
        """Add the provider's name, and what to do where the transport has left that to the rules."""
        error.provider = error.provider or self._provider.name
        if error.remedy is None and (rule := self._provider.diagnose(error)) is not None:
            error.remedy = rule.remedy

    def lost(self, error: Exception) -> MailError:
        """Return a new error for one of the messages that a transport has lost by raising."""
        made = copy.copy(error) if isinstance(error, MailError) else self._foreign(error, Outcome.UNKNOWN)
        made.__cause__ = error  # which has the traceback
        return made

    def _foreign(self, error: Exception, outcome: Outcome) -> MailSendError:
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
