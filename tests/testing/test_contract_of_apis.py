"""Our providers with an HTTP API keep the contract, as any other."""

import base64
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from postroom_testing.contract import Arrived, File, HttpService, Place, SenderContract
from postroom_testing.http import Reply, Request


def _file(data: Mapping[str, Any], kind: str, content_id: str) -> File:
    inline = content_id in data
    return File(
        data["filename"], base64.b64decode(data["content"]), data[kind], data.get(content_id), inline=inline
    )  # fmt: skip


def by_resend(request: Request) -> Iterable[Arrived]:
    """Read a request to Resend (https://resend.com/docs/api-reference/emails)."""
    if request.method != "POST":
        return
    data = request.json()
    for mail in data if isinstance(data, list) else [data]:
        pairs = {tag["name"]: tag["value"] for tag in mail.get("tags", [])}
        yield Arrived(
            from_=mail["from"],
            to=mail["to"],
            cc=mail.get("cc"),
            bcc=mail.get("bcc"),
            reply_to=mail.get("reply_to"),
            subject=mail["subject"],
            html=mail.get("html"),
            text=mail.get("text"),
            files=[_file(each, "content_type", "content_id") for each in mail.get("attachments", [])],
            headers=mail.get("headers", {}),
            tags=[name for name, value in pairs.items() if value == "true"],
            metadata={name: value for name, value in pairs.items() if value != "true"},
            send_at=datetime.datetime.fromisoformat(mail["scheduled_at"]) if "scheduled_at" in mail else None,
        )


def _accepted_by_resend(request: Request) -> Reply:
    data = request.json()
    if isinstance(data, list):
        return Reply(200, {"data": [{"id": f"49a3999c-{number}"} for number, _ in enumerate(data)]})
    return Reply(200, {"id": "49a3999c"})


class TestResend(SenderContract):
    """Resend."""

    provider = "resend"
    server = HttpService(
        by_resend,
        accepted=_accepted_by_resend,
        rejected=Reply(422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."}),
        checked=Reply(200, {"object": "list", "data": [{"name": "example.com", "status": "verified"}]}),
        unauthorized=Reply(401, {"statusCode": 401, "name": "missing_api_key", "message": "Missing API key."}),
        throttled=Reply(
            429,
            {"statusCode": 429, "name": "rate_limit_exceeded", "message": "Too many requests."},
            {"Retry-After": "7"},
        ),
    )

    def settings(self, place: Place) -> Mapping[str, object]:
        """The key, and where the API is."""
        return {"api_key": "re_s3cr3t_key_of_nobody", "api_url": place.url}


def by_sendgrid(request: Request) -> Iterable[Arrived]:
    """Read a request to SendGrid (https://www.twilio.com/docs/sendgrid/api-reference/mail-send)."""
    if request.method != "POST":
        return
    data = request.json()
    (person,) = data["personalizations"]
    bodies = {part["type"]: part["value"] for part in data["content"]}
    yield Arrived(
        from_=_mailbox(data["from"]),
        to=[*map(_mailbox, person["to"])],
        cc=[*map(_mailbox, person.get("cc", []))],
        bcc=[*map(_mailbox, person.get("bcc", []))],
        reply_to=[*map(_mailbox, data.get("reply_to_list", []))],
        subject=data["subject"],
        html=bodies.get("text/html"),
        text=bodies.get("text/plain"),
        files=[_file(each, "type", "content_id") for each in data.get("attachments", [])],
        headers=data.get("headers", {}),
        tags=data.get("categories"),
        metadata=person.get("custom_args", {}),
        send_at=datetime.datetime.fromtimestamp(data["send_at"], datetime.UTC) if "send_at" in data else None,
    )


def _mailbox(data: Mapping[str, str]) -> str:
    name = data.get("name", "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{data["email"]}>' if name else data["email"]


class TestSendGrid(SenderContract):
    """SendGrid."""

    provider = "sendgrid"
    server = HttpService(
        by_sendgrid,
        accepted=Reply(202, b"", {"X-Message-Id": "14c5d75ce93.dfd.64b469"}),
        rejected=Reply(
            400, {"errors": [{"message": "Does not contain a valid address.", "field": "to", "help": None}]}
        ),
        unauthorized=Reply(
            401, {"errors": [{"message": "The provided authorization grant is invalid", "field": None}]}
        ),
        throttled=Reply(429, {"errors": [{"message": "too many requests", "field": None}]}, {"Retry-After": "7"}),
        checked=Reply(200, {"scopes": ["mail.send"]}),
    )

    def settings(self, place: Place) -> Mapping[str, object]:
        """The key, and where the API is."""
        return {"api_key": "SG.s3cr3t-key-of-nobody", "api_url": place.url}
