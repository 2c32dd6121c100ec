"""Everything that can go wrong on the way of a commit: after each fault there is one commit or none, and the next run
ends what was begun.

``pytest -s tests/promotion/test_faults.py`` prints the table of faults and outcomes; with ``CARTWRIGHT_REPORTS`` set to
a folder it is written there as ``promotion-faults.json``, too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cartwright.kernel.errors import CartwrightError, ToolError, UserError
from cartwright.promotion.intents import Approve, Freeze, Rollback
from cartwright.promotion.land.remote import Remote, pick_remote
from tests.promotion.engine import Engine, git, in_a_process, right_before
from tests.promotion.gitwrapper import faulty
from tests.promotion.histories import APP, Shop, digest, minutes, overlay_path

pytestmark = pytest.mark.slow

NOBODY = 65534
STAGING = overlay_path("staging")
_outcomes: list[dict[str, str]] = []


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    _outcomes.clear()
    yield
    widths = [max((len(row[key]) for row in _outcomes), default=0) for key in ("where", "fault", "outcome")]
    lines = ["  ".join(row[key].ljust(width) for key, width in zip(row, widths, strict=True)) for row in _outcomes]
    sys.stdout.write("\n".join(["", *lines, ""]))
    reports = os.environ.get("CARTWRIGHT_REPORTS")
    if reports:
        Path(reports).mkdir(parents=True, exist_ok=True)
        (Path(reports) / "promotion-faults.json").write_text(json.dumps(_outcomes, indent=2) + "\n")


def note(where: str, fault: str, outcome: str) -> None:
    _outcomes.append({"where": where, "fault": fault, "outcome": outcome})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which dev runs 1.1.0 and staging 1.0.0, a bare one with the same content, and a clone of that."""
    folder = tmp_path_factory.mktemp("template")
    made = Shop(folder, upstreams={"dev": [], "staging": ["dev"]})
    made.release("1.1.0", at=minutes(10))
    made.write()
    git(folder, "clone", "--quiet", "--bare", str(made.root), "remote.git")
    git(folder, "clone", "--quiet", "remote.git", "clone")
    git(folder / "clone", "config", "remote.origin.url", "../remote.git")
    return folder


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


def copied(template: Path, name: str, target: Path) -> Path:
    shutil.copytree(template / name, target / name, symlinks=True)
    git(target / name, "update-index", "-q", "--refresh") if name != "remote.git" else None
    return target / name


@pytest.fixture
def ours(template: Path, tmp_path: Path) -> Engine:
    """A work tree, which delivers to its own branch."""
    return Engine(root=copied(template, "repository", tmp_path), now=minutes(60))


@pytest.fixture
def clone(template: Path, tmp_path: Path) -> Engine:
    """A clone of a bare remote, which delivers to the remote."""
    copied(template, "remote.git", tmp_path)
    root = copied(template, "clone", tmp_path)
    return Engine(root=root, now=minutes(60), destination=pick_remote(root, name=None, branch=None))


def bare(clone: Engine) -> Path:
    return clone.root.parent / "remote.git"


def count(root: Path, branch: str = "main") -> int:
    return int(git(root, "rev-list", "--count", branch))


# --- kill -9 ----------------------------------------------------------------------------------------

LOCAL = [
    *(("hash-object", 1), ("hash-object", 2), ("commit-tree", 1), ("update-ref", 1), ("ls-files", 1)),
    *(("update-index", 1), ("hash-object", 3), ("checkout-index", 1), ("update-index", 2)),
]
"""Every program that a promotion starts once it has begun to write, in order."""
LANDS = LOCAL.index(("update-ref", 1))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("place", range(len(LOCAL)), ids=[f"{step}-{call}" for step, call in LOCAL])
def test_a_kill_at_any_step_leaves_one_commit_or_none_and_the_next_run_ends_it(
    ours: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, moment: str
) -> None:
    (ours.root / "staged.txt").write_text("staged")
    ours.git("add", "staged.txt")
    step, call = LOCAL[place]
    with monkeypatch.context() as patch:
        for name, value in faulty(tmp_path / "bin", step, moment, call=call).items():
            patch.setenv(name, value)
        assert in_a_process(lambda: ours.promote("dev", "staging")) == -signal.SIGKILL
    landed = place > LANDS or (place == LANDS and moment == "after")
    assert count(ours.root) == (3 if landed else 2)
    again = ours.promote("dev", "staging")
    assert again.status == ("unchanged" if landed else "promoted")
    assert count(ours.root) == 3
    assert ours.git("status", "--porcelain") == "A  staged.txt\n"
    assert digest("1.1.0") in (ours.root / STAGING).read_text()
    assert list((ours.root / ".git/cartwright").glob("journal*")) == []
    note("work tree", f"kill -9 {moment} {step} ({call})", f"{'one commit' if landed else 'none'}, then one")


