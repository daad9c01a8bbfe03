"""Dify's own words for what is wrong with its settings, where ours differ: its users and its tests look for them."""

import attrs

from postroom import MailSettingsError

_WORDS = {
    "SMTP server and port are required": "SMTP_SERVER and SMTP_PORT are required for smtp mail type",
    "Opportunistic TLS requires TLS to be enabled": (
        "SMTP_OPPORTUNISTIC_TLS is not supported without enabling SMTP_USE_TLS"
    ),
}


def in_words_of_dify(error: MailSettingsError) -> MailSettingsError:
    """Return the same error in Dify's words."""
    problems = [attrs.evolve(each, reason=_WORDS.get(each.reason, each.reason)) for each in error.problems]
    return MailSettingsError(error.provider, problems)
