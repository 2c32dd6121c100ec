"""What a promotion starts does not grow with the repository, nor with the apps that move at once.

Counts of processes, not seconds: they are the same on a busy machine. `python -m benchmarks.promote` takes the time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.promote import write_promoted_repository
from cartwright.cluster.find import find_hub
from cartwright.history.snapshot import Snapshot
from cartwright.kernel import run as run_module
from cartwright.promotion.evidence import Sources
from cartwright.promotion.intents import Promote
from cartwright.promotion.land.deliver import Result, deliver
from cartwright.promotion.land.worktree import WorkTree

pytestmark = pytest.mark.slow


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command lines of all that is started from now on."""
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    words: list[str] = []
    popen = subprocess.Popen

    def counting(command: list[str], **options: object) -> object:
        words.append(" ".join(command[:3]))
        return popen(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(run_module.subprocess, "Popen", counting)
    return words


def promote(root: Path, apps: Sequence[str]) -> Result:
    def no_signatures(image: str, *, key: Path) -> None:
        raise AssertionError("nobody asked for signatures")

    return deliver(
        root,
        Promote(source="dev", target="test", apps=tuple(apps)),
        destination=WorkTree(root=root),
        sources=Sources(health=find_hub(root), signatures=no_signatures),
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )


def repository(folder: Path, *, apps: int) -> Path:
    """All apps have a release in dev that test lacks."""
    return write_promoted_repository(folder, apps=apps, commits=apps + 1, environments=("dev", "test"), every=True)


def test_one_promotion_starts_as_many_programs_in_a_large_repository_as_in_a_small_one(
    tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_applications(_: Snapshot) -> None:
        raise AssertionError("one app was asked for, and all of them are looked up")

    monkeypatch.setattr(Snapshot, "applications", property(all_applications))
    counts = []
    for apps in (3, 60):
        root = repository(tmp_path / str(apps), apps=apps)
        started.clear()
        assert promote(root, ["app-000"]).status == "promoted"
        counts.append(len(started))
    assert counts[0] == counts[1]
    assert counts[0] <= 30


def test_forty_apps_are_one_commit_and_start_no_more_programs_than_two(tmp_path: Path, started: list[str]) -> None:
    root = repository(tmp_path / "repository", apps=60)
    counts = []
    for first, last in ((0, 2), (2, 42)):
        before = git_count(root)
        started.clear()
        result = promote(root, [f"app-{number:03}" for number in range(first, last)])
        counts.append(len(started))
        assert (result.status, len(result.plan.changed)) == ("promoted", last - first)
        assert git_count(root) == before + 1
    assert counts[0] == counts[1]


def git_count(root: Path) -> int:
    return int(subprocess.check_output(["git", "rev-list", "--count", "HEAD"], cwd=root))
