"""What goes out: the key in its header, and a body that knows whether all of it has left."""

from collections.abc import Callable, Iterator

import requests
from requests.auth import AuthBase

from postroom import Secret

_BLOCK = 65_536  # octets of a body that are written within one time-out


class KeyAuth(AuthBase):
    """Puts the key on a request, where nothing of the environment replaces it."""

    def __init__(self, key: Secret, header: str, scheme: str) -> None:
        self._key = key
        self._header = header
        self._scheme = scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put it on."""
        request.headers[self._header] = f"{self._scheme} {self._key.reveal()}".strip()
        return request


class Body:
    """A request's body that knows whether all of it has been handed to the connection.

    Until then no server can have taken the request: it waits for as many octets as Content-Length says.
    """

    def __init__(self, data: bytes, leaving: Callable[[], None] | None) -> None:
        self.left = False
        self._data = data
        self._leaving = leaving

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._data), _BLOCK):
            if self._leaving is not None and start + _BLOCK >= len(self._data):
                self._leaving()
            yield self._data[start : start + _BLOCK]
        self.left = True  # whoever asks for more has handed over the last block
