"""A server of the tests that is a program of its own, so that it takes no time from the clients that are measured."""

import json
import subprocess
from typing import Any, Self

_PATIENCE = 10.0  # seconds until a program that does not end fails the test


class OwnProcess:
    """Runs `command` in a `with` block. It says on its first line, in JSON, where it is, and ends with its stdin."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.said: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.said = json.loads(self._process.stdout.readline())
        return self

    def __exit__(self, *exception: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
