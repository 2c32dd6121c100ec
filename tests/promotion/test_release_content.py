"""Whatever a base holds, a promotion brings it whole or says in one line why not: commit, index and work tree agree."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from cartwright.promotion.intents import Rollback
from tests.promotion.conftest import Repository
from tests.promotion.engine import Engine, git
from tests.promotion.histories import APP, Shop, minutes

BASE = f"apps/{APP}"
STAGED = f"environments/staging/{APP}/release"


@pytest.fixture
def ours(tmp_path: Path) -> Engine:
    """A work tree whose base generates a ConfigMap of the files that :func:`holds` names."""
    shop = Shop(tmp_path, upstreams={"dev": [], "staging": ["dev"]})
    shop.write()
    return Engine(shop.root, minutes(0))


def commit(ours: Engine, *, after: float = 10) -> str:
    """Commit the work tree, a while after the last time."""
    ours.now = minutes((ours.now - minutes(0)).total_seconds() / 60 + after)
    stamp = f"{int(ours.now.timestamp())} +0000"
    dates = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    git(ours.root, "add", "--all", "--force")
    git(ours.root, "commit", "--quiet", "--message", "Change the base", **dates)
    return ours.git("rev-parse", "HEAD").strip()


def holds(ours: Engine, *names: str) -> Path:
    """Let the base read these files, whatever they are; the base's folder is returned."""
    file = ours.root / BASE / "kustomization.yaml"
    head, _, tail = file.read_text().partition("configMapGenerator:\n")
    tail = "".join(line for line in tail.splitlines(keepends=True) if "odd" not in line)
    listed = f"  - {{name: odd, files: {json.dumps(names)}}}\n"
    file.write_text(f"{head}configMapGenerator:\n{listed}{tail}")
    return file.parent


def tree(ours: Engine, folder: str) -> list[str]:
    """Mode, id and path below a folder of everything that the newest commit has there."""
    return ours.git("ls-tree", "-r", "-z", f"HEAD:{folder}").split("\0")


def require_whole(ours: Engine) -> None:
    """Staging's copy is the base, the trailer names the tree, and index and work tree are those of the commit."""
    assert tree(ours, f"{STAGED}/{BASE}") == tree(ours, BASE)
    assert f"Tree: {ours.git('rev-parse', f'HEAD:{STAGED}').strip()}\n" in ours.git("log", "-1", "--format=%B")
    assert ours.git("status", "--porcelain") == ""
    ours.git("fsck", "--strict", "--no-dangling")


def promoted(ours: Engine) -> None:
    """Commit the base, promote it, and prove that all of it came."""
    commit(ours)
    assert ours.promote("dev", "staging").status == "promoted"
    require_whole(ours)


@pytest.mark.parametrize("mode", [0o755, 0o644], ids=["becomes executable", "is executable no longer"])
def test_a_mode_that_alone_changes_reaches_the_work_tree(ours: Engine, mode: int) -> None:
    script = holds(ours, "run.sh") / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755 if mode == 0o644 else 0o644)
    promoted(ours)
    script.chmod(mode)
    promoted(ours)
    assert (ours.root / STAGED / BASE / "run.sh").stat().st_mode & 0o777 == mode


def test_a_file_that_becomes_a_folder_and_back_is_promoted_each_time(ours: Engine) -> None:
    conf = holds(ours, "conf") / "conf"
    conf.write_text("one\n")
    promoted(ours)
    conf.unlink()
    conf.mkdir()
    (conf / "a.txt").write_text("two\n")
    holds(ours, "conf/a.txt")
    promoted(ours)
    shutil.rmtree(conf)
    conf.write_text("three\n")
    holds(ours, "conf")
    promoted(ours)
    assert (ours.root / STAGED / BASE / "conf").read_text() == "three\n"


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("Conf.txt", "conf.txt"), id="names that differ in case alone"),
        pytest.param(("a b.txt", " leading", "trailing "), id="spaces"),
        pytest.param(("zürich.txt", "東京.txt", "é.txt", "e\u0301.txt"), id="Unicode, composed and decomposed"),
        pytest.param(("[a].txt", "a.txt", "*.txt", "?", "a\\b"), id="glob characters"),
        pytest.param(
            (":(top)x", "-x", "!x", "#x", '"x"', "a\nb"), id="what Git takes for an option, a pattern or an end"
        ),
    ],
)
def test_names_are_brought_as_they_are(ours: Engine, names: tuple[str, ...]) -> None:
    folder = holds(ours, *names)
    for name in names:
        (folder / name).write_text(f"{name}\n")
    promoted(ours)
    for name in names:
        (folder / name).write_text(f"{name} again\n")
    promoted(ours)
    copies = ours.root / STAGED / BASE
    assert [(copies / name).read_text() for name in names] == [f"{name} again\n" for name in names]
    for name in names[1:]:
        (folder / name).unlink()
    holds(ours, names[0])
    promoted(ours)
    assert {one.name for one in copies.iterdir()} == {one.name for one in folder.iterdir()}


