"""Fixtures of the tests of core."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom import MailMessage, ProviderRegistry


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on the import path, as empty as a new `site-packages`; what is imported from it is forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def registry() -> ProviderRegistry:
    """Return a registry of its own; it finds what is installed and what the test has written."""
    return ProviderRegistry()


@pytest.fixture
def message() -> MailMessage:
    """Return a message that any provider takes."""
    return MailMessage("grace@example.com", "Hello", "<p>Hello</p>", "ada@example.com")
