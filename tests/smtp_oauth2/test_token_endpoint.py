"""Whatever the identity service does, the error says so, in time, and shows no secret."""

import base64
import logging
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from oauth_servers import CLIENT_SECRET, TENANT, Answer, Drip, Drop, Fault, OAuthServer, Stall, entra_error
from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailMessage,
    MailRateLimitError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
)
from postroom_smtp_oauth2 import CachedTokenSource
from postroom_smtp_oauth2.aadsts import RULES, explain
from postroom_smtp_oauth2.microsoft import MicrosoftTokens
from postroom_smtp_oauth2.plugin import postroom_provider
from postroom_testing import Certificates
from postroom_testing.smtp import SmtpServer

Make = Callable[..., DeliveringSender]
Failure = Callable[[DeliveringSender], Any]

MESSAGE = MailMessage("one@example.com", "Hello", text="Hello, Ada.")
HTML = "<html><body>Sign in to the hotel's network</body></html>"
JSON_ERROR = {"error": "invalid_client", "error_description": "no"}

FAULTS: dict[str, tuple[Fault, type[MailSendError], bool, float | None]] = {
    "400": (Answer(400, {"error": "invalid_request", "error_description": "no"}), MailAuthError, False, None),
    "400 without an object": (Answer(400, HTML), MailAuthError, False, None),
    "401": (entra_error(7000215), MailAuthError, False, None),
    "403": (Answer(403, HTML), MailAuthError, False, None),
    "404": (Answer(404, HTML), MailAuthError, False, None),
    "429": (Answer(429, JSON_ERROR), MailRateLimitError, True, None),
    "429 with a wait": (Answer(429, JSON_ERROR, {"Retry-After": "17"}), MailRateLimitError, True, 17.0),
    "429 until a date": (
        Answer(429, HTML, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), MailRateLimitError, True, 0.0,
    ),
    "500": (Answer(500, {"error": "server_error"}), MailUnavailableError, True, None),
    "503": (Answer(503, HTML), MailUnavailableError, True, None),
    "503 with a wait": (Answer(503, HTML, {"Retry-After": "7"}), MailUnavailableError, True, 7.0),
    "passing fault by its code": (entra_error(90033), MailUnavailableError, True, None),
    "passing fault with 400": (Answer(400, {"error": "temporarily_unavailable"}), MailUnavailableError, True, None),
    "request loop": (entra_error(50196), MailUnavailableError, True, None),
    "200 with HTML": (Answer(200, HTML), MailUnavailableError, True, None),
    "200 with a list": (Answer(200, "[1]"), MailUnavailableError, True, None),
    "200 without a token": (Answer(200, {"expires_in": 3600}), MailAuthError, False, None),
    "redirect": (Answer(302, "", {"Location": "https://localhost:1/"}), MailAuthError, False, None),
    "drop": (Drop(), MailConnectionError, True, None),
    "drop in the status line": (Drop(10), MailConnectionError, True, None),
    "drop in the headers": (Drop(40), MailUnavailableError, True, None),
    "stall": (Stall(), MailTimeoutError, True, None),
    "drip": (Drip(0.005), MailTimeoutError, True, None),
}  # fmt: skip
CASES = [("token", fault) for fault in FAULTS] + [("metadata", fault) for fault in FAULTS if "a token" not in fault]


@pytest.mark.parametrize(("endpoint", "fault"), CASES)
def test_every_fault_has_its_error(
    oauth: OAuthServer, smtp: SmtpServer, make: Make, failure: Failure, endpoint: Any, fault: str
) -> None:
    """Class, whether it may pass, and when to come again, within the time-out; no mail command goes out."""
    what, kind, transient, retry_after = FAULTS[fault]
    oauth.fail(endpoint, what)
    begun = time.monotonic()
    error = failure(make(SMTP_TIMEOUT="0.3" if kind is MailTimeoutError else "10"))
    assert time.monotonic() - begun < 5
    assert (type(error), error.transient, error.retry_after) == (kind, transient, retry_after)
    assert (error.provider, error.stage, error.outcome) == ("smtp-oauth2", "token", Outcome.NOT_SENT)
    assert f"localhost:{oauth.port}" in str(error) or "the identity service" in str(error)
    assert "AUTH" not in smtp.wait().verbs
    assert "hotel" not in str(error)


