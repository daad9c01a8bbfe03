"""What crosses Celery: our errors and our messages, by JSON and by pickle, from and to a real worker."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from background import PATIENCE, Program
from postroom import MailMessage
from redis_server import RedisServer

SUPPORT = Path(__file__).parents[1] / "support"
MESSAGE = MailMessage("grace@example.com", "Your code", "<p>1234</p>", idempotency_key="a-key")


@pytest.fixture(params=["json", "pickle"])
def carried(
    request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """Yield the application, with a worker that serves it."""
    monkeypatch.setenv("CARRIED_URL", redis.url)
    monkeypatch.setenv("CARRIED_SERIALIZER", request.param)
    monkeypatch.delitem(sys.modules, "carried", raising=False)
    module = importlib.import_module("carried")
    command = [sys.executable, "-m", "celery", "-A", "carried", "worker", "-P", "solo", "--loglevel", "INFO"]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "C_FORCE_ROOT": "1"}  # it warns of pickle for root
    with Program(command, tmp_path, environment, tmp_path / "worker.log") as worker:
        worker.wait_for(r"ready\.")
        yield module
    module.app.close()
    del sys.modules["carried"]


def test_an_error_arrives_as_it_was(carried: ModuleType) -> None:
    """Each error arrives with its class, its text and all that it knows: what is unknown stays unknown."""
    for number, sent in enumerate(carried.ERRORS):
        got = carried.fail.delay(number).get(timeout=PATIENCE, propagate=False)
        assert type(got) is type(sent)
        assert vars(got) == vars(sent)
        assert str(got) == str(sent)


def test_a_message_arrives_as_it_was(carried: ModuleType) -> None:
    """A message keeps its identity, so that a second attempt is the same message."""
    data = MESSAGE if carried.serializer == "pickle" else MESSAGE.to_dict()
    said = carried.identify.delay(data).get(timeout=PATIENCE)
    assert said == f"{MESSAGE!r} {MESSAGE.date} {MESSAGE.idempotency_key}"
