"""How a request shows the key."""

import requests
from requests.auth import AuthBase

from postroom import Secret


class KeyAuth(AuthBase):
    """Puts the key on a request, where nothing of the environment replaces it."""

    def __init__(self, key: Secret, header: str, scheme: str) -> None:
        self._key = key
        self._header = header
        self._scheme = scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key on a request."""
        request.headers[self._header] = f"{self._scheme} {self._key.reveal()}".strip()
        return request
