"""The way of a message, step by step, up to its recipient: what is said, what is sent, and how each step fails."""

import datetime
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postroom import (
    DeliveringSender,
    MailAuthError,
    MailConnectionError,
    MailRejectedError,
    MailSendError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
    Step,
)
from postroom_testing import Certificates
from postroom_testing.smtp import Action, Close, Drip, Reset, Silence, SmtpServer
from smtp_checks import PASSWORD, USER, assert_sound, message, sender
from smtp_servers import RealServer

Start = Callable[..., SmtpServer]

FROM = "Grace <grace@example.com>"
TO = "ada@example.com"
ALL: dict[str, object] = {"username": USER, "password": PASSWORD, "default_from": FROM, "timeout": 10}
PLAIN = ["dns", "connect", "greeting", "ehlo"]
STARTTLS = ["dns", "connect", "greeting", "tls", "ehlo"]
IMPLICIT = ["dns", "connect", "tls", "greeting", "ehlo"]
SHORT = 2.0  # seconds, for a server that falls silent behind what must go well
LONG = 20.0  # seconds; a time-out that is not the settings' own takes longer


def taken(made: DeliveringSender, recipient: str | None = None) -> tuple[list[Step], Any]:
    """Probe, and return the steps that were taken, and the error of the next one, after the checks of every error."""
    steps: list[Step] = []
    failed: MailSendError | None = None
    with made:
        try:
            steps.extend(made.probe(recipient))
        except MailSendError as error:
            failed = error
    if failed is not None:
        assert_sound(failed, PASSWORD)
        assert failed.outcome is Outcome.NOT_SENT
    return steps, failed


def names(steps: list[Step]) -> list[str]:
    """Return the names of steps."""
    return [step.name for step in steps]


def modes(ca: Certificates, mode: str) -> tuple[dict[str, Any], dict[str, object]]:
    """Return options of a server and settings for one way to encrypt."""
    if mode == "none":
        return {}, {"tls_mode": "none"}
    return {"tls": ca.good, "implicit": mode == "implicit"}, {"tls_mode": mode, "ca_file": ca.ca_file}


@pytest.mark.parametrize(
    ("mode", "way", "said"),
    [
        ("none", PLAIN, ["EHLO"]),
        ("starttls", STARTTLS, ["EHLO", "STARTTLS", "EHLO"]),
        ("implicit", IMPLICIT, ["EHLO"]),
    ],
)
@pytest.mark.parametrize("login", [True, False], ids=["login", "no login"])
@pytest.mark.parametrize(
    ("default_from", "recipient", "asked"),
    [
        (None, None, []),
        (None, TO, []),
        (FROM, None, ["MAIL", "RSET"]),
        (FROM, TO, ["MAIL", "RCPT", "RSET"]),
    ],
    ids=["nobody", "only a recipient", "only a sender", "both"],
)
def test_the_steps_are_those_of_a_message_up_to_its_recipient(
    smtp_server: Start,
    ca: Certificates,
    mode: str,
    way: list[str],
    said: list[str],
    login: bool,
    default_from: str | None,
    recipient: str | None,
    asked: list[str],
) -> None:
    """What is not configured is left out; the server hears these commands and no other, and gets no message."""
    options, settings = modes(ca, mode)
    server = smtp_server(**options)
    config = settings | ({"username": USER, "password": PASSWORD} if login else {})
    steps, error = taken(sender(server.settings(default_from=default_from, timeout=10, **config)), recipient)
    assert error is None
    assert names(steps) == [*way, *(["auth"] if login else []), *(verb.lower() for verb in asked if verb != "RSET")]
    assert server.wait().verbs == [*said, *(["AUTH"] if login else []), *asked, "QUIT"]
    assert (server.bodies, server.connections) == ([], 1)


@pytest.mark.parametrize(("mode", "implicit"), [("starttls", False), ("implicit", True)])
def test_a_real_server_is_probed_and_gets_no_message(
    real_server: Callable[..., RealServer], ca: Certificates, mode: str, implicit: bool
) -> None:
    """The login is a true one."""
    server = real_server(tls=ca.good, implicit=implicit, login=(USER, PASSWORD))
    steps, error = taken(sender(server.settings(**ALL, tls_mode=mode, ca_file=ca.ca_file)), TO)
    assert error is None
    assert names(steps)[-3:] == ["auth", "mail", "rcpt"]
    assert [user for _, user, _ in server.logins] == [USER]
    assert server.messages == []