@pytest.mark.parametrize(("endpoint", "fault"), [case for case in CASES if not FAULTS[case[1]][3]])
def test_after_every_fault_the_next_send_delivers(
    oauth: OAuthServer, make: Make, failure: Failure, endpoint: Any, fault: str
) -> None:
    """Nothing remembers a failure that did not say when to come again."""
    what, kind, _, _ = FAULTS[fault]
    oauth.fail_next(endpoint, what)
    sender = make(SMTP_TIMEOUT="2" if kind is MailTimeoutError else "10")
    failure(sender)
    assert sender.deliver(MESSAGE).accepted == ("one@example.com",)


def test_a_service_that_said_when_to_come_again_is_not_asked_before(
    oauth: OAuthServer, make: Make, failure: Failure
) -> None:
    """Further sends fail with the same error, and make no request."""
    oauth.fail_next("token", Answer(429, JSON_ERROR, {"Retry-After": "60"}))
    sender = make()
    errors = [failure(sender) for _ in range(3)]
    assert [error.retry_after for error in errors] == [60.0] * 3
    assert len({id(error) for error in errors}) == 3
    assert oauth.count() == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_a_service_may_say_by_a_date_when_to_come_again(
    oauth: OAuthServer, make: Make, failure: Failure, monkeypatch: pytest.MonkeyPatch, form: str, status: int
) -> None:
    """In each of the three forms of a date, all of which are in GMT, wherever this host is."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        date = time.strftime(form, time.gmtime(time.time() + 90))
        oauth.fail_next("token", Answer(status, JSON_ERROR, {"Retry-After": date}))
        sender = make()
        assert 60 < failure(sender).retry_after <= 90
        failure(sender)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert oauth.count() == 1


def test_a_service_that_wants_to_be_left_alone_for_years_is_asked_again(
    oauth: OAuthServer, make: Make, failure: Failure
) -> None:
    """The error has what it said; a slip of its must not stop mail until somebody restarts the process."""
    clock = [0.0]
    oauth.fail_next("token", Answer(429, JSON_ERROR, {"Retry-After": "999999999"}))
    settings = make().transport._settings  # type: ignore[attr-defined]
    source = CachedTokenSource(MicrosoftTokens(settings), lambda: clock[0])
    with pytest.raises(MailRateLimitError) as caught:
        source.token()
    assert caught.value.retry_after == 999_999_999
    clock[0] = 3599.0
    with pytest.raises(MailRateLimitError):
        source.token()
    clock[0] = 3601.0
    assert source.token().value == oauth.issued[-1]


def test_an_answer_that_nobody_has_thought_of_leaves_nothing_open(
    oauth: OAuthServer, smtp: SmtpServer, make: Make, failure: Failure
) -> None:
    """Whatever is raised while a token is asked for, no message has left."""
    oauth.fail("token", Answer(200, {"token_type": "Bearer", "access_token": "a.b.c", "expires_in": [1]}))
    assert failure(make()).outcome is Outcome.NOT_SENT
    assert "AUTH" not in smtp.wait().verbs


def test_a_managed_identity_that_is_refused_says_so(
    oauth: OAuthServer, make: Make, failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the host's endpoint becomes the same errors."""
    for name, value in oauth.managed_identity_environment("vm").items():
        monkeypatch.setenv(name, value)
    oauth.fail("managed_identity", Answer(400, {"error": "invalid_request", "error_description": "Identity not found"}))
    error = failure(make(SMTP_CLIENT_SECRET=None, SMTP_TENANT_ID=None, SMTP_CLIENT_ID=None, SMTP_MANAGED_IDENTITY="1"))
    assert (type(error), error.stage, error.code) == (MailAuthError, "token", 400)
    assert "Identity not found" in error.reason


