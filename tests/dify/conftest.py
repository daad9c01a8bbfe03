"""Fixtures of the tests with Dify: a Redis, and the miniature that has been patched."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import redis_server
from dify_miniature import Dify
from oauth_servers import need
from redis_server import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    need(redis_server.missing_parts())
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        yield server


@pytest.fixture
def dify(tmp_path: Path) -> Callable[..., Dify]:
    """Make a patched miniature whose environment has these variables and no others of mail."""
    return lambda **variables: Dify(tmp_path, variables)
