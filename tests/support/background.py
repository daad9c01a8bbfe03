"""Programs that run beside a test: their output goes to a file, and they end with the test."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

PATIENCE = 60.0  # seconds until what does not come fails the test


class Program:
    """Runs a command in a `with` block, in a process group of its own."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._command = [*command]
        self._folder = folder
        self._environment = environment
        self._log = log

    def __enter__(self) -> Self:
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    @property
    def output(self) -> str:
        """All that it has said."""
        return self._log.read_text("utf-8", "replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches."""
        until = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.output)) is None:
            assert self._process.poll() is None, f"it has ended:\n{self.output}"
            assert time.monotonic() < until, f"it does not say {pattern!r}:\n{self.output}"
            time.sleep(0.02)
        return found

    def end(self) -> None:
        """Let it finish what it does, and wait for its end."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it, and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
