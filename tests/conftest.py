"""What tests of several packages share: a small repository, a cache with nothing but the tools, our own policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measure import cache_with_tools
from benchmarks.synthetic import write_repository
from cartwright.tools import require
from cartwright.tree.repository import find_root


@pytest.fixture
def clean_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from another test."""
    for name, value in cache_with_tools(tmp_path / "cache").items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repository(tmp_path: Path, clean_cache: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two apps in dev and prod that pass every check; the current folder."""
    root = write_repository(tmp_path / "repository", apps=2, environments=["dev", "prod"])
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def policies() -> Path:
    """The repository's own policies."""
    return find_root(Path(__file__)) / "policies"


@pytest.fixture(scope="session")
def conftest_binary() -> Path:
    """The pinned conftest."""
    return require(["conftest"])["conftest"]
