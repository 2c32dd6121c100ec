"""Mirrors of remote bases: the same commit everywhere, and found by Git under the upstream's own URL."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cartwright.tools import load_catalogue
from cartwright.tree import mirrors

ARGOCD = "https://github.com/argoproj/argo-cd"


def git(*arguments: str, variables: dict[str, str]) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


@pytest.mark.parametrize("url", [ARGOCD, f"{ARGOCD}.git"])
def test_git_finds_the_pinned_version_under_the_upstreams_url_without_network(url: str) -> None:
    version = load_catalogue()["argocd"].version
    listed = git("ls-remote", url, f"refs/tags/{version}", variables=mirrors.environment())
    assert listed.endswith(f"refs/tags/{version}")


def test_two_machines_make_the_same_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = load_catalogue()["argocd"].version

    def made(home: Path) -> str:
        # Another cache, with the built tools and their assets linked into it.
        real = Path(mirrors.environment()["GIT_CONFIG_GLOBAL"]).parents[1]
        home.mkdir()
        for entry in real.iterdir():
            if entry.name != "mirrors":
                (home / entry.name).symlink_to(entry)
        monkeypatch.setenv("CARTWRIGHT_CACHE", str(home))
        try:
            return git("ls-remote", ARGOCD, f"refs/tags/{version}", variables=mirrors.environment())
        finally:
            monkeypatch.delenv("CARTWRIGHT_CACHE")

    assert made(tmp_path / "one") == made(tmp_path / "two")


def test_the_persons_own_git_configuration_still_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "gitconfig"
    own.write_text("[user]\n\tname = Somebody\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    assert git("config", "--global", "--includes", "user.name", variables=mirrors.environment()) == "Somebody"
