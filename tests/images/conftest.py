"""A repository with services alone, the same commit wherever it is made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cartwright.images.base import Base

ROOT = Path(__file__).parents[2]
_WHO = {"name": "Shop", "email": "shop@example.org", "date": "2026-02-03T04:05:06Z"}
IDENTITY = {f"GIT_{who}_{key.upper()}": value for who in ("AUTHOR", "COMMITTER") for key, value in _WHO.items()}
CREATED = _WHO["date"]

Commit = Callable[[Path], str]


def git(root: Path, *words: str) -> str:
    env = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    return subprocess.run(["git", *words], cwd=root, env=env, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path) -> str:
    """Commit all that there is; returns the commit."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "All that there is")
    return git(root, "rev-parse", "HEAD")


def copy_services(root: Path) -> Path:
    """The services, the Containerfile and the lock as they are here, as a repository's first commit."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "tests")
    shutil.copytree(ROOT / "services", root / "services", ignore=ignored)
    shutil.copy(ROOT / "requirements.lock", root)
    (root / "argocd").mkdir()
    (root / "argocd" / "root.yaml").touch()
    shutil.copy(ROOT / "names.yaml", root)
    (root / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    git(root, "init", "--quiet")
    commit(root)
    return root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of its own for one test."""
    return copy_services(tmp_path / "repository")


@pytest.fixture
def base() -> Base:
    """A base that nothing is built on."""
    return Base("localhost/base:1", "0" * 64, "a base")