def test_what_is_found_is_said_and_is_plain_data(smtp_server: Start, ca: Certificates) -> None:
    """Each step has one printable line for people, and facts that JSON holds."""
    server = smtp_server(tls=ca.good, extensions=["SIZE 33554432", "AUTH PLAIN", "8BITMIME"])
    steps, _ = taken(sender(server.settings(**ALL, tls_mode="starttls", ca_file=ca.ca_file)), TO)
    said = {step.name: step.said for step in steps}
    facts = {step.name: json.loads(json.dumps(dict(step.facts))) for step in steps}
    assert facts == {step.name: dict(step.facts) for step in steps}
    assert all(text.isprintable() and not text.endswith(".") for text in said.values())
    assert (said["dns"], facts["dns"]) == ("127.0.0.1 is 127.0.0.1", {"addresses": ["127.0.0.1"]})
    assert said["connect"] == f"connected to 127.0.0.1, port {server.port}"
    assert (said["greeting"], facts["greeting"]) == ("220 scripted ESMTP", {"reply": "220 scripted ESMTP"})
    assert said["ehlo"] == "offers SIZE, AUTH, 8BITMIME; messages up to 32 MiB"
    assert facts["ehlo"]["extensions"] == {"SIZE": "33554432", "AUTH": "PLAIN", "8BITMIME": ""}
    assert facts["ehlo"]["size"] == 33554432
    assert (said["auth"], facts["auth"]) == (f"logged in as {USER}", {"username": USER})
    assert (said["mail"], facts["mail"]) == ("mail from grace@example.com is accepted", {"reply": "250 2.1.0 ok"})
    assert (said["rcpt"], facts["rcpt"]) == (f"mail to {TO} is accepted", {"reply": "250 2.1.5 ok"})
    assert [step.warning for step in steps] == [None] * len(steps)


@pytest.mark.parametrize(
    ("extensions", "said", "size"),
    [
        ([], "offers no extension", None),
        (["SIZE"], "offers SIZE", None),
        (["SIZE 0"], "offers SIZE", 0),
        (["SIZE many"], "offers SIZE", None),
        (["SIZE " + "9" * 30], "offers SIZE", None),
        (["SIZE \u0663\u0663"], "offers SIZE", None),
        (["SIZE 1_000"], "offers SIZE", None),
    ],
)
def test_an_offer_without_a_usable_size_names_none(
    smtp_server: Start, extensions: list[str], said: str, size: int | None
) -> None:
    """Nothing, no number, or zero (RFC 1870: no limit) is no limit to tell."""
    server = smtp_server(extensions=extensions)
    steps, error = taken(sender(server.settings(timeout=10)))
    assert error is None
    assert (steps[-1].said, steps[-1].facts["size"]) == (said, size)


def test_a_host_with_several_addresses_shows_them(smtp_server: Start) -> None:
    """Each address once, whatever the resolver says."""
    server = smtp_server()
    steps, _ = taken(sender(server.settings(timeout=10) | {"server": "localhost"}))
    addresses = steps[0].facts["addresses"]
    assert isinstance(addresses, list)
    assert "127.0.0.1" in addresses
    assert len(addresses) == len({*addresses})
    assert steps[1].facts == {"address": "127.0.0.1"}


