"""Sending through the public API: the request on the wire, the receipt, and many messages or threads at once."""

import importlib.metadata
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from postroom import (
    DeliveringSender,
    MailMessage,
    MailMessageError,
    MailRejectedError,
    MailSenderFactory,
    MailSendError,
    MailSettingsError,
    MailUnavailableError,
    Outcome,
    Receipt,
)
from postroom_sendgrid.payload import to_payload
from postroom_sendgrid.sender import SendGridSender
from postroom_sendgrid.settings import SendGridSettings
from postroom_testing import Certificates
from postroom_testing.http import Close, HttpServer, Reply, Request, Step, Truncate
from sendgrid_messages import KEY, error_of, message, options, sender

Start = Callable[..., HttpServer]

ACCEPTED = Reply(202, b"", {"X-Message-Id": "14c5d75ce93.dfd.64b469"})
BAD = Reply(400, {"errors": [{"message": "bad", "field": "subject", "help": None}]})


def settings_of(made: DeliveringSender) -> SendGridSettings:
    """Return the settings that a sender was built with."""
    transport = made.transport  # type: ignore[attr-defined]  # not in the Protocol
    assert isinstance(transport, SendGridSender)
    found = transport._settings
    assert isinstance(found, SendGridSettings)
    return found


@pytest.mark.parametrize("encrypted", [False, True])
def test_the_request_is_what_the_page_says(http_server: Start, ca: Certificates, encrypted: bool) -> None:
    """One POST with the key, the payload as JSON, our name, and no header that SendGrid does not know."""
    server = http_server(ACCEPTED, tls=ca.good if encrypted else None)
    mail = message(to="Zoë <zoe@example.com>", subject="Grüße")
    with sender(server, **({"ca_file": ca.ca_file} if encrypted else {})) as made:
        made.send(mail)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v3/mail/send")
    assert request.headers == {
        "host": f"{server.host}:{server.port}",
        "user-agent": f"postroom/{importlib.metadata.version('postroom-http')}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "authorization": f"Bearer {KEY}",
    }
    assert request.json() == to_payload(mail, options())


def test_a_path_in_the_address_of_the_api_stays(http_server: Start) -> None:
    """A gateway may have the API below a path, with or without a slash at its end."""
    server = http_server(ACCEPTED)
    with sender(server, api_url=f"{server.url}/gateway/") as made:
        made.send(message())
    assert server.requests[0].path == "/gateway/v3/mail/send"


def test_a_receipt_has_the_vendors_id_and_everybody(http_server: Start) -> None:
    """202 is accepted, with X-Message-Id as the handle and each address once."""
    server = http_server(ACCEPTED)
    mail = message(cc="ada@example.com, bob@example.com", bcc="cy@example.com")
    with sender(server) as made:
        receipt = made.deliver(mail)
    assert receipt == Receipt(
        mail.message_id,
        "sendgrid",
        "14c5d75ce93.dfd.64b469",
        ("ada@example.com", "bob@example.com", "cy@example.com"),
    )
    assert receipt.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("step", "provider_id"),
    [
        (Reply(202), None),
        (Reply(202, "", {"x-message-id": "abc"}), "abc"),
        (Reply(202, "<html>", {"X-Message-Id": "abc"}), "abc"),
        (Reply(202, b"", {"X-Message-Id": "abc", "Connection": "close"}), "abc"),
        (Close(Reply(202, b"", {"X-Message-Id": "abc"})), "abc"),
        (Truncate(Reply(202, "x" * 20, {"X-Message-Id": "abc"}), 20), "abc"),
        (Truncate(Reply(202, "x" * 20), 1), None),
    ],
    ids=["no id", "other case", "a body", "close", "closed", "broken after the headers", "broken in the body"],
)
def test_whatever_comes_after_the_status_a_202_is_accepted(
    http_server: Start, step: Step, provider_id: str | None
) -> None:
    """SendGrid has the mail once it says 202, with or without an id or a whole body."""
    with sender(http_server(step)) as made:
        receipt = made.deliver(message())
    assert receipt.provider_id == provider_id
    assert receipt.accepted == ("ada@example.com",)


