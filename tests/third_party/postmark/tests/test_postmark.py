"""What the contract cannot know: what Postmark's codes mean, and what it does not take."""

from collections.abc import Callable
from typing import Any

import pytest
from postroom import (
    Attachment,
    MailAuthError,
    MailMessage,
    MailMessageError,
    MailQuotaError,
    MailRejectedError,
    MailSenderFactory,
    MailSendError,
    Outcome,
)
from postroom_testing.http import HttpServer, Reply

Serve = Callable[..., HttpServer]


def send(url: str = "https://postmark.invalid", **fields: Any) -> None:
    """Send one message with these fields besides."""
    config = {"server_token": "s3cr3t-token-of-nobody", "api_url": url, "default_from": "ada@example.com"}
    with MailSenderFactory.create_sender("postmark", config) as sender:
        sender.send(MailMessage(**{"to": "grace@example.com", "subject": "Hello", "text": "Hello.", **fields}))


def test_the_token_goes_in_its_own_header(http_server: Serve) -> None:
    """Postmark looks for the bare token in a header of its own."""
    server = http_server(Reply(200, {"ErrorCode": 0, "MessageID": "1"}))
    send(server.url)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/email")
    assert request.headers["x-postmark-server-token"] == "s3cr3t-token-of-nobody"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("code", "kind", "transient", "advice"),
    [
        (300, MailRejectedError, False, "Correct what the answer names"),
        (400, MailRejectedError, False, "Confirm the sender"),
        (405, MailQuotaError, True, "larger plan"),
        (406, MailRejectedError, False, "Reactivate the address"),
        (412, MailRejectedError, False, "until Postmark has approved"),
    ],
)
def test_a_code_decides_what_422_means(
    http_server: Serve, code: int, kind: type[MailSendError], transient: bool, advice: str
) -> None:
    """One status stands for a wrong address, a sender that is not confirmed, and an account without credits."""
    with pytest.raises(MailSendError, match=f"answered 422: ErrorCode {code}, Because.") as caught:
        send(http_server(Reply(422, {"ErrorCode": code, "Message": "Because."})).url)
    error = caught.value
    assert (type(error), error.transient, error.outcome) == (kind, transient, Outcome.NOT_SENT)
    assert advice in (error.remedy or "")


def test_success_with_an_error_code_is_none(http_server: Serve) -> None:
    """An answer of 200 that names no message leaves open what became of it."""
    with pytest.raises(MailSendError) as caught:
        send(http_server(Reply(200, {"ErrorCode": 7, "Message": "?"})).url)
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "breach"),
    [
        ({"to": [f"{number}@example.com" for number in range(51)]}, "this message has 51"),
        ({"text": "x" * 5_242_881}, "one of 5242881 octets"),
        ({"attachments": [Attachment("a.bin", b"x" * 7_864_320)]}, "10485766 octets"),
        ({"tags": ["one", "two"]}, "at most one tag; this message has 2"),
        ({"metadata": {str(number): "" for number in range(11)}}, "this message has 11"),
        ({"metadata": {"k" * 21: "v"}}, "this message has 'kkk"),
        ({"metadata": {"k": "v" * 81}}, "this message has 'k'"),
    ],
)
def test_what_postmark_does_not_take_is_refused(fields: dict[str, Any], breach: str) -> None:
    """The rule is known before the network is asked, and named with its page."""
    with pytest.raises(MailMessageError, match=breach):
        send(**fields)


def test_a_probe_goes_on_to_the_token(http_server: Serve) -> None:
    """Behind the way to the service, the token is looked at, and nothing is sent."""
    server = http_server(Reply(200, {"ID": 1, "Name": "Production"}))
    config = {"server_token": "s3cr3t-token-of-nobody", "api_url": server.url}
    with MailSenderFactory.create_sender("postmark", config) as sender:
        assert [step.name for step in sender.probe()][-1] == "key"
    assert [request.path for request in server.requests] == ["/server"]


def test_a_wrong_token_names_the_variable(http_server: Serve) -> None:
    """A rule names the field of the settings, and people read the variable."""
    server = http_server(Reply(401, {"ErrorCode": 10, "Message": "No Account or Server API tokens were supplied."}))
    with pytest.raises(MailAuthError, match="and set POSTMARK_SERVER_TOKEN"):
        send(server.url)
