"""The miniature of Dify with docs/dify.patch applied, and its processes: the API, the workers, single programs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from background import Program

ROOT = Path(__file__).parents[2]
MINIATURE = ROOT / "tests" / "dify" / "miniature"
PATCH = ROOT / "docs" / "dify.patch"


class Dify:
    """An installation in a folder.

    Args:
        folder: Where it goes.
        patched: False leaves it as it is without postroom.
        variables: Its environment, besides what Python itself needs.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str], *, patched: bool = True) -> None:
        self.folder = folder / "api"
        self.variables = dict(variables)
        self._logs = folder
        self._started = 0
        shutil.copytree(MINIATURE, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        if patched:
            self.patch()

    def patch(self, *options: str) -> None:
        """Apply the patch, as docs/dify.md says."""
        subprocess.run(["git", "apply", *options, str(PATCH)], cwd=self.folder, check=True, env=self._git, timeout=60)

    @property
    def _git(self) -> dict[str, str]:
        # The folder may lie in somebody's repository.
        return {**os.environ, "GIT_CEILING_DIRECTORIES": str(self.folder.parent)}

    @property
    def environment(self) -> dict[str, str]:
        """What its processes find; nothing of the developer's own mail."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.folder), **self.variables}

    def run(self, source: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it to its end."""
        return subprocess.run(
            [sys.executable, "-c", source],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def api(self, workers: int) -> Program:
        """Return gunicorn with gevent workers, as Dify starts it: nothing is loaded before they have patched."""
        bind = ["--bind", "127.0.0.1:0", "--workers", str(workers), "--worker-class", "gevent"]
        return self._program("gunicorn", *bind, "--worker-connections", "10", "app:app")

    def worker(self, pool: str, concurrency: int, *options: str) -> Program:
        """Return a Celery worker, as Dify starts it."""
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]
        size = ["-P", pool, "-c", str(concurrency), "-Q", "mail", *options]
        return self._program("celery", "-A", "celery_entrypoint.celery", "worker", *size, *quiet)

    def _program(self, module: str, *arguments: str) -> Program:
        self._started += 1
        log = self._logs / f"{module}-{self._started}.log"
        return Program([sys.executable, "-m", module, *arguments], self.folder, self.environment, log)