def linked(ours: Engine, name: str, target: str) -> str:
    """The base reads a file that is a link; where that is said."""
    (holds(ours, name) / name).symlink_to(target)
    commit(ours)
    return f"environments/dev/{APP}/kustomization.yaml: refers to {BASE}/{name}, which is a symbolic link; "


@pytest.mark.slow
@pytest.mark.parametrize("target", ["service.yaml", "../../../README.md", "/etc/passwd", "nowhere", "link", "."])
def test_a_link_in_a_base_is_refused_in_one_line_wherever_it_leads(ours: Engine, target: str) -> None:
    said = linked(ours, "link", target)
    require_refused(ours, f"{said}a release holds plain files alone (copy the file)")


@pytest.mark.slow
def test_a_submodule_in_a_base_is_refused_in_one_line(ours: Engine) -> None:
    holds(ours, "vendor")
    ours.git("update-index", "--add", "--cacheinfo", f"160000,{ours.git('rev-parse', 'HEAD').strip()},{BASE}/vendor")
    (ours.root / BASE / "vendor").mkdir()
    ours.git("commit", "--quiet", "--all", "--message", "A submodule")
    where = f"{BASE}/kustomization.yaml:9"
    require_refused(ours, f"{where}: 'vendor': no such file or folder")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../../../../outside.txt", "../../../..", "/etc/hostname", "linked/outside.txt"])
def test_a_base_that_reaches_outside_of_the_repository_is_refused_in_one_line(ours: Engine, name: str) -> None:
    (ours.root.parent / "outside.txt").write_text("not ours\n")
    (holds(ours, name) / "linked").symlink_to("../../../..")
    commit(ours)
    require_refused(ours, f"{BASE}/kustomization.yaml:9: '{name}': no such file or folder")


@pytest.mark.slow
def test_a_base_that_disappears_is_named_and_what_was_promoted_runs_on(ours: Engine) -> None:
    before = tree(ours, STAGED)
    holds(ours, "extra.txt").joinpath("extra.txt").write_text("more\n")
    promoted(ours)
    shutil.rmtree(ours.root / BASE)
    commit(ours)
    where = f"environments/dev/{APP}/kustomization.yaml:4"
    require_refused(ours, f"{where}: '../../../../{BASE}': no such file or folder")
    back = ours.run(Rollback(app=APP, environment="staging", reason="its base is gone"))
    assert (back.status, tree(ours, STAGED)) == ("promoted", before)
    assert ours.git("status", "--porcelain") == ""


def require_refused(ours: Engine, line: str) -> None:
    """The command ends with 2 and one line, and nothing has been written."""
    head, status = ours.git("rev-parse", "HEAD"), ours.git("status", "--porcelain")
    ended = Repository(root=ours.root, env=os.environ).promote()
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", f"error: {line}\n")
    assert (ours.git("rev-parse", "HEAD"), ours.git("status", "--porcelain")) == (head, status)


@pytest.mark.parametrize("target", ["apps", "nowhere"])
def test_a_link_that_a_hand_has_put_into_a_release_goes_with_the_next_promotion(ours: Engine, target: str) -> None:
    (ours.root / STAGED / "link").symlink_to(target)
    (ours.root / STAGED / "kept").mkdir()
    (ours.root / STAGED / "kept/link").symlink_to(f"../{target}")
    promoted(ours)
    assert not (ours.root / STAGED / "kept").exists()
    assert not (ours.root / STAGED / "link").is_symlink()
