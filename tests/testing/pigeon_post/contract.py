"""The contract of `pigeon-post`, as its author writes it."""

import base64
from collections.abc import Iterable, Mapping

from postroom_testing.contract import Arrived, File, HttpService, Place, SenderContract
from postroom_testing.http import Reply, Request


def arrived(request: Request) -> Iterable[Arrived]:
    """Read a letter."""
    if request.method == "POST":
        data = request.json()
        files = [
            File(each["name"], base64.b64decode(each["content"]), each["type"], each["cid"], each["inline"])
            for each in data.pop("files")
        ]
        yield Arrived(from_=data.pop("from"), files=files, **data)


class TestPigeonPost(SenderContract):
    """Pigeon Post."""

    provider = "pigeon-post"
    patience = 4.0
    sends_many_at_once = 2
    server = HttpService(
        arrived,
        accepted=Reply(200, {"id": "feather"}),
        rejected=Reply(422, {"error": "No such roof.\nTry another."}),
        unauthorized=Reply(401, {"error": "Wrong key."}),
        unavailable=Reply(503, {"error": "Hail."}),
    )

    def settings(self, place: Place) -> Mapping[str, object]:
        """The key, and where the loft is."""
        return {"api_key": "s3cr3t-key-to-the-loft", "api_url": place.url}
