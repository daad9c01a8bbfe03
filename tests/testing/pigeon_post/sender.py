"""A provider of nobody's that keeps the contract, with `requests` alone. The test of mutations breaks it."""

import base64
import json
import logging
import os
import threading
import time

import requests
from pigeon_post.settings import PigeonSettings

from postroom import (
    Attachment,
    MailAuthError,
    MailConnectionError,
    MailMessage,
    MailRateLimitError,
    MailRejectedError,
    MailTimeoutError,
    MailUnavailableError,
    Outcome,
    Receipt,
)
from postroom_http.connection import PunctualAdapter
from postroom_http.wire import end_at

_log = logging.getLogger("pigeon_post")


class _Key(requests.auth.AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class PigeonTransport:
    """Sends by one POST."""

    def __init__(self, settings: PigeonSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._pid = 0

    def deliver(self, message: MailMessage) -> Receipt:
        """Offer the message once."""
        said = self._ask("POST", "/letters", to_payload(message))
        return Receipt(message.message_id, "pigeon-post", said.get("id"), accepted=message.recipients)

    def is_configured(self) -> bool:
        """Return True."""
        return True

    def check_connection(self) -> None:
        """Look at the key."""
        self._ask("GET", "/me", None)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _opened(self) -> requests.Session:
        with self._lock:
            if self._session is None or self._pid != os.getpid():
                self._session, self._pid = requests.Session(), os.getpid()
                self._session.mount(self._settings.api_url, PunctualAdapter())
            return self._session

    def _ask(self, method: str, path: str, data: object) -> dict[str, str]:
        settings = self._settings
        until = time.monotonic() + settings.deadline
        end_at(until)
        lost = Outcome.UNKNOWN if data is not None else Outcome.NOT_SENT
        body = b""
        try:
            with self._opened().request(
                method,
                settings.api_url + path,
                json=data,
                auth=_Key(settings.api_key.reveal()),
                timeout=settings.timeout or 30,
                allow_redirects=False,
                stream=True,
            ) as response:
                for octet in response.iter_content(1):
                    body += octet
                    if time.monotonic() > until:
                        raise requests.ReadTimeout
        except requests.ConnectTimeout as error:
            raise MailTimeoutError("the loft cannot be reached in time", stage="connect", transient=True) from error
        except requests.ReadTimeout as error:
            raise MailTimeoutError("the loft did not answer in time", outcome=lost) from error
        except requests.ConnectionError as error:
            if "NewConnectionError" in repr(error):
                raise MailConnectionError("the loft cannot be reached", stage="connect", transient=True) from error
            raise MailConnectionError("the loft was lost before it answered", outcome=lost) from error
        return self._read(response, body, lost)

    def _read(self, response: requests.Response, body: bytes, lost: Outcome) -> dict[str, str]:
        status = response.status_code
        words = "".join(char for char in body.decode(errors="replace") if char.isprintable())[:200]
        said = f"the loft answered {status}: {words}"
        if status == 401:
            raise MailAuthError(said, code=status)
        if status == 429:
            wait = float(response.headers.get("Retry-After", 60))
            raise MailRateLimitError(said, code=status, transient=True, retry_after=wait)
        if status == 503:
            raise MailUnavailableError(said, code=status, transient=True)
        if status >= 400:
            raise MailRejectedError(said, code=status)
        try:
            return dict(json.loads(body))
        except ValueError as error:
            raise MailUnavailableError(said, code=status, outcome=lost) from error


def to_payload(message: MailMessage) -> dict[str, object]:
    """Return the message as the loft takes it."""
    return {
        "from": str(message.from_),
        "to": [str(each) for each in message.to],
        "cc": [str(each) for each in message.cc],
        "bcc": [each.spec for each in message.bcc],
        "reply_to": [str(each) for each in message.reply_to],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "files": [_file(each) for each in message.attachments],
        "headers": dict(message.headers),
        "tags": list(message.tags),
        "metadata": dict(message.metadata),
    }


def _file(attachment: Attachment) -> dict[str, object]:
    return {
        "name": attachment.filename,
        "type": attachment.content_type,
        "content": base64.b64encode(attachment.content).decode(),
        "cid": attachment.content_id,
        "inline": attachment.inline,
    }
