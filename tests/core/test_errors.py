"""Errors: what they are, what they say, and that they cross a task queue."""

import copy
import json
import pickle
from typing import Any

import pytest

import postroom
from postroom import (
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
    Outcome,
    ProviderConflictError,
    ProviderLoadError,
    Receipt,
    Refusal,
    SettingProblem,
    UnknownProviderError,
)

SEND: dict[str, Any] = {
    "remedy": "Look at the log",
    "provider": "pigeon",
    "stage": "rcpt",
    "code": 450,
    "enhanced_code": "4.2.1",
    "transient": True,
    "retry_after": 1.5,
    "outcome": Outcome.UNKNOWN,
    "safe_to_retry": True,
}
REFUSED = {"a@example.com": Refusal(550, "5.1.1", "no such user", transient=False)}
RECEIPT = Receipt("<1@example.com>", "pigeon", accepted=("b@example.com",), refused=REFUSED)

ERRORS: list[tuple[MailError, str]] = [
    (MailError("what"), "what"),
    (MailConfigError("what"), "what"),
    (
        MailSettingsError("pigeon", [SettingProblem("loft", "PIGEON_LOFT", "loft is required")]),
        "pigeon: loft is required: set loft (PIGEON_LOFT)",
    ),
    (UnknownProviderError("what", name="pigeon", installed=["a", "b"]), "what"),
    (ProviderConflictError("what", name="pigeon", distributions=["a", "b"]), "what"),
    (ProviderLoadError("what", name="pigeon", distribution="acme-pigeon"), "what"),
    (MailMessageError("what"), "what"),
    *(
        (kind("what failed", **SEND), "pigeon: what failed. Look at the log")
        for kind in (
            MailSendError,
            MailConnectionError,
            MailAuthError,
            MailRateLimitError,
            MailQuotaError,
            MailUnavailableError,
            MailRejectedError,
            MailTimeoutError,
        )
    ),
    (
        MailRecipientsError(
            "what failed",
            refused=REFUSED,
            receipt=RECEIPT,
            remedy="Look at the log",
            provider="pigeon",
            stage="rcpt",
            transient=True,
            outcome=Outcome.PARTIAL,
        ),
        "pigeon: what failed. Look at the log",
    ),
]


