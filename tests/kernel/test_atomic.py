"""cartwright.kernel.atomic: files and folders are there whole or not at all."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from cartwright.kernel import atomic
from cartwright.tree.repository import open_tree


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_with_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text("old", encoding="utf-8")
    atomic.write_text(file, "new\r\n", mode=0o600)
    assert file.read_bytes() == b"new\r\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["seed"]


def test_a_file_stays_as_it_was_where_writing_ends_early(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), atomic.side_file(file) as side:
        side.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt
    assert (names(tmp_path), file.read_text(encoding="utf-8")) == (["file"], "old")


def test_none_of_several_files_changes_where_one_can_not_be_written(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "file" / "second"
    first.write_text("old", encoding="utf-8")
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        atomic.write_all({first: b"new", second: b"new"})
    assert (names(tmp_path), first.read_text(encoding="utf-8")) == (["file", "first"], "old")


def test_who_loses_the_race_for_a_folder_takes_the_winners(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    with atomic.fill_folder(home) as late:
        (late / "file").write_text("late", encoding="utf-8")
        with atomic.fill_folder(home) as early:
            (early / "file").write_text("early", encoding="utf-8")
    assert (home / "file").read_text(encoding="utf-8") == "early"
    assert names(home.parent) == ["home"]


def test_a_folder_is_not_put_in_a_files_place(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(NotADirectoryError), atomic.fill_folder(tmp_path / "home"):
        pass


def test_a_folder_replaces_another(tmp_path: Path) -> None:
    fresh, home = tmp_path / "fresh", tmp_path / "home"
    for number in range(2):
        fresh.mkdir()
        (fresh / str(number)).touch()
        atomic.put_folder(fresh, home)
        assert (names(tmp_path), names(home)) == (["home"], [str(number)])


@pytest.mark.parametrize("number", range(3))
def test_processes_that_lay_out_one_ref_at_once_all_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "repository"
    (root / "apps").mkdir(parents=True)
    (root / "apps" / "file").write_text(str(number), encoding="utf-8")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    barrier = Barrier(4)

    def lay_out(_: int) -> Path:
        barrier.wait()
        return open_tree(root, "HEAD").root

    with ThreadPoolExecutor(4) as pool:
        roots = set(pool.map(lay_out, range(4)))
    (found,) = roots
    assert (found / "apps" / "file").read_text(encoding="utf-8") == str(number)
    assert names(found.parent) == [found.name]
