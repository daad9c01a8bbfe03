"""postroom: send mail through providers that are installed, not hard-wired.

What stands in `__all__` is the public API; everything else may change.
"""

from postroom.address import Address
from postroom.attachment import Attachment
from postroom.capability import Capability, Limit
from postroom.discovery import Registration, Skipped
from postroom.errors import (
    MailAuthError,
    MailConfigError,
    MailConnectionError,
    MailError,
    MailMessageError,
    MailQuotaError,
    MailRateLimitError,
    MailRecipientsError,
    MailRejectedError,
    MailSendError,
    MailSettingsError,
    MailTimeoutError,
    MailUnavailableError,
    ProviderConflictError,
    ProviderLoadError,
    SettingProblem,
    UnknownProviderError,
)
from postroom.factory import MailSenderFactory, default_registry
from postroom.hookspecs import hookimpl
from postroom.message import MailMessage
from postroom.provider import Provider
from postroom.receipt import Outcome, Receipt, Refusal
from postroom.registry import ProviderRegistry
from postroom.secret import Secret
from postroom.sender import BatchTransport, DeliveringSender, MailSender, Transport
from postroom.settings import Lookup, SenderSettings, SettingInfo, describe, setting

__all__ = [
    "Address",
    "Attachment",
    "BatchTransport",
    "Capability",
    "DeliveringSender",
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
    "Provider",
    "ProviderConflictError",
    "ProviderLoadError",
    "ProviderRegistry",
    "Receipt",
    "Refusal",
    "Registration",
    "Secret",
    "SenderSettings",
    "SettingInfo",
    "SettingProblem",
    "Skipped",
    "Transport",
    "UnknownProviderError",
    "default_registry",
    "describe",
    "hookimpl",
    "setting",
]
