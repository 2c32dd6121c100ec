"""cartwright.kernel.memo: what is kept, and for how long."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from cartwright.kernel import atomic, memo

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path))
    return tmp_path


def keep(cache: Path, key: str, *, days: int) -> Path:
    with atomic.fill_folder(cache / "trees" / key) as folder:
        (folder / "file").touch()
    then = time.time() - days * DAY
    os.utime(cache / "trees" / key, (then, then))
    return cache / "trees" / key


def test_folders_that_were_not_used_for_two_weeks_go_with_what_killed_processes_left(cache: Path) -> None:
    for key, days in {"old": 15, "new": 13, ".killed.new": 15, "used": 15}.items():
        keep(cache, key, days=days)
    assert memo.take_folder("trees", "used") == cache / "trees" / "used"
    assert memo.take_folder("trees", "gone") is None
    memo.prune([], folders=["trees", "none"])
    assert sorted(one.name for one in (cache / "trees").iterdir()) == ["new", "used"]
    keep(cache, "old", days=15)
    memo.prune([], folders=["trees"])
    assert (cache / "trees" / "old").is_dir(), "pruned twice within a day"


def test_a_folder_that_is_taken_while_others_are_pruned_stays(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keep(cache, "old", days=15)
    taken, go_on = Event(), Event()

    def slow(*args: object) -> None:
        taken.set()
        go_on.wait(10)
        os_utime(*args)

    os_utime = os.utime
    monkeypatch.setattr(memo.os, "utime", slow)
    user = Thread(target=memo.take_folder, args=("trees", "old"))
    user.start()
    assert taken.wait(10)
    pruner = Thread(target=memo.prune, args=([],), kwargs={"folders": ["trees"]})
    pruner.start()
    pruner.join(0.3)
    assert pruner.is_alive()
    assert folder.is_dir()
    go_on.set()
    user.join()
    pruner.join()
    assert (folder / "file").is_file()