def test_no_step_and_no_log_has_the_password(
    smtp_server: Start, ca: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that quotes what it was sent does not get it into a step."""
    caplog.set_level(logging.DEBUG)
    server = smtp_server({"MAIL": f"250 {PASSWORD} ok\r\n".encode()}, tls=ca.good)
    steps, error = taken(sender(server.settings(**ALL, tls_mode="starttls", ca_file=ca.ca_file)), TO)
    assert error is None
    assert "MAIL FROM" in caplog.text
    assert PASSWORD not in f"{steps} {json.dumps([dict(step.facts) for step in steps])} {caplog.text}"


@pytest.mark.parametrize(
    ("default_from", "recipient", "asked"),
    [("grüße@example.com", TO, []), ("grace@example.com", "grüße@example.com", ["MAIL", "RSET"])],
    ids=["sender", "recipient"],
)
def test_an_address_that_needs_smtputf8_ends_the_way_without_an_error(
    smtp_server: Start, default_from: str, recipient: str, asked: list[str]
) -> None:
    """Whether such an address is taken depends on the message."""
    server = smtp_server()
    steps, error = taken(sender(server.settings(default_from=default_from, timeout=10)), recipient)
    assert error is None
    assert names(steps) == [*PLAIN, *(verb.lower() for verb in asked if verb != "RSET")]
    assert server.wait().verbs == ["EHLO", *asked, "QUIT"]


def test_a_domain_that_is_not_ascii_is_asked_about(smtp_server: Start) -> None:
    """On the wire it is ASCII."""
    server = smtp_server()
    steps, error = taken(sender(server.settings(default_from="grace@bücher.example", timeout=10)), "ada@bücher.example")
    assert error is None
    assert names(steps)[-2:] == ["mail", "rcpt"]
    assert "RCPT TO:<ada@xn--bcher-kva.example>" in server.wait().commands


REFUSALS: list[tuple[str, str, str, str, type[MailSendError], int, list[str]]] = [
    ("greeting", "554 go away", "greeting", "SMTP_PORT=587", MailRejectedError, 2, []),
    ("greeting", "521 no mail here", "greeting", "Check SMTP_SERVER", MailRejectedError, 2, []),
    ("greeting", "421 too busy", "greeting", "Wait some minutes", MailUnavailableError, 2, []),
    ("EHLO", "550 who?", "ehlo", "SMTP_LOCAL_HOSTNAME", MailRejectedError, 3, ["EHLO", "HELO"]),
    ("STARTTLS", "454 not now", "starttls", "Wait some minutes", MailUnavailableError, 3, ["EHLO", "STARTTLS"]),
    ("AUTH", "535 5.7.8 no", "auth", "SMTP_PASSWORD", MailAuthError, 5, ["STARTTLS", "EHLO", "AUTH", "AUTH", "QUIT"]),
    ("MAIL", "550 not you", "mail", "Set MAIL_DEFAULT_SEND_FROM", MailRejectedError, 6, ["AUTH", "MAIL", "QUIT"]),
    ("MAIL", "530 5.7.0 log in first", "mail", "SMTP_USERNAME", MailAuthError, 6, ["AUTH", "MAIL", "QUIT"]),
    ("RCPT", "550 5.1.1 not there", "rcpt", "Check the recipient", MailRejectedError, 7, ["MAIL", "RCPT", "QUIT"]),
    ("RCPT", "550 Relay access denied", "rcpt", "allowed to relay", MailRejectedError, 7, ["MAIL", "RCPT", "QUIT"]),
    ("RCPT", "450 later", "rcpt", "Wait some minutes", MailUnavailableError, 7, ["MAIL", "RCPT", "QUIT"]),
]


@pytest.mark.parametrize(("moment", "reply", "stage", "remedy", "kind", "before", "last"), REFUSALS)
def test_a_refusal_is_raised_behind_the_steps_that_went_well(
    smtp_server: Start,
    ca: Certificates,
    moment: str,
    reply: str,
    stage: str,
    remedy: str,
    kind: type[MailSendError],
    before: int,
    last: list[str],
) -> None:
    """Its stage is the step, its remedy comes from the rules; where a login or a sender was said, so is good-bye."""
    server = smtp_server({moment: f"{reply}\r\n".encode()}, tls=ca.good)
    steps, error = taken(sender(server.settings(**ALL, tls_mode="starttls", ca_file=ca.ca_file)), TO)
    assert names(steps) == [*STARTTLS, "auth", "mail"][:before]
    assert (type(error), error.stage, error.code) == (kind, stage, int(reply[:3]))
    assert remedy in error.remedy
    verbs = server.wait().verbs
    # A login that is refused ends the opening of a session, where there is no good-bye.
    wanted = last[:-1] if stage == "auth" else last
    assert verbs[len(verbs) - len(wanted) :] == wanted
    assert "DATA" not in verbs
    assert server.connections == 1  # a server that speaks SMTP is not looked at twice


def test_no_starttls_is_a_step_that_fails(smtp_server: Start) -> None:
    """Nothing goes on in plain text, and nobody looks at what answers: it is an SMTP server."""
    server = smtp_server()
    steps, error = taken(sender(server.settings(**ALL, tls_mode="starttls")), TO)
    assert (names(steps), error.stage) == (["dns", "connect", "greeting"], "starttls")
    assert "SMTP_TLS_MODE=none" in error.remedy
    assert (server.wait().verbs, server.connections) == (["EHLO"], 1)


def test_nobody_there_fails_at_connect(smtp_server: Start) -> None:
    """The name is found, and nobody listens."""
    with SmtpServer() as gone:
        config = gone.settings(**ALL)
    steps, error = taken(sender(config), TO)
    assert (names(steps), type(error), error.stage) == (["dns"], MailConnectionError, "connect")
    assert "SMTP_SERVER and SMTP_PORT" in error.remedy


def test_an_unknown_name_fails_at_dns() -> None:
    """Before anything else."""
    steps, error = taken(sender({**ALL, "server": "nobody.invalid", "port": 25}))
    assert (names(steps), error.stage) == ([], "dns")
    assert "SMTP_SERVER" in error.remedy


SILENT: dict[str, tuple[str, str, str, int]] = {
    "greeting": ("greeting", "none", "greeting", 2),
    "tls": ("TLS", "implicit", "tls", 2),
    "ehlo": ("EHLO", "none", "ehlo", 3),
    "starttls": ("STARTTLS", "starttls", "starttls", 3),
    "tls behind starttls": ("TLS", "starttls", "tls", 3),
    "auth": ("AUTH", "none", "auth", 4),
    "mail": ("MAIL", "none", "mail", 5),
    "rcpt": ("RCPT", "none", "rcpt", 6),
    "rset": ("RSET", "none", "rcpt", 7),
}


@pytest.mark.parametrize("case", SILENT)
def test_a_server_that_falls_silent_is_left_within_the_time_of_the_settings(
    smtp_server: Start, ca: Certificates, case: str
) -> None:
    """Every step has its time-out, which is the settings'; a look at what answers instead adds a few seconds."""
    moment, mode, stage, before = SILENT[case]
    options, settings = modes(ca, mode)
    server = smtp_server({moment: Silence()}, **options)
    begun = time.monotonic()
    steps, error = taken(sender(server.settings(**{**ALL, "timeout": SHORT}, **settings)), TO)
    assert time.monotonic() - begun < LONG
    assert (type(error), error.stage, len(steps)) == (MailTimeoutError, stage, before)
    assert error.transient
    assert error.remedy


def test_a_server_that_drips_is_left_as_well(smtp_server: Start) -> None:
    """The time is that of a whole reply, not of an octet."""
    server = smtp_server({"MAIL": Drip(b"250 " + b"x" * 4000 + b"\r\n", 0.05)})
    begun = time.monotonic()
    _, error = taken(sender(server.settings(**{**ALL, "timeout": SHORT})))
    assert time.monotonic() - begun < LONG
    assert (type(error), error.stage) == (MailTimeoutError, "mail")


@pytest.mark.parametrize("action", [Close(), Reset(), b"what?\r\n", b"250 ok\r\n250 again\r\n"])
@pytest.mark.parametrize(("moment", "stages"), [("MAIL", {"mail", "rcpt"}), ("RCPT", {"rcpt"})])
def test_a_dialogue_that_breaks_is_an_error_with_its_step(
    smtp_server: Start, action: Action, moment: str, stages: set[str]
) -> None:
    """A lost connection and what is no reply become an error that says where."""
    server = smtp_server({moment: action})
    _, error = taken(sender(server.settings(**ALL)), TO)
    assert type(error) is MailConnectionError
    assert error.stage in stages


def test_a_probe_never_touches_the_pool(smtp_server: Start, ca: Certificates) -> None:
    """It has a connection of its own, also where the pool's only one is busy with being kept, and gives none back."""
    server = smtp_server(tls=ca.good)
    config = server.settings(**ALL, tls_mode="starttls", ca_file=ca.ca_file, pool_size=1, pool_idle=600)
    with sender(config) as made:
        made.deliver(message())
        assert names([*made.probe(TO)]) == [*STARTTLS, "auth", "mail", "rcpt"]
        made.deliver(message())
        assert server.connections == 2
        assert server.verbs.count("AUTH") == 2
    assert len(server.wait().taken) == 2


def test_a_failed_probe_leaves_the_pool_alone(smtp_server: Start) -> None:
    """The kept connection goes on."""
    server = smtp_server({"RSET": [b"250 ok\r\n"], "RCPT": [b"250 ok\r\n", b"550 no\r\n"]})
    with sender(server.settings(**ALL, pool_idle=600)) as made:
        made.deliver(message())
        with pytest.raises(MailRejectedError):
            [*made.probe(TO)]
        made.deliver(message())
        assert server.connections == 2
    assert len(server.wait().taken) == 2


@pytest.mark.parametrize("after", range(1, 9))
def test_a_probe_that_is_abandoned_closes_its_connection(smtp_server: Start, ca: Certificates, after: int) -> None:
    """Whoever stops looking leaves nothing open, and no message behind."""
    server = smtp_server(tls=ca.good)
    with sender(server.settings(**ALL, tls_mode="starttls", ca_file=ca.ca_file)) as made:
        steps: Iterator[Step] = made.probe(TO)
        for _ in range(after):
            next(steps)
        del steps
        server.wait()  # raises if a client does not go
    assert server.connections == min(1, after - 1)
    assert server.bodies == []
    # Behind the login there is a dialogue to end in good order.
    assert ("QUIT" in server.verbs) is (after > 6)


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_the_certificate_is_told(smtp_server: Start, ca: Certificates, mode: str) -> None:
    """Version, names, issuer and the days that are left."""
    options, settings = modes(ca, mode)
    server = smtp_server(**options)
    steps, error = taken(sender(server.settings(timeout=10, **settings)))
    assert error is None
    (tls,) = (step for step in steps if step.name == "tls")
    assert tls.facts["verified"] is True
    assert tls.facts["names"] == ["localhost", "127.0.0.1"]
    assert str(tls.facts["version"]).startswith("TLSv1.")
    issuer, days = tls.facts["issuer"], tls.facts["days_left"]
    assert isinstance(issuer, str)
    assert issuer
    assert isinstance(days, int)
    assert days > 300
    assert tls.said == (
        f"{tls.facts['version']}, certificate for localhost, 127.0.0.1 by {issuer}, ends in {days} days"
    )
    assert tls.warning is None


def test_the_certificate_is_told_of_a_session_that_is_resumed(smtp_server: Start, ca: Certificates) -> None:
    """A probe behind a message, or behind a probe, sees the same."""
    server = smtp_server(tls=ca.good)
    with sender(server.settings(**ALL, tls_mode="starttls", ca_file=ca.ca_file)) as made:
        made.deliver(message())
        seen = [step.facts for _ in range(2) for step in made.probe() if step.name == "tls"]
    assert [facts["verified"] for facts in seen] == [True, True]
    assert [facts["names"] for facts in seen] == [["localhost", "127.0.0.1"]] * 2


def test_a_certificate_that_ends_soon_is_a_warning(smtp_server: Start, ca: Certificates) -> None:
    """In time, and not an error yet."""
    server = smtp_server(tls=ca.ending(datetime.timedelta(days=3, hours=12)))
    steps, error = taken(sender(server.settings(timeout=10, tls_mode="starttls", ca_file=ca.ca_file)))
    assert error is None
    (tls,) = (step for step in steps if step.name == "tls")
    assert tls.facts["days_left"] == 3
    assert tls.warning == "the server's certificate ends in 3 days: have it renewed"
    assert [step.warning for step in steps if step is not tls] == [None] * (len(steps) - 1)


@pytest.mark.parametrize("certificate", ["good", "expired", "wrong_host", "self_signed"])
def test_without_verification_the_certificate_is_not_told(
    smtp_server: Start, ca: Certificates, certificate: str
) -> None:
    """It may be anybody's, so all that is said is that nobody looked."""
    server = smtp_server(tls=getattr(ca, certificate))
    steps, error = taken(sender(server.settings(timeout=10, tls_mode="starttls", tls_verify=False)))
    assert error is None
    (tls,) = (step for step in steps if step.name == "tls")
    assert tls.said.endswith(", unverified")
    assert tls.facts == {"version": tls.facts["version"], "verified": False}


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("certificate", "remedy"),
    [
        ("expired", "The server needs a new certificate"),
        ("wrong_host", "Set SMTP_SERVER to a name that is in the certificate"),
        ("unknown_ca", "set SMTP_CA_FILE"),
        ("self_signed", "set SMTP_CA_FILE"),
    ],
)
def test_a_bad_certificate_is_the_finding(
    smtp_server: Start, ca: Certificates, mode: str, certificate: str, remedy: str
) -> None:
    """That something answers with TLS is known then, so nobody looks once more."""
    server = smtp_server(tls=getattr(ca, certificate), implicit=mode == "implicit")
    steps, error = taken(sender(server.settings(**ALL, tls_mode=mode, ca_file=ca.ca_file)), TO)
    assert names(steps) == {"starttls": STARTTLS[:3], "implicit": IMPLICIT[:2]}[mode]
    assert (type(error), error.stage) == (MailConnectionError, "tls")
    assert remedy in error.remedy
    server.wait()
    assert (server.connections, "AUTH" in server.verbs) == (1, False)
