"""Many messages at Resend: https://resend.com/docs/api-reference/emails/send-batch-emails."""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

from postroom import Leaving, MailError, MailMessage, MailRejectedError, MailSendError, Outcome, Receipt
from postroom_http.answer import STAGE, Answer
from postroom_http.client import HttpClient
from postroom_http.failures import Lost
from postroom_resend import answers
from postroom_resend.payload import to_payload

_LARGEST = 100
_BY_CONTENT = (400, 403, 413, 422, 451)  # refusals that a single message can cause
# The key covers the batch as a whole, so a message of it that is sent again alone would be another one to Resend.
_UNSAFE = Lost(
    "The messages of this batch may have been sent: look for them in Resend's log before you send them again"
)

Deliver = Callable[[MailMessage], Receipt]
Result = Receipt | MailError


def deliver_many(
    client: HttpClient, deliver: Deliver, messages: Iterable[MailMessage], leaving: Leaving | None
) -> Iterator[Result]:
    """Yield one result for each message, in order."""
    rest = iter(messages)
    while window := list(itertools.islice(rest, _LARGEST)):
        together = [message for message in window if _fits_a_batch(message)]
        results = iter(_batch(client, deliver, together, leaving))
        for message in window:
            yield next(results) if _fits_a_batch(message) else _single(deliver, message)


def _fits_a_batch(message: MailMessage) -> bool:
    return not message.attachments and message.send_at is None


def _single(deliver: Deliver, message: MailMessage) -> Result:
    try:
        return deliver(message)
    except MailError as error:
        return error


def _batch(client: HttpClient, deliver: Deliver, messages: list[MailMessage], leaving: Leaving | None) -> list[Result]:
    if len(messages) < 2:
        return [_single(deliver, message) for message in messages]
    try:
        return _post(client, messages, leaving)
    except MailSendError as error:
        if isinstance(error, MailRejectedError) and error.code in _BY_CONTENT:
            # The batch as a whole: one message in it may be the cause. Each has its chance alone.
            return [_single(deliver, message) for message in messages]
        return [copy(error) for _ in messages]


def _post(client: HttpClient, messages: list[MailMessage], leaving: Leaving | None) -> list[Result]:
    keys = "\n".join(message.idempotency_key for message in messages)
    headers = {"Idempotency-Key": hashlib.sha256(keys.encode()).hexdigest(), "x-batch-validation": "permissive"}
    payload = [to_payload(message) for message in messages]

    def leave() -> None:
        if leaving is not None:
            for message in messages:
                leaving(message)

    def offer(leave: Callable[[], None] | None = None) -> list[Result]:
        answer = client.post("/emails/batch", payload, headers=headers, if_lost=_UNSAFE, leaving=leave)
        return _read(answer, client, messages)

    try:
        return offer(leave)
    except MailSendError as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        lost = error
    # The same batch under the same key is sent once, and this time the answer may come. If it does not, or is a
    # refusal of this attempt, the first one is still unknown.
    with contextlib.suppress(MailSendError):
        return offer()
    raise lost


def _read(answer: Answer, client: HttpClient, messages: list[MailMessage]) -> list[Result]:
    """Return the results of `{"data": [{"id"}], "errors": [{"index", "message"}]}`; `data` has the good ones only."""
    said = answer.json() if answer.status == 200 else None
    ids, refused = _ids(said), _refused(said, len(messages))
    if ids is None or refused is None or len(ids) + len(refused) != len(messages):
        raise answers.explain(answer, client.peer, _UNSAFE)
    accepted = iter(ids)
    return [
        MailRejectedError(f"{client.peer.host} refused it: {client.peer.conceal(refused[index])}", stage=STAGE)
        if index in refused
        else Receipt(message.message_id, "resend", next(accepted), message.recipients)
        for index, message in enumerate(messages)
    ]


def _ids(said: Any) -> list[str] | None:
    """Return the ids, or None if there is anything else: nobody would know whose the others are."""
    data = said.get("data") if isinstance(said, dict) else None
    if not isinstance(data, list):
        return None
    ids = [found for found in map(answers.mail_id, data) if found]
    return ids if len(ids) == len(data) else None


def _refused(said: Any, count: int) -> dict[int, str] | None:
    """Return the reasons by index, or None unless each error has the index of another one of `count` messages."""
    errors = said.get("errors") or [] if isinstance(said, dict) else None
    if not isinstance(errors, list):
        return None
    refused: dict[int, str] = {}
    for each in errors:
        index = each.get("index") if isinstance(each, dict) else None
        if type(index) is not int or not 0 <= index < count or index in refused:
            return None
        refused[index] = str(each.get("message"))
    return refused
