"""Does each failure say what became of the message, and what to do?"""

import json
import pickle
import re

import pytest

from postroom import (
    DeliveringSender,
    MailAuthError,
    MailError,
    MailMessage,
    MailRejectedError,
    MailSendError,
    Outcome,
    describe,
)
from postroom_testing.contract.base import Contract, everything_shown, secret_in
from postroom_testing.contract.cases import FAILURES, Case
from postroom_testing.contract.services import Running, nowhere

_BODY = "<p>Hello.</p>"
_LONGEST = 1000  # characters of an error's text
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b")
_ANYBODYS = {"MAIL_TYPE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}


class Errors(Contract):
    """Each way to fail is provoked once at a real server; the checks look at what `deliver` has raised."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make each check once for each way to fail that the service can play."""
        if "case" in metafunc.fixturenames:
            cases = [case for case in FAILURES if case in metafunc.cls.server.cases]
            metafunc.parametrize("case", cases, ids=[case.value for case in cases])

    def failure(self, case: Case) -> MailSendError:
        """Return the error of a case."""
        played = self.played(case)
        assert played.receipt is None, (
            f"deliver() returned a receipt although the message was {case.value}: who gets a receipt never sends again"
        )
        assert isinstance(played.error, MailSendError), (
            f"deliver() raised {type(played.error).__name__} when {case.value}: raise a MailSendError, from its cause"
        )
        return played.error

    def test_the_sender_comes_back(self, case: Case) -> None:
        """With `timeout` and `deadline` of about a second, no server can hold a worker."""
        assert self.played(case).ended, f"deliver() does not end when {case.value}: pass the time-outs of the settings"

    def test_the_error_is_ours(self, case: Case) -> None:
        """No exception of a library gets out: an application catches `MailSendError`, and nothing else."""
        error = self.failure(case)
        assert not error.reason.startswith("unexpected "), (
            f"the transport raised {type(error.__cause__).__name__} when {case.value}, and core had to wrap it: "
            "raise a MailSendError with the outcome that you know"
        )

    def test_the_error_has_its_class(self, case: Case) -> None:
        """Applications choose by the class: wait, ask the operator, give up."""
        wanted, error = self.want(case).error, self.failure(case)
        assert isinstance(error, wanted), f"{type(error).__name__} when {case.value}, not {wanted.__name__}"

    def test_the_outcome_is_true(self, case: Case) -> None:
        """*Not sent* only if nothing can have been taken; else *unknown*, or a mail is sent twice."""
        wanted, error = self.want(case).outcome, self.failure(case)
        if wanted is not None:
            assert error.outcome is wanted, f"outcome={error.outcome} when {case.value}, but it is {wanted}"

    def test_transient_is_true(self, case: Case) -> None:
        """`transient` says whether a second attempt is worth it."""
        wanted, error = self.want(case).transient, self.failure(case)
        if wanted is not None:
            assert error.transient is wanted, f"transient={error.transient} when {case.value}"

    def test_an_unknown_outcome_is_not_safe_to_retry(self, case: Case) -> None:
        """Unless the service recognises the same message, and then it is worth a try."""
        error = self.failure(case)
        if error.outcome is Outcome.UNKNOWN and not error.safe_to_retry:
            assert not error.transient, "transient=True invites to send again what may have been taken"

    def test_the_error_is_one_line(self, case: Case) -> None:
        """A log has one line for it, and a terminal is not moved by what a server says."""
        text = str(self.failure(case))
        assert text.isprintable(), f"not one printable line: {text!r}"
        assert 10 < len(text) <= _LONGEST, f"{len(text)} characters"

    def test_the_error_names_the_provider(self, case: Case) -> None:
        """The operator sees which provider it was."""
        assert self.failure(case).provider == self.provider
        assert str(self.failure(case)).startswith(f"{self.provider}: ")

    def test_a_remedy_names_the_providers_variables(self, case: Case) -> None:
        """An operator is sent to a variable that there is."""
        known = {info.variable for info in describe(self.registered.settings, self.registered.env_prefix)}
        named = {*_VARIABLE.findall(self.failure(case).remedy or "")}
        assert named <= known | _ANYBODYS, f"the remedy names variables that this provider has not: {named - known}"

    def test_no_secret_is_shown(self, case: Case) -> None:
        """Neither the error, nor what it was raised from, nor any logger at any level shows a secret in any form."""
        played = self.played(case)
        with self.server.start() as service:
            secrets = self.secrets(service.place)
        shown = played.log + (everything_shown(played.error) if played.error else "")
        found = secret_in(shown, secrets)
        assert found is None, f"a secret is in the error or the log when {case.value}, here: {found!r}"

    def test_the_error_crosses_a_queue(self, case: Case) -> None:
        """It is the same after pickling, and after its class was called with `args` from JSON."""
        error = self.failure(case)
        for twin in (pickle.loads(pickle.dumps(error)), type(error)(*json.loads(json.dumps(error.args)))):
            assert (str(twin), twin.outcome, twin.transient) == (str(error), error.outcome, error.transient)

    def test_an_interim_answer_is_no_verdict(self, service: Running) -> None:
        """What comes before the final answer is read over, and the next message gets the answer to itself."""
        self.needs(Case.HINTED)
        service.play(Case.HINTED)
        with self.made(service.place) as sender:
            for _ in range(2):
                with pytest.raises(MailRejectedError):
                    sender.deliver(_hello())
        assert len(service.arrived()) == 2

    def test_a_surplus_answer_is_no_verdict(self, service: Running) -> None:
        """A connection on which an answer has come that nobody has asked for is not used for the next message."""
        self.needs(Case.TWICE)
        service.play(Case.TWICE)
        with self.made(service.place) as sender:
            sender.deliver(_hello())
            service.play(Case.REJECTED)
            assert isinstance(_result(sender), MailRejectedError), (
                "the message has the verdict of an answer that was there before it: look whether the connection has "
                "input before you use it again"
            )

    def test_throttling_says_how_long_to_wait(self) -> None:
        """`retry_after` is what the service says, in seconds."""
        self.needs(Case.THROTTLED)
        wanted = self.server.retry_after
        assert self.failure(Case.THROTTLED).retry_after == wanted, "retry_after= what the service says"

    def test_a_wrong_key_has_a_remedy(self) -> None:
        """An operator is told which variable to look at."""
        self.needs(Case.UNAUTHORIZED)
        error = self.failure(Case.UNAUTHORIZED)
        assert error.remedy, "Provider(rules=...) or remedy=: say which variable to check"

    def test_success_shows_no_secret(self) -> None:
        """A send that succeeds logs no secret, either."""
        played = self.played(Case.ACCEPTED)
        with self.server.start() as service:
            assert secret_in(played.log, self.secrets(service.place)) is None

    def test_no_body_is_shown(self, case: Case) -> None:
        """A body may hold a code or a link to log in: neither the error nor any variable behind it shows it."""
        error = self.played(case).error
        assert error is None or _BODY not in everything_shown(error), f"the body is shown when {case.value}"

    def test_nothing_is_logged_of_a_body(self) -> None:
        """A body may hold a code or a link to log in: it is in no log at any level."""
        assert _BODY not in self.played(Case.ACCEPTED).log

    def test_a_failed_message_is_sent_once(self, service: Running) -> None:
        """A refused message is not offered again: repeating is for the task queue, which knows when."""
        self.needs(Case.REJECTED)
        service.play(Case.REJECTED)
        with self.made(service.place) as sender, pytest.raises(MailSendError):
            sender.deliver(_hello())
        assert len(service.arrived()) <= 1

    def test_a_lost_message_is_sent_once(self, service: Running) -> None:
        """A message whose answer is lost may have been taken: nothing is sent twice."""
        self.needs(Case.LOST)
        service.play(Case.LOST)
        with self.made(service.place) as sender, pytest.raises(MailSendError):
            sender.deliver(_hello())
        assert len(service.arrived()) == 1, "the message was sent again after its answer was lost"


class ConnectionTests(Contract):
    """`check_connection`, `test_connection` and `probe`."""

    def test_a_good_connection_is_good(self, service: Running) -> None:
        """Both say so, and no message is sent."""
        with self.made(service.place) as sender:
            sender.check_connection()
            assert sender.test_connection() is True
        assert service.arrived() == []

    def test_nobody_there_is_an_error(self, service: Running) -> None:
        """`check_connection` raises the reason, `test_connection` returns False and never raises."""
        self.needs(Case.REFUSED)
        with self.made(nowhere(service.place)) as sender:
            assert sender.test_connection() is False
            with pytest.raises(MailError):
                sender.check_connection()

    def test_a_probe_sends_nothing(self, service: Running) -> None:
        """`probe` yields what it has done: one line and plain data, without a secret; no message is sent."""
        with self.made(service.place) as sender:
            steps = [*sender.probe()]
        assert steps, "probe() yields no step"
        assert service.arrived() == [], "probe() sends a message: stop before it"
        secrets = self.secrets(service.place)
        for step in steps:
            shown = f"{step.name} {step.said} {step.warning} {json.dumps(dict(step.facts))}"
            assert secret_in(shown, secrets) is None, f"a secret is in the step {step.name!r}"
            assert step.said.isprintable(), f"Step({step.name!r}, said=): write one printable line"

    def test_a_probe_finds_a_wrong_key(self, service: Running) -> None:
        """The step that fails raises, with its name and what to do."""
        self.needs(Case.UNAUTHORIZED)
        service.play(Case.UNAUTHORIZED)
        with self.made(service.place) as sender, pytest.raises(MailAuthError) as caught:
            for _ in sender.probe():
                pass
        assert caught.value.remedy, "Provider(rules=...): say which variable to check when the key is wrong"

    def test_a_wrong_key_is_an_error(self, service: Running) -> None:
        """The check finds a key that the service does not know."""
        self.needs(Case.UNAUTHORIZED)
        service.play(Case.UNAUTHORIZED)
        with self.made(service.place) as sender:
            assert sender.test_connection() is False
            with pytest.raises(MailAuthError):
                sender.check_connection()


def _result(sender: DeliveringSender) -> object:
    try:
        return sender.deliver(_hello())
    except MailError as error:
        return error


def _hello() -> MailMessage:
    return MailMessage("grace@example.com", "Hello", _BODY)