class TestSecrets:
    def test_nothing_that_is_logged_or_raised_has_a_secret(
        self, oauth: OAuthServer, make: Make, failure: Failure, caplog: pytest.LogCaptureFixture
    ) -> None:
        """At DEBUG of every logger, msal's and urllib3's too, whether it works or fails."""
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            logging.getLogger(name).setLevel(logging.NOTSET)
        sender = make()
        sender.deliver(MESSAGE)
        for fault in (Answer(200, HTML), Answer(503, HTML), entra_error(7000215), Drop()):
            oauth.fail("token", fault)
            failure(make())
        assert {"msal", "urllib3", "postroom"} <= {record.name.partition(".")[0] for record in caplog.records}
        for secret in (CLIENT_SECRET, quote_plus(CLIENT_SECRET), *oauth.issued):
            assert secret not in caplog.text
            assert base64.b64encode(secret.encode()).decode() not in caplog.text
            assert secret not in repr(sender) + repr(sender.transport) + repr(vars(sender.transport))

    @pytest.mark.parametrize("quoted", [CLIENT_SECRET, quote_plus(CLIENT_SECRET)])
    @pytest.mark.parametrize("status", [400, 429, 500])
    def test_a_service_that_quotes_the_secret_does_not_get_it_into_the_error(
        self,
        oauth: OAuthServer,
        make: Make,
        failure: Failure,
        caplog: pytest.LogCaptureFixture,
        quoted: str,
        status: int,
    ) -> None:
        """As it is, or as it is encoded in the form."""
        caplog.set_level(logging.DEBUG)
        oauth.fail("token", Answer(status, {"error": "x", "error_description": f"what is {quoted}, then?"}))
        error = failure(make())
        assert "what is ***, then?" in error.reason
        assert quoted not in caplog.text + str(error) + repr(pickle.dumps(error))

    def test_text_of_the_service_is_short_and_printable(self, oauth: OAuthServer, make: Make, failure: Failure) -> None:
        """Neither trace ids, nor escape sequences, nor a page of text come through."""
        text = "AADSTS1: \x1b[31mred" + "x" * 900 + " Trace ID: 1234\r\nTimestamp: now"
        oauth.fail("token", Answer(401, {"error": "invalid_client", "error_description": text}))
        error = failure(make())
        assert "AADSTS1: [31mred" in error.reason
        assert "Trace ID" not in error.reason
        assert len(error.reason) < 300


