"""What crosses Celery: our errors and our messages, by JSON and by pickle, from and to a real worker."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import carried
from background import Program
from redis_server import RedisServer

SUPPORT = Path(carried.__file__).parent


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_errors_and_messages_arrive_as_they_were(redis: RedisServer, tmp_path: Path, serializer: str) -> None:
    """An error keeps its class, its text and its outcome, and a message its identity, so nothing is sent twice."""
    worker = [sys.executable, "-m", "celery", "-A", "carried", "worker", "-P", "solo", "--loglevel", "INFO"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(SUPPORT),
        "CARRIED_URL": redis.url,
        "CARRIED_SERIALIZER": serializer,
        "C_FORCE_ROOT": "1",  # Celery warns root of pickle
    }
    with Program(worker, tmp_path, environment, tmp_path / "worker.log") as running:
        running.wait_for(r"ready\.")
        # A client of its own: Celery keeps what it knows of a broker for the process.
        done = subprocess.run(
            [sys.executable, "-m", "carried"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + running.output
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["errors"] == [carried.described(error) for error in carried.ERRORS]
    assert said["message"] == f"{carried.MESSAGE!r} {carried.MESSAGE.idempotency_key}"