@pytest.mark.parametrize(("error", "text"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_survives_pickling(error: MailError, text: str) -> None:
    """Every error is the same after pickling by any protocol, and after copying: class, text and all attributes."""
    twins = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for twin in (*twins, copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error) == text
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        for name in ("name", "distribution", "provider", "problems", "refused", "receipt"):
            assert getattr(twin, name, None) == getattr(error, name, None)


@pytest.mark.parametrize(("error", "text"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_is_made_anew_from_its_args_as_json(error: MailError, text: str) -> None:
    """A queue that carries class and `args` by JSON, as Celery does, loses nothing: what is unknown stays so."""
    twin = type(error)(*json.loads(json.dumps(error.args)))
    assert str(twin) == text
    assert vars(twin) == vars(error)


def test_details_of_another_version_are_passed_over() -> None:
    """What an error does not know of a newer one's data does not stop it."""
    error = MailSendError("what failed", {"outcome": "unknown", "weather": "rain"})
    assert (error.outcome, error.safe_to_retry) == (Outcome.UNKNOWN, True)
    assert not hasattr(error, "weather")


def test_every_public_error_is_tested_here() -> None:
    """The list above holds an error of each public class."""
    public = {kind for name, kind in vars(postroom).items() if name in postroom.__all__ and name.endswith("Error")}
    assert {type(error) for error, _ in ERRORS} == public


def test_what_an_error_was_noted_survives_too() -> None:
    """Attributes that are filled in later, such as the provider's name, cross the queue as well."""
    error = MailConnectionError("refused")
    assert str(error) == "refused"
    error.provider = "pigeon"
    assert str(pickle.loads(pickle.dumps(error))) == "pigeon: refused"


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (MailConfigError, (MailError, ValueError)),
        (MailSettingsError, (MailConfigError,)),
        (UnknownProviderError, (MailConfigError, LookupError)),
        (ProviderConflictError, (MailConfigError,)),
        (ProviderLoadError, (MailConfigError, ImportError)),
        (MailMessageError, (MailError, ValueError)),
        (MailSendError, (MailError,)),
        (MailConnectionError, (MailSendError,)),
        (MailAuthError, (MailSendError,)),
        (MailRecipientsError, (MailSendError,)),
        (MailRateLimitError, (MailSendError,)),
        (MailQuotaError, (MailSendError,)),
        (MailUnavailableError, (MailSendError,)),
        (MailRejectedError, (MailSendError,)),
        (MailTimeoutError, (MailSendError, TimeoutError, OSError)),
    ],
)
def test_an_error_can_be_caught_as_what_it_is(kind: type[Exception], parents: tuple[type[Exception], ...]) -> None:
    """Each class can be caught as its family and as the built-in error that callers know."""
    for parent in (*parents, MailError):
        assert issubclass(kind, parent)


def test_a_config_error_is_no_send_error() -> None:
    """What never touched the network cannot be mistaken for a send that failed."""
    assert not issubclass(MailConfigError, MailSendError)
    assert not issubclass(MailMessageError, MailSendError)
    assert not issubclass(MailMessageError, MailConfigError)
    assert not issubclass(MailConnectionError, ConnectionError)


def test_a_send_error_needs_only_a_reason() -> None:
    """A reason is enough: nothing was sent, nothing else is known, and it is not worth a second try."""
    error = MailSendError("what failed")
    assert str(error) == "what failed"
    assert vars(error) == {
        "reason": "what failed",
        "remedy": None,
        "provider": None,
        "stage": None,
        "code": None,
        "enhanced_code": None,
        "transient": False,
        "retry_after": None,
        "outcome": Outcome.NOT_SENT,
        "safe_to_retry": True,
    }
    assert MailRecipientsError("what failed").refused == {}


@pytest.mark.parametrize(
    ("outcome", "said", "safe"),
    [
        (Outcome.NOT_SENT, {}, True),
        (Outcome.NOT_SENT, {"safe_to_retry": False}, True),
        (Outcome.NOT_SENT, {"safe_to_retry": True}, True),
        (Outcome.PARTIAL, {}, False),
        (Outcome.PARTIAL, {"safe_to_retry": True}, True),
        (Outcome.UNKNOWN, {}, False),
        (Outcome.UNKNOWN, {"safe_to_retry": False}, False),
        (Outcome.UNKNOWN, {"safe_to_retry": True}, True),
    ],
    ids=str,
)
def test_what_may_have_been_sent_is_safe_to_retry_only_if_the_provider_says_so(
    outcome: Outcome, said: dict[str, bool], safe: bool
) -> None:
    """What was not sent is safe in any case; the answer survives copies, pickling and a later provider's name."""
    for kind in (MailSendError, MailTimeoutError):
        error = kind("what failed", outcome=outcome, **said)
        error.provider = "pigeon"
        twins = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
        for twin in (error, copy.copy(error), copy.deepcopy(error), *twins):
            assert twin.safe_to_retry is safe


def test_refused_recipients_are_safe_to_retry_only_if_nobody_was_accepted() -> None:
    """To send again after a partial refusal would reach the accepted ones twice."""
    assert MailRecipientsError("all", refused=REFUSED).safe_to_retry is True
    assert MailRecipientsError("some", refused=REFUSED, outcome=Outcome.PARTIAL).safe_to_retry is False


def test_a_timeout_has_no_errno_of_its_own() -> None:
    """A time-out is an `OSError` whose text is ours, not that of an error number."""
    error = MailTimeoutError("no answer", stage="rcpt")
    assert (error.errno, str(error), error.stage) == (None, "no answer", "rcpt")


def test_a_load_error_has_the_attributes_of_an_import_error() -> None:
    """`name` of a `ProviderLoadError` is the provider's, where `ImportError` has the module's; there is no path."""
    error = ProviderLoadError("what", name="pigeon")
    assert (error.name, error.path, error.distribution) == ("pigeon", None, None)


def test_settings_errors_group_what_belongs_together() -> None:
    """Problems that share a reason are one sentence; a problem without variable is said alone."""
    error = MailSettingsError(
        "pigeon",
        [
            SettingProblem("server", "P_SERVER", "both are required"),
            SettingProblem("lofts", None, "unknown setting 'lofts'"),
            SettingProblem("port", "P_PORT", "both are required"),
        ],
    )
    assert str(error) == "pigeon: both are required: set server (P_SERVER) and port (P_PORT); unknown setting 'lofts'"


def test_a_reason_that_ends_with_a_full_stop_does_not_get_two() -> None:
    """The remedy follows one full stop, whatever the server's words end with."""
    assert str(MailSendError("refused: 550 Go away.", remedy="Check it")) == "refused: 550 Go away. Check it"