class TestTrust:
    def test_the_environments_bundle_does_not_override_the_ca_file(
        self, oauth: OAuthServer, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """`oauth2_ca_file` is what counts, also where REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE name other CAs."""
        other = Certificates(tmp_path).ca_file
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other)
        monkeypatch.setenv("CURL_CA_BUNDLE", other)
        make().deliver(MESSAGE)
        assert oauth.count() == 1

    def test_without_a_ca_file_the_environments_bundle_counts(
        self, oauth: OAuthServer, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A container that trusts its proxy by REQUESTS_CA_BUNDLE needs no setting."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", oauth.ca_file)
        make(SMTP_OAUTH2_CA_FILE=None).deliver(MESSAGE)
        assert oauth.count() == 1

    def test_a_service_that_is_not_trusted_gets_no_secret(
        self, oauth: OAuthServer, make: Make, failure: Failure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the variable, and no request arrived; trying again will not help."""
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", oauth.ca_file)
        error = failure(make(SMTP_OAUTH2_CA_FILE=Certificates(tmp_path).ca_file))
        assert (type(error), error.stage, error.transient) == (MailConnectionError, "token", False)
        assert "SMTP_OAUTH2_CA_FILE" in error.remedy
        assert oauth.asked == []

    def test_netrc_is_not_read(
        self, oauth: OAuthServer, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stranger's .netrc would replace the header that says who asks; a broken one would be complained about."""
        netrc = tmp_path / "netrc"
        netrc.write_text("machine localhost login intruder password intruder\n")
        monkeypatch.setenv("NETRC", str(netrc))
        make().deliver(MESSAGE)
        assert [asked.credential for asked in oauth.asked if asked.endpoint == "token"] == ["client_secret"]

    @pytest.mark.parametrize("endpoint", ["token", "metadata"])
    @pytest.mark.parametrize("status", [301, 307, 308])
    def test_a_redirect_is_not_followed(
        self, oauth: OAuthServer, make: Make, failure: Failure, endpoint: Any, status: int
    ) -> None:
        """The secret goes nowhere else, not even on the same host."""
        there = f"{oauth.url}/{TENANT}/oauth2/v2.0/token"
        oauth.fail_next(endpoint, Answer(status, "", {"Location": there}))
        error = failure(make())
        assert (type(error), error.code) == (MailAuthError, status)
        assert "SMTP_OAUTH2_AUTHORITY" in error.remedy
        assert len(oauth.asked) == (1 if endpoint == "metadata" else 2)

    def test_a_ca_file_that_is_gone_is_named(
        self, oauth: OAuthServer, make: Make, failure: Failure, tmp_path: Path
    ) -> None:
        """It was there at boot; the error names the variable."""
        path = tmp_path / "ca.pem"
        path.write_bytes(Path(oauth.ca_file).read_bytes())
        sender = make(SMTP_OAUTH2_CA_FILE=str(path))
        path.unlink()
        error = failure(sender)
        assert (type(error), error.stage, error.transient) == (MailConnectionError, "token", False)
        assert "SMTP_OAUTH2_CA_FILE" in error.remedy

    def test_an_answer_without_end_is_no_token(self, oauth: OAuthServer, make: Make, failure: Failure) -> None:
        """What is far too large for a token is not read to its end."""
        oauth.fail("token", Answer(200, "x" * 2_000_000))
        error = failure(make())
        assert (type(error), error.transient) == (MailUnavailableError, True)
        assert "something that is not a token" in error.reason

    def test_nobody_at_the_authority_is_a_connection_error(self, make: Make, failure: Failure) -> None:
        """A port where nobody listens."""
        error = failure(make(SMTP_OAUTH2_AUTHORITY="https://localhost:1"))
        assert (type(error), error.stage, error.transient) == (MailConnectionError, "token", True)
        assert "SMTP_OAUTH2_AUTHORITY" in error.remedy

    @pytest.mark.parametrize("host", ["a..b.example", f"{'x' * 64}.example"])
    def test_an_authority_that_cannot_exist_is_a_connection_error(
        self, make: Make, failure: Failure, host: str
    ) -> None:
        """What is no name of a host is an error of ours, not of a library."""
        error = failure(make(SMTP_OAUTH2_AUTHORITY=f"https://{host}"))
        assert (type(error), error.stage, error.transient) == (MailConnectionError, "token", False)
        assert f"cannot reach {host}: this is no name of a host" in error.reason
        assert "SMTP_OAUTH2_AUTHORITY" in error.remedy


class TestCodes:
    @pytest.mark.parametrize("code", [7000215, 7000222, 700016, 700027, 700213, 500011, 53003, 50126])
    def test_a_known_code_has_its_remedy(self, oauth: OAuthServer, make: Make, failure: Failure, code: int) -> None:
        """Code and remedy are in the error; trace ids are not."""
        oauth.fail("token", entra_error(code))
        error = failure(make())
        (rule,) = (rule for rule in RULES if rule.text == f"AADSTS{code}")
        assert (type(error), error.remedy) == (MailAuthError, rule.named(postroom_provider().variables).remedy)
        assert "{" not in error.remedy
        assert f"AADSTS{code}:" in error.reason
        assert "Trace ID" not in error.reason

    @pytest.mark.parametrize("variable", ["SMTP_TENANT_ID", "SMTP_CLIENT_ID", "SMTP_CLIENT_SECRET"])
    def test_a_wrong_value_is_named(self, make: Make, failure: Failure, variable: str) -> None:
        """The variable to correct stands in the remedy."""
        error = failure(make(**{variable: "00000000-0000-0000-0000-000000000000"}))
        assert (type(error), error.stage) == (MailAuthError, "token")
        assert variable in error.remedy

    def test_every_remedy_is_one_line_without_a_full_stop(self) -> None:
        """They are put behind the reason."""
        for rule in RULES:
            assert rule.remedy.isprintable()
            assert not rule.remedy.endswith(".")
        passing = {rule.text for rule in RULES if rule.transient}
        assert passing == {"AADSTS50196", "AADSTS90033", ("temporarily_unavailable", "server_error")}

    @pytest.mark.parametrize(
        ("fields", "transient"),
        [
            ({"error": "temporarily_unavailable"}, True),
            ({"error": "server_error"}, True),
            ({"error": "invalid_client"}, None),
            ({"error": "server_error", "error_description": "AADSTS7000215: no"}, False),
            ({"error_description": "AADSTS999999: new"}, None),
            ({"error_description": 7}, None),
            ({}, None),
        ],
    )
    def test_codes_go_before_names(self, fields: dict[str, object], transient: bool | None) -> None:
        """What is not known is None."""
        known = explain(fields)
        assert (None if known is None else known.transient) == transient