def test_a_200_outside_of_the_sandbox_is_unknown(http_server: Start) -> None:
    """Only 202 accepts; 200 may be anybody's, so nobody knows, and it is not called accepted."""
    error = error_of(http_server(Reply(200, {"message": "success"}, {"X-Message-Id": "abc"})))
    assert type(error) is MailUnavailableError
    assert (error.outcome, error.safe_to_retry, error.transient) == (Outcome.UNKNOWN, False, False)


def test_the_sandbox_asks_for_a_check_and_takes_200(http_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    """With `sandbox` the body says so, 200 is the good answer, and one WARNING at the start says that none is sent."""
    server = http_server(Reply(200))
    caplog.set_level(logging.WARNING)
    with sender(server, sandbox="true") as made:
        assert caplog.messages == ["mail: sendgrid: SENDGRID_SANDBOX: true, so messages are checked and none is sent"]
        receipts = [made.deliver(message()) for _ in range(2)]
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert [request.json()["mail_settings"] for request in server.requests] == [{"sandbox_mode": {"enable": True}}] * 2
    assert len(caplog.records) == 1


def test_a_202_in_the_sandbox_is_unknown(http_server: Start) -> None:
    """An answer that says it will be sent, where nothing should be, is no success."""
    error = error_of(http_server(ACCEPTED), sandbox=True)
    assert error.outcome is Outcome.UNKNOWN


def test_without_the_sandbox_nothing_is_logged_or_asked(http_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The usual sender says nothing at INFO or above, and no word of a sandbox in its request."""
    server = http_server(ACCEPTED)
    with caplog.at_level(logging.INFO), sender(server) as made:
        caplog.clear()  # what was made has been said
        made.send(message())
    assert caplog.records == []
    assert "mail_settings" not in server.requests[0].json()


@pytest.mark.parametrize("on", [False, True])
def test_tracking_goes_by_its_settings(http_server: Start, on: bool) -> None:
    """Neither kind is on unless set, and each by its own setting."""
    server = http_server(ACCEPTED)
    with sender(server, **({"click_tracking": "true"} if on else {})) as made:
        made.send(message())
    with sender(server, **({"open_tracking": "true"} if on else {})) as made:
        made.send(message())
    clicks, openings = (request.json()["tracking_settings"] for request in server.requests)
    assert clicks == {"click_tracking": {"enable": on, "enable_text": on}, "open_tracking": {"enable": False}}
    assert openings == {"click_tracking": {"enable": False, "enable_text": False}, "open_tracking": {"enable": on}}


def test_the_address_is_the_worlds_unless_it_is_set() -> None:
    """`api_url` is the global API; the one in the EU is set by its variable."""
    variables = {"MAIL_TYPE": "sendgrid", "SENDGRID_API_KEY": KEY}
    for more, url in (
        ({}, "https://api.sendgrid.com"),
        ({"SENDGRID_API_URL": "https://api.eu.sendgrid.com"}, "https://api.eu.sendgrid.com"),
    ):
        made = MailSenderFactory.create_from_dify_config(None, environ={**variables, **more})
        assert made is not None
        with made:
            assert made.provider == "sendgrid"
            assert made.is_configured()
            assert settings_of(made).api_url == url


def test_the_variables_reach_the_wire(http_server: Start) -> None:
    """Dify's variables alone make a sender that sends, with the default sender in its place."""
    server = http_server(Reply(200))
    environ = {
        "MAIL_TYPE": "sendgrid",
        "MAIL_DEFAULT_SEND_FROM": '"Hopper, Grace" <grace@example.com>',
        "SENDGRID_API_KEY": KEY,
        "SENDGRID_API_URL": server.url,
        "SENDGRID_SANDBOX": "true",
        "SENDGRID_OPEN_TRACKING": "true",
    }
    made = MailSenderFactory.create_from_dify_config(None, environ=environ)
    assert made is not None
    with made:
        made.send(message(from_=None))
    body = server.requests[0].json()
    assert body["from"] == {"email": "grace@example.com", "name": "Hopper, Grace"}
    assert body["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert body["tracking_settings"]["open_tracking"] == {"enable": True}


def test_a_missing_key_is_said_before_any_network() -> None:
    """Without a key there is no sender, and the text names the variable."""
    with pytest.raises(MailSettingsError) as caught:
        MailSenderFactory.create_sender("sendgrid", {})
    assert str(caught.value) == (
        "sendgrid: SENDGRID_API_KEY is required for SendGrid mail type: set api_key (SENDGRID_API_KEY)"
    )


def test_the_key_is_in_no_log(http_server: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG is the key, or the body, in what any logger says."""
    with caplog.at_level(logging.DEBUG), sender(http_server(ACCEPTED)) as made:
        made.send(message(text="the code is 123456"))
        assert KEY not in repr(made) + repr(settings_of(made))
    assert KEY not in caplog.text
    assert "123456" not in caplog.text


def test_many_messages_go_over_one_connection_in_their_order(http_server: Start) -> None:
    """A kept connection carries them all; each result is for its message."""

    def answer(request: Request) -> Step:
        return Reply(202, b"", {"X-Message-Id": f"sg-{request.json()['subject']}"})

    server = http_server(answer=answer)
    mails = [message(subject=str(number)) for number in range(20)]
    with sender(server) as made:
        results = list(made.deliver_many(mails))
    assert server.connections == 1
    assert [request.json()["subject"] for request in server.requests] == [str(number) for number in range(20)]
    for mail, result in zip(mails, results, strict=True):
        assert isinstance(result, Receipt)
        assert (result.message_id, result.provider_id) == (mail.message_id, f"sg-{mail.subject}")


def test_messages_are_taken_as_they_are_sent(http_server: Start) -> None:
    """Nothing is sent before a result is asked for, and no more than the results that are."""
    server = http_server(ACCEPTED)
    taken: list[int] = []

    def mails() -> Iterator[MailMessage]:
        for number in range(5):
            taken.append(number)
            yield message()

    with sender(server) as made:
        results = made.deliver_many(mails())
        assert (taken, server.requests) == ([], [])
        next(results)
        next(results)
        assert (taken, len(server.requests)) == ([0, 1], 2)


def test_one_bad_message_takes_no_other_down(http_server: Start) -> None:
    """Refused by core, by a limit or by SendGrid, or lost on the way: the others are accepted, in their order."""
    answers: dict[str, Step] = {"refused": BAD, "lost": Close()}
    server = http_server(answer=lambda request: answers.get(request.json()["subject"], ACCEPTED))
    mails = [
        message(subject="first"),
        message(from_=None),
        message(subject="second"),
        message(tags=[str(number) for number in range(11)]),
        message(subject="refused"),
        message(subject="third"),
        message(subject="lost"),
        message(subject="last"),
    ]
    with sender(server) as made:
        results = list(made.deliver_many(mails))
    kinds = [type(result) for result in results]
    assert kinds[:6] == [Receipt, MailMessageError, Receipt, MailMessageError, MailRejectedError, Receipt]
    refused, lost = results[4], results[6]
    assert isinstance(refused, MailSendError)
    assert isinstance(lost, MailSendError)
    assert (refused.code, refused.provider) == (400, "sendgrid")
    assert (lost.outcome, lost.safe_to_retry) == (Outcome.UNKNOWN, False)
    assert f"postroom_id={mails[6].id}" in str(lost)
    for mail, result in zip(mails, results, strict=True):
        if isinstance(result, Receipt):
            assert result.message_id == mail.message_id
    sent = [request.json()["subject"] for request in server.requests]
    assert sent == ["first", "second", "refused", "third", "lost", "last"]
    assert server.connections == 2  # one more after the one that was lost


def test_a_lost_message_is_not_sent_again_by_itself(http_server: Start) -> None:
    """The server sees each message at most once, whatever it answers."""
    steps: list[Step] = [Close(), Reply(500), Reply(503), Reply(429), BAD]
    server = http_server(*steps, ACCEPTED)
    mails = [message() for _ in range(6)]
    with sender(server) as made:
        results = list(made.deliver_many(mails))
    assert [isinstance(result, Receipt) for result in results] == [False] * 5 + [True]
    ids = [request.json()["personalizations"][0]["custom_args"]["postroom_id"] for request in server.requests]
    assert ids == [mail.id for mail in mails]


def test_two_senders_in_one_process_keep_their_keys(http_server: Start) -> None:
    """By turns and at once, each message goes out with the key of its own sender."""
    server = http_server(ACCEPTED)
    keys = ("SG.one", "SG.two")
    with sender(server, api_key=keys[0]) as one, sender(server, api_key=keys[1]) as two:
        for _ in range(3):
            one.send(message(subject="SG.one"))
            two.send(message(subject="SG.two"))
        with ThreadPoolExecutor(8) as pool:
            jobs = [
                pool.submit(made.send, message(subject=key))
                for _ in range(20)
                for made, key in ((one, keys[0]), (two, keys[1]))
            ]
            for job in jobs:
                job.result()
    assert len(server.requests) == 46
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {request.json()['subject']}"
    by_connection: dict[int, set[str]] = {}
    for request in server.requests:
        by_connection.setdefault(request.connection, set()).add(request.headers["authorization"])
    assert all(len(seen) == 1 for seen in by_connection.values())  # they share no connection either


@pytest.mark.parametrize("warm", [False, True])
def test_sixteen_threads_on_one_sender_do_not_mix(http_server: Start, warm: bool) -> None:
    """Each thread gets the receipt of its own message, and the server sees every message once and whole."""
    server = http_server(
        answer=lambda request: Reply(
            202, b"", {"X-Message-Id": request.json()["personalizations"][0]["custom_args"]["postroom_id"]}
        )
    )
    together = threading.Barrier(16)

    def work(number: int) -> None:
        together.wait(10)
        for turn in range(5):
            mail = message(to=f"a{number}@example.com", subject=f"{number} {turn}", text="x" * 1000 * number or "x")
            receipt = made.deliver(mail)
            assert (receipt.provider_id, receipt.message_id) == (mail.id, mail.message_id)
            assert receipt.accepted == (f"a{number}@example.com",)

    with sender(server) as made, ThreadPoolExecutor(16) as pool:
        if warm:
            made.send(message(to="a0@example.com", text="x", subject="0 warm"))
        for job in [pool.submit(work, number) for number in range(16)]:
            job.result()
    expected = [f"{number} {turn}" for number in range(16) for turn in range(5)]
    assert sorted(request.json()["subject"] for request in server.requests) == sorted(expected + ["0 warm"] * warm)
    for request in server.requests:
        body = request.json()
        number = int(body["subject"].split()[0])
        assert body["personalizations"][0]["to"] == [{"email": f"a{number}@example.com"}]
        assert body["content"][0]["value"] == ("x" * 1000 * number or "x")
        assert request.headers["authorization"] == f"Bearer {KEY}"
    assert server.connections <= 16


def test_a_closed_sender_opens_a_new_connection(http_server: Start) -> None:
    """Closing is no end: a later send works, and closing twice does no harm."""
    server = http_server(ACCEPTED)
    made = sender(server)
    try:
        made.send(message())
        made.close()
        made.close()
        made.send(message())
    finally:
        made.close()
    assert server.connections == 2


def test_a_message_is_the_same_at_each_attempt(http_server: Start) -> None:
    """The same message gives the same octets, so that a second attempt is nothing else."""
    server = http_server(BAD)
    mail = message(tags=["b", "a"], metadata={"z": "1", "a": "2"}, headers={"X-B": "é", "X-A": "1"})
    with sender(server) as made:
        for _ in range(3):
            with pytest.raises(MailRejectedError):
                made.deliver(mail)
    assert all(one.body == other.body for one, other in pairwise(server.requests))
    assert json.loads(server.requests[0].body)["personalizations"][0]["custom_args"]["postroom_id"] == mail.id