def test_a_kill_between_two_files_leaves_both_or_none(
    ours: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.promote("dev", "staging")
    back = Rollback(app=APP, environment="staging", reason="errors", hold_until=minutes(120))
    with monkeypatch.context() as patch:
        for name, value in faulty(tmp_path / "bin", "update-ref", "after").items():
            patch.setenv(name, value)
        assert in_a_process(lambda: ours.run(back)) == -signal.SIGKILL
    assert not (ours.root / "environments/staging/promotion.yaml").exists()
    assert ours.git("show", "--format=", "--name-only", "HEAD").split() == [
        "environments/staging/promotion.yaml",
        STAGING,
    ]
    assert ours.promote("dev", "staging").status == "blocked", "the hold counts from the commit on"
    assert "reason: errors" in (ours.root / "environments/staging/promotion.yaml").read_text()
    assert ours.git("status", "--porcelain") == ""


def test_the_recovery_leaves_a_file_alone_that_was_edited_since(
    ours: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for name, value in faulty(tmp_path / "bin", "update-ref", "after").items():
            patch.setenv(name, value)
        assert in_a_process(lambda: ours.promote("dev", "staging")) == -signal.SIGKILL
    (ours.root / STAGING).write_text("# edited after the kill\n")
    assert ours.promote("dev", "staging").status == "unchanged"
    assert (ours.root / STAGING).read_text() == "# edited after the kill\n"


REMOTE = [("ls-remote", 1), ("hash-object", 1), ("hash-object", 2), ("commit-tree", 1), ("push", 1)]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("step", "call"), REMOTE, ids=[f"{step}-{call}" for step, call in REMOTE])
def test_a_kill_on_the_way_to_a_remote_leaves_one_commit_or_none(
    clone: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, call: int, moment: str
) -> None:
    before = clone.git("status", "--porcelain", "--branch")
    with monkeypatch.context() as patch:
        for name, value in faulty(tmp_path / "bin", step, moment, call=call).items():
            patch.setenv(name, value)
        assert in_a_process(lambda: clone.promote("dev", "staging")) == -signal.SIGKILL
    landed = (step, moment) == ("push", "after")
    assert count(bare(clone)) == (3 if landed else 2)
    assert clone.promote("dev", "staging").status == ("unchanged" if landed else "promoted")
    assert count(bare(clone)) == 3
    assert clone.git("status", "--porcelain", "--branch").startswith(before.splitlines()[0].partition(" [")[0])
    assert count(clone.root) == 2, "the clone's own branch stays where it is"
    note("remote", f"kill -9 {moment} {step} ({call})", f"{'one commit' if landed else 'none'}, then one")


# --- locks that a killed git left ---------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that is there counts as left behind at once."""
    monkeypatch.setattr("cartwright.promotion.land.locks._SECONDS", 0)


def state(root: Path) -> tuple[str, str, str]:
    """Branch, index and files."""
    return git(root, "rev-parse", "main"), git(root, "ls-files", "--stage"), (root / STAGING).read_text()


@pytest.mark.parametrize(
    ("lock", "what"),
    [
        pytest.param("index.lock", "the index", id="index"),
        pytest.param("refs/heads/main.lock", "main", id="branch"),
        pytest.param("HEAD.lock", "main", id="head"),
    ],
)
def test_a_lock_that_was_left_in_the_clone_is_named(ours: Engine, impatient: None, lock: str, what: str) -> None:
    before = state(ours.root)
    file = ours.root / ".git" / lock
    file.touch()
    with pytest.raises(UserError) as caught:
        ours.promote("dev", "staging")
    shown = f".git/{lock}" if lock == "index.lock" else str(file)
    assert str(caught.value) == (f"{shown}: locks {what}; nothing was promoted (remove that file if no git is at work)")
    assert state(ours.root) == before
    file.unlink()
    assert ours.promote("dev", "staging").status == "promoted"
    note("work tree", f"a stale {lock}", "none, the lock is named")


def test_a_lock_on_the_index_does_not_matter_to_an_approval(ours: Engine, impatient: None) -> None:
    (ours.root / ".git/index.lock").touch()
    assert ours.run(Approve(apps=(APP,), source="dev", target="staging")).status == "promoted"


def test_a_lock_on_the_index_that_comes_after_the_commit_is_told_with_the_state(ours: Engine, impatient: None) -> None:
    hook = ours.root / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n[ $1 = committed ] && touch .git/index.lock\nexit 0\n")
    hook.chmod(0o755)
    with pytest.raises(UserError) as caught:
        ours.promote("dev", "staging")
    commit = ours.git("rev-parse", "main")[:7]
    lock = ours.root / ".git/index.lock"
    assert str(caught.value) == (
        f"{lock}: main has the commit {commit}, but the index does not: a commit now would undo it (remove that file "
        "if no git is at work, then run the same command again, which brings index and files up to date)"
    )
    assert count(ours.root) == 3
    hook.unlink()
    lock.unlink()
    assert ours.promote("dev", "staging").status == "unchanged"
    assert ours.git("status", "--porcelain") == ""
    assert digest("1.1.0") in (ours.root / STAGING).read_text()
    note("work tree", "index.lock comes after the commit", "one commit, the state is told, the next run ends it")


def test_a_lock_that_was_left_in_the_remote_is_named(clone: Engine, impatient: None) -> None:
    lock = bare(clone) / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(UserError) as caught:
        clone.promote("dev", "staging")
    assert str(caught.value) == (
        f"{lock}: locks main of origin; nothing was promoted (remove that file there if no git is at work)"
    )
    assert count(bare(clone)) == 2
    lock.unlink()
    assert clone.promote("dev", "staging").status == "promoted"
    note("remote", "a stale lock on the branch", "none, the lock is named")


def test_a_lock_in_the_remote_that_goes_is_waited_for(clone: Engine, tmp_path: Path) -> None:
    (bare(clone) / "refs/heads/main.lock").touch()
    hook = bare(clone) / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\n[ -e {tmp_path}/once ] && rm -f refs/heads/main.lock\ntouch {tmp_path}/once\n")
    hook.chmod(0o755)
    result = clone.promote("dev", "staging")
    assert (result.status, result.attempts) == ("promoted", 1)
    note("remote", "a lock that goes", "one commit")


# --- the remote -------------------------------------------------------------------------------------


def test_an_answer_that_is_lost_after_the_push_landed_is_no_second_commit(
    clone: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for name, value in faulty(tmp_path / "bin", "push", "after", fault="hangup").items():
            patch.setenv(name, value)
        result = clone.promote("dev", "staging")
    assert result.status == "promoted"
    assert git(bare(clone), "rev-parse", "main").strip() == result.commit
    assert count(bare(clone)) == 3
    note("remote", "connection lost after the push landed", "one commit, found again")


def test_an_answer_that_was_asked_for_ahead_and_is_old_loses_the_race(clone: Engine, tmp_path: Path) -> None:
    remote = clone.destination
    assert isinstance(remote, Remote)
    remote.ask_ahead()
    remote._asked[0].result()
    freeze = Freeze(environment="dev", reason="audit", begin=minutes(0), until=minutes(120))
    write_elsewhere(clone, tmp_path, lambda other: other.run(freeze))
    result = clone.promote("dev", "staging")
    assert (result.status, result.attempts) == ("promoted", 2)
    assert count(bare(clone)) == 4


def test_a_remote_that_was_asked_ahead_and_is_unreachable_is_one_clear_line(clone: Engine) -> None:
    bare(clone).rename(bare(clone).with_name("elsewhere.git"))
    remote = clone.destination
    assert isinstance(remote, Remote)
    remote.ask_ahead()
    with pytest.raises(ToolError, match=r"^origin: can't be reached, nothing was promoted: "):
        clone.promote("dev", "staging")


def test_a_connection_that_is_lost_before_the_push_is_said(
    clone: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in faulty(tmp_path / "bin", "push", "before", fault="hangup").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        ToolError, match="can't be pushed to, nothing was promoted: the remote end hung up unexpectedly"
    ):
        clone.promote("dev", "staging")
    assert count(bare(clone)) == 2
    note("remote", "connection lost before the push", "none, failed with git's words")


def test_a_remote_that_stumbles_once_is_asked_again(
    clone: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in faulty(tmp_path / "bin", "ls-remote", "before", fault="hangup").items():
        monkeypatch.setenv(name, value)
    assert clone.promote("dev", "staging").status == "promoted"
    note("remote", "connection lost once at the first question", "one commit")


def test_an_unreachable_remote_is_one_clear_line(clone: Engine) -> None:
    bare(clone).rename(bare(clone).with_name("elsewhere.git"))
    with pytest.raises(
        ToolError, match=r"^origin: can't be reached, nothing was promoted: .*does not appear to be a git"
    ):
        clone.promote("dev", "staging")
    note("remote", "unreachable", "none, failed with git's words")


def test_a_hook_that_refuses_is_quoted(clone: Engine) -> None:
    hook = bare(clone) / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'main takes signed commits only' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(
        ToolError, match=r"^origin: refuses the push, .*main takes signed commits only.*pre-receive hook"
    ):
        clone.promote("dev", "staging")
    assert count(bare(clone)) == 2
    note("remote", "a hook refuses", "none, failed with the hook's words")


def test_a_branch_that_is_not_there_is_named(clone: Engine) -> None:
    ours = replace(clone, destination=pick_remote(clone.root, name="origin", branch="mian"))
    with pytest.raises(UserError, match="origin has no branch 'mian'"):
        ours.promote("dev", "staging")
    with pytest.raises(UserError, match=r"no remote 'orign' \(known: origin\)"):
        pick_remote(clone.root, name="orign", branch=None)


def write_elsewhere(clone: Engine, tmp_path: Path, change: Callable[[Engine], object], *push: str) -> None:
    """Somebody else changes the remote."""
    git(tmp_path, "clone", "--quiet", "remote.git", "other")
    other = Engine(root=tmp_path / "other", now=clone.now)
    change(other)
    other.git("push", "--quiet", *push, "origin", "HEAD:main")


def test_a_branch_that_is_rewritten_under_us_is_planned_anew(
    clone: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rewrite(other: Engine) -> None:
        other.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "--amend", "-m", "Rewritten")

    right_before(monkeypatch, "push", lambda: write_elsewhere(clone, tmp_path, rewrite, "--force"))
    result = clone.promote("dev", "staging")
    assert (result.status, result.attempts) == ("promoted", 2)
    assert git(bare(clone), "log", "--format=%s", "main").splitlines()[1:] == ["Rewritten", "Begin"]
    note("remote", "force-pushed under us", "one commit, on the new history")


def test_a_freeze_that_comes_between_stops_the_retry(
    clone: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze = Freeze(environment="staging", reason="audit", begin=minutes(0), until=minutes(120))
    right_before(monkeypatch, "push", lambda: write_elsewhere(clone, tmp_path, lambda other: other.run(freeze)))
    result = clone.promote("dev", "staging")
    assert (result.status, result.attempts) == ("blocked", 2)
    assert [one.code for one in result.verdicts if not one.passed] == ["freeze-decided"]
    assert count(bare(clone)) == 3, "the freeze alone"
    note("remote", "a freeze lands between", "none, blocked by the freeze")


def refused_to_nobody(tmp_path: Path, clone: Engine, *owned: Path) -> str:
    """What a user hears who owns these folders and nothing else."""
    words = tmp_path / "words"
    words.touch()
    words.chmod(0o666)
    (tmp_path / "gitconfig").write_text("[safe]\n\tdirectory = *\n")
    root = os.geteuid() == 0
    if root:
        for folder in (tmp_path, *tmp_path.parents):
            if not folder.stat().st_mode & 0o001:
                folder.chmod(0o755)
        for path in (one for folder in owned for one in (folder, *folder.rglob("*"))):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    else:
        for folder in {bare(clone), clone.root / ".git"} - {one / ".git" for one in owned}:
            for path in (folder, *folder.rglob("*")):
                path.chmod(path.stat().st_mode & ~0o222)

    def promote() -> None:
        os.environ["GIT_CONFIG_GLOBAL"] = str(tmp_path / "gitconfig")
        os.environ["HOME"] = str(tmp_path)
        try:
            clone.promote("dev", "staging")
        except CartwrightError as error:
            words.write_text(str(error))

    assert in_a_process(promote, user=NOBODY if root else None) == 0
    return words.read_text()


def test_a_remote_without_write_permission_is_said(clone: Engine, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    said = refused_to_nobody(tmp_path, clone, clone.root, tmp_path / "cache")
    assert said.startswith("origin: refuses the push, nothing was promoted: ")
    assert "unpacker error" in said
    assert count(bare(clone)) == 2
    note("remote", "no write permission", "none, failed with git's words")


def test_a_clone_without_write_permission_is_said(clone: Engine, tmp_path: Path) -> None:
    said = refused_to_nobody(tmp_path, clone)
    assert said.endswith("/.git/cartwright: Permission denied; nothing was promoted")
    note("clone", "no write permission", "none, blocked")


# --- the clone --------------------------------------------------------------------------------------


def test_a_shallow_clone_is_deepened_so_that_soak_can_be_told(ours: Engine, tmp_path: Path) -> None:
    made = Shop(tmp_path / "soaking", upstreams={"dev": [], "staging": ["dev"]}, gates={"staging": {"soak": "30m"}})
    made.release("1.1.0", at=minutes(10))
    made.edit("dev", "9.9.9", at=minutes(59), app="shop/app-001")
    made.write()
    git(tmp_path, "clone", "--quiet", "--bare", str(made.root), "remote.git")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path}/remote.git", "shallow")
    root = tmp_path / "shallow"
    clone = Engine(root=root, now=minutes(60), destination=pick_remote(root, name=None, branch=None))
    result = clone.promote("dev", "staging")
    assert result.status == "promoted", "fifty minutes, though the one commit of the clone is a minute old"
    assert count(tmp_path / "remote.git") == 4
    note("clone", "shallow", "one commit, after the rest was fetched")


def test_without_a_remote_a_shallow_clone_is_on_the_safe_side(ours: Engine, tmp_path: Path) -> None:
    made = Shop(tmp_path / "soaking", upstreams={"dev": [], "staging": ["dev"]}, gates={"staging": {"soak": "30m"}})
    made.release("1.1.0", at=minutes(10))
    made.edit("dev", "9.9.9", at=minutes(59), app="shop/app-001")
    made.write()
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{made.root}", "shallow")
    result = Engine(root=tmp_path / "shallow", now=minutes(60)).promote("dev", "staging")
    assert (result.status, result.next_time) == ("blocked", minutes(89))


def test_a_dirty_work_tree_on_another_branch_is_not_touched(clone: Engine) -> None:
    clone.git("switch", "--quiet", "--create", "mine")
    (clone.root / STAGING).write_text("# half done\n")
    (clone.root / overlay_path("dev")).unlink()
    (clone.root / "staged.txt").write_text("staged")
    clone.git("add", "staged.txt")
    before = clone.git("status", "--porcelain", "--branch")
    ours = replace(clone, destination=pick_remote(clone.root, name="origin", branch="main"))
    assert ours.promote("dev", "staging").status == "promoted"
    assert clone.git("status", "--porcelain", "--branch") == before
    assert count(bare(clone)) == 3
    note("clone", "dirty work tree, another branch", "one commit, nothing here touched")


def test_a_detached_head_needs_the_branch_named(clone: Engine) -> None:
    clone.git("checkout", "--quiet", "--detach")
    with pytest.raises(UserError, match=r"HEAD is on no branch \(name the branch: --branch main\)"):
        pick_remote(clone.root, name=None, branch=None)
    ours = replace(clone, destination=pick_remote(clone.root, name=None, branch="main"))
    assert isinstance(ours.destination, Remote)
    assert ours.promote("dev", "staging").status == "promoted"
    assert count(bare(clone)) == 3
    note("clone", "detached head", "one commit where --branch names it, else refused")


def test_modes_links_and_submodules_stay_what_they_are(clone: Engine, tmp_path: Path) -> None:
    def add(other: Engine) -> None:
        (other.root / STAGING).chmod(0o755)
        (other.root / "link").symlink_to("environments")
        commit = other.git("rev-parse", "HEAD").strip()
        other.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendor")
        other.git("add", "link", STAGING)
        other.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "Odd things")

    write_elsewhere(clone, tmp_path, add)
    before = git(bare(clone), "ls-tree", "-r", "main").splitlines()
    assert clone.promote("dev", "staging").status == "promoted"
    after = git(bare(clone), "ls-tree", "-r", "main").splitlines()
    (old,), (new,) = [set(one) - set(two) for one, two in ((before, after), (after, before))]
    assert old.endswith(f"\t{STAGING}") and new.endswith(f"\t{STAGING}")
    assert old.startswith("100755 ") and new.startswith("100755 ")
    note("content", "executable file, symbolic link, submodule", "one commit, modes kept")


@pytest.mark.parametrize("kind", ["symbolic link", "submodule"])
def test_an_overlay_that_is_no_plain_file_is_refused(clone: Engine, tmp_path: Path, kind: str) -> None:
    def replace_it(other: Engine) -> None:
        file = other.root / STAGING
        if kind == "symbolic link":
            file.rename(file.with_name("real.yaml"))
            file.symlink_to("real.yaml")
            other.git("add", "--all")
        else:
            commit = other.git("rev-parse", "HEAD").strip()
            other.git("rm", "--quiet", STAGING)
            other.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{STAGING}")
        other.git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "Odd things")

    write_elsewhere(clone, tmp_path, replace_it)
    with pytest.raises(UserError, match="is a symbolic link; promotion" if kind == "symbolic link" else STAGING[:24]):
        clone.promote("dev", "staging")
    assert count(bare(clone)) == 3
    note("content", f"overlay is a {kind}", "none, refused")
