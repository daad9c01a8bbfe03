"""Postmark keeps what applications rely on."""

import base64
from collections.abc import Iterable, Mapping

from postroom_testing.contract import Arrived, File, HttpService, Place, SenderContract
from postroom_testing.http import Reply, Request


def arrived(request: Request) -> Iterable[Arrived]:
    """Return the messages that a request brings, as Postmark reads it."""
    if request.method != "POST":
        return
    data = request.json()
    yield Arrived(
        from_=data["From"],
        to=data["To"],
        cc=data.get("Cc"),
        bcc=data.get("Bcc"),
        reply_to=data.get("ReplyTo"),
        subject=data["Subject"],
        html=data.get("HtmlBody"),
        text=data.get("TextBody"),
        files=[_file(each) for each in data.get("Attachments", [])],
        headers={each["Name"]: each["Value"] for each in data.get("Headers", [])},
        tags=data.get("Tag"),
        metadata=data.get("Metadata", {}),
    )


def _file(data: Mapping[str, str]) -> File:
    content = base64.b64decode(data["Content"])
    content_id = data["ContentID"].removeprefix("cid:") if "ContentID" in data else None
    return File(data["Name"], content, data["ContentType"], content_id, inline=content_id is not None)


class TestContract(SenderContract):
    """The answers are those of Postmark's pages."""

    provider = "postmark"
    server = HttpService(
        arrived,
        accepted=Reply(
            200,
            {
                "To": "grace@example.com",
                "SubmittedAt": "2026-02-10T12:00:00.0000000Z",
                "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
                "ErrorCode": 0,
                "Message": "OK",
            },
        ),
        rejected=Reply(422, {"ErrorCode": 300, "Message": "Invalid email request."}),
        unauthorized=Reply(401, {"ErrorCode": 10, "Message": "No Account or Server API tokens were supplied."}),
        throttled=Reply(429, {"ErrorCode": 429, "Message": "Rate limit exceeded."}, {"Retry-After": "7"}),
        unavailable=Reply(503, {"ErrorCode": 100, "Message": "Maintenance."}),
        checked=Reply(200, {"ID": 1, "Name": "Production"}),
    )

    def settings(self, place: Place) -> Mapping[str, object]:
        """Return a token, and where the service is."""
        return {"server_token": "s3cr3t-token-of-nobody", "api_url": place.url}
