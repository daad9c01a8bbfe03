"""Fixtures for tests of a provider: servers that it can talk to, certificates, and distributions made on the spot.

pytest loads this module at each start, so what a fixture needs is imported when it is asked for.
"""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from postroom_testing.certificates import Certificates
    from postroom_testing.http_server import HttpServer
    from postroom_testing.smtp_server import SmtpServer

_Arguments = ParamSpec("_Arguments")
_Server = TypeVar("_Server")


def _starting(make: Callable[_Arguments, AbstractContextManager[_Server]]) -> Iterator[Callable[_Arguments, _Server]]:
    with ExitStack() as stack:

        def start(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Server:
            return stack.enter_context(make(*arguments, **options))

        yield start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> "Certificates":
    """The certificates of this run; `good` is the context of a server, `ca_file` what a client trusts."""
    from postroom_testing.certificates import Certificates  # noqa: PLC0415  it loads TLS

    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def smtp_server() -> Iterator["Callable[..., SmtpServer]"]:
    """Start an `SmtpServer` with the arguments of its constructor; it ends with the test."""
    from postroom_testing.smtp_server import SmtpServer  # noqa: PLC0415

    yield from _starting(SmtpServer)


@pytest.fixture
def http_server() -> Iterator["Callable[..., HttpServer]"]:
    """Start an `HttpServer` with the arguments of its constructor; it ends with the test."""
    from postroom_testing.http_server import HttpServer  # noqa: PLC0415

    yield from _starting(HttpServer)


@pytest.fixture
def installed_distribution(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Path]]:
    """Install a distribution for this test: write it, with the arguments of `write_distribution` but the folder.

    It comes first on `sys.path`. It is found by each `ProviderRegistry()` that looks around afterwards, and not by
    `default_registry()` if that has looked around before. Nothing of it is imported here; what the test imports of it
    is forgotten after the test. Each call returns the dist-info folder.
    """
    from postroom_testing.distributions import write_distribution  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("installed")
    monkeypatch.syspath_prepend(folder)
    before = dict(sys.modules)
    brought: set[str] = set()

    def install(
        name: str,
        entry_points: str | bytes | Mapping[str, str] | None = None,
        *,
        version: str = "1.0",
        modules: Mapping[str, str] | None = None,
        metadata: bool = True,
    ) -> Path:
        info = write_distribution(folder, name, entry_points, version=version, modules=modules, metadata=metadata)
        brought.update(modules or {})
        importlib.invalidate_caches()  # the folder may have been listed a moment ago
        return info

    yield install
    for module in brought - before.keys():
        sys.modules.pop(module, None)
