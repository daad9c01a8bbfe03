"""postroom: send mail through providers that are installed, not hard-wired.

What stands in `__all__` is the public API; everything else may change.
"""

from typing import TYPE_CHECKING

from postroom.address import Address
from postroom.attachment import Attachment
from postroom.capability import Capability, Limit
from postroom.concealing import Concealer
from postroom.dialling import dial
from postroom.dify import DifySource
from postroom.discovery import Registration, Skipped
from postroom.errors import (
    MailConfigError,
    MailError,
    MailMessageError,
    MailSettingsError,
    ProviderConflictError,
    ProviderLoadError,
    SettingProblem,
    UnknownProviderError,
)
from postroom.factory import MailSenderFactory, default_registry
from postroom.message import MailMessage
from postroom.number import whole_number
from postroom.probe import Step
from postroom.provider import Provider
from postroom.receipt import Outcome, Receipt, Refusal
from postroom.registry import ProviderRegistry
from postroom.rules import Rule, Symptom, find_rule
from postroom.secret import Secret
from postroom.send_errors import (
    MailAuthError,
    MailConnectionError,
    MailQuotaError,
    MailRateLimitError,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
)
from postroom.sender import BatchTransport, DeliveringSender, Leaving, MailSender, ProbeTransport, Transport
from postroom.settings import Lookup, SenderSettings, SettingInfo, describe, setting

if TYPE_CHECKING:
    from postroom.hookspecs import hookimpl

__all__ = [
    "Address",
    "Attachment",
    "BatchTransport",
    "Capability",
    "Concealer",
    "DeliveringSender",
    "DifySource",
    "Leaving",
    "Limit",
    "Lookup",
    "MailAuthError",
    "MailConfigError",
    "MailConnectionError",
    "MailError",
    "MailMessage",
    "MailMessageError",
    "MailQuotaError",
    "MailRateLimitError",
    "MailRecipientsError",
    "MailRejectedError",
    "MailSendError",
    "MailSender",
    "MailSenderFactory",
    "MailSettingsError",
    "MailTimeoutError",
    "MailUnavailableError",
    "Outcome",
    "ProbeTransport",
    "Provider",
    "ProviderConflictError",
    "ProviderLoadError",
    "ProviderRegistry",
    "Receipt",
    "Refusal",
    "Registration",
    "Rule",
    "Secret",
    "SenderSettings",
    "SettingInfo",
    "SettingProblem",
    "Skipped",
    "Step",
    "Symptom",
    "Transport",
    "UnknownProviderError",
    "default_registry",
    "describe",
    "dial",
    "find_rule",
    "hookimpl",
    "setting",
    "whole_number",
]


def __getattr__(name: str) -> object:
    """Load pluggy for the first plugin: who only looks at names, or starts without mail, does not pay for it."""
    if name != "hookimpl":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from postroom.hookspecs import hookimpl  # noqa: PLC0415

    return hookimpl


# What crosses a task queue names its class by the module: by this one, whatever file it stands in.
for _each in [each for each in map(globals().get, __all__) if isinstance(each, type)]:
    _each.__module__ = __name__
