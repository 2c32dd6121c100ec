"""A clone's commits reach the embedded remote on top of what it has, or nothing changes. Real Git, no cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cartwright.cluster.gitremote import Remote
from cartwright.cluster.pushing import push
from cartwright.cluster.state import Layout, State, exclusive
from cartwright.kernel.errors import Blocked, CartwrightError, ClusterError, UserError

pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str, message: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


class Pair:
    """A clone, the remote of its cluster, and someone else who pushes to that: ``up``, or a promotion."""

    def __init__(self, folder: Path) -> None:
        self.clone, self.other = folder / "clone", folder / "other"
        self.layout = Layout(folder / "state")
        self.remote = Remote.open(self.layout)
        State(environments=("dev",), hub="dev").save(self.layout)
        self.clone.mkdir()
        git(self.clone, "init", "--quiet", "--initial-branch=main")
        commit(self.clone, "memory.yaml", "memory: 1\n", "first")
        self.remote.push(self.clone, include_uncommitted=False)
        git(folder, "clone", "--quiet", str(self.remote.path), "other")
        self.said: list[str] = []

    def record(self, name: str = "image.yaml", text: str = "digest: 1\n", message: str = "dev orders 2") -> str:
        """What ``up`` does: a commit in the remote alone."""
        git(self.other, "pull", "--quiet", "--rebase")
        made = commit(self.other, name, text, message)
        git(self.other, "push", "--quiet", "origin", "HEAD:main")
        return made

    def push(self) -> None:
        push(self.clone, self.layout, say=self.said.append)

    def head(self) -> str:
        return git(self.clone, "rev-parse", "HEAD")

    def subjects(self) -> list[str]:
        return git(self.remote.path, "log", "--reverse", "--format=%s", "main").splitlines()

    def refused(self, kind: type[CartwrightError]) -> str:
        """What a push says that changes nothing at all."""
        before = self._all()
        with pytest.raises(kind) as caught:
            self.push()
        assert self._all() == before
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def _all(self) -> tuple[str | None, ...]:
        words = (("status", "--porcelain", "--branch"), ("show-ref", "--head"), ("diff", "HEAD"), ("stash", "list"))
        return (self.remote.head(), *(git(self.clone, *one) for one in words))


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@localhost")
    return Pair(tmp_path)


def test_commits_go_on_top_of_what_the_remote_has(pair: Pair) -> None:
    recorded = pair.record()
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    pair.push()
    head = pair.head()
    assert pair.remote.head() == head
    assert pair.subjects() == ["first", "dev orders 2", "more memory"]
    url = pair.remote.url
    assert pair.said == [
        "The remote has 1 commit that this clone lacks:",
        f"  {recorded[:7]} dev orders 2",
        f"main: 1 commit rebased onto {recorded[:7]}",
        f"Pushed 1 commit to main of {url}:",
        f"  {head[:7]} more memory",
        f"Argo CD syncs {head[:7]}; `cartwright status` shows how far it is",
    ]


def test_a_remote_that_is_not_ahead_gets_the_commits_as_they_are(pair: Pair) -> None:
    made = commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    (pair.clone / "memory.yaml").write_text("memory: 3\n")
    pair.push()
    assert pair.head() == made == pair.remote.head()
    assert pair.said[0].startswith("Pushed 1 commit to main of ")
    assert pair.said[-1] == "1 uncommitted file not included: commit, then `cartwright push` again"
    assert (pair.clone / "memory.yaml").read_text() == "memory: 3\n"


def test_nothing_to_push_is_said(pair: Pair) -> None:
    pair.push()
    assert pair.said == [f"Nothing to push: main of {pair.remote.url} is at {pair.head()[:7]}"]


def test_a_clone_with_nothing_of_its_own_gets_what_the_remote_has(pair: Pair) -> None:
    recorded = pair.record()
    pair.push()
    assert pair.head() == recorded
    assert pair.said[2:] == [
        f"main is at {recorded[:7]} now",
        f"Nothing to push: main of {pair.remote.url} is at {recorded[:7]}",
    ]


def test_the_next_up_finds_the_branch_in_the_remote_and_leaves_it(pair: Pair) -> None:
    pair.record()
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    pair.push()
    pushed = pair.remote.head()
    assert pair.remote.push(pair.clone, include_uncommitted=False, keep=True) == pushed
    newer = pair.record(text="digest: 2\n", message="dev orders 3")
    assert pair.remote.push(pair.clone, include_uncommitted=False, keep=True) == newer


def test_another_branch_than_main_is_pushed_to_main(pair: Pair) -> None:
    pair.record()
    git(pair.clone, "switch", "--quiet", "--create", "memory")
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    pair.push()
    assert git(pair.clone, "symbolic-ref", "--short", "HEAD") == "memory"
    assert pair.subjects()[-2:] == ["dev orders 2", "more memory"]


def test_a_commit_that_the_remote_has_already_is_left_out(pair: Pair) -> None:
    pair.record("memory.yaml", "memory: 2\n", "more memory")
    pair.record()
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory, too")
    pair.push()
    assert pair.subjects() == ["first", "more memory", "dev orders 2"]
    assert pair.said[3].endswith("; 1 commit left out, the remote has the same")


def test_a_conflict_takes_the_rebase_back_and_names_the_file(pair: Pair) -> None:
    pair.record("memory.yaml", "memory: 8\n")
    commit(pair.clone, "other.yaml", "other: 1\n", "fits")
    made = commit(pair.clone, "memory.yaml", "memory: 2\n", "does not")
    (pair.clone / "untracked.yaml").write_text("mine: 1\n")
    said = pair.refused(Blocked)
    assert said == (
        f"memory.yaml: {made[:7]} conflicts with the remote; nothing is pushed, main is unchanged "
        f"(`git pull --rebase {pair.remote.url} main` stops for you to resolve it, then push again)"
    )
    assert not (pair.clone / ".git" / "rebase-merge").exists()


def test_an_interrupted_rebase_is_taken_back(pair: Pair, tmp_path: Path) -> None:
    pair.record()
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    # Stands for a rebase that hangs, while it signs its commit, until a person ends it.
    signer = tmp_path / "signer"
    signer.write_text(f"#!/bin/sh\nkill -INT {os.getpid()}\nexec sleep 60\n")
    signer.chmod(0o755)
    git(pair.clone, "config", "gpg.program", str(signer))
    git(pair.clone, "config", "commit.gpgSign", "true")
    before = pair.head()
    # Whoever starts the tests in the background of a shell has them ignore the signal.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            pair.push()
    finally:
        signal.signal(signal.SIGINT, handler)
    assert pair.head() == before
    assert git(pair.clone, "status", "--porcelain", "--branch") == "## main"


def test_settings_and_hooks_of_a_person_take_no_part(pair: Pair) -> None:
    hooks = pair.clone / ".git" / "own-hooks"
    hooks.mkdir()
    for name in ("pre-rebase", "pre-push", "post-rewrite", "post-checkout", "commit-msg"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    pair.record()
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    for setting in (
        "core.hooksPath=.git/own-hooks",
        "core.editor=false",
        "rebase.autoStash=true",
        "rebase.backend=apply",
    ):
        git(pair.clone, "config", *setting.split("="))
    pair.push()
    assert pair.subjects()[-1] == "more memory"


@pytest.mark.parametrize("staged", [False, True])
def test_uncommitted_changes_are_refused_and_stay(pair: Pair, staged: bool) -> None:
    pair.record()
    commit(pair.clone, "other.yaml", "other: 1\n", "mine")
    (pair.clone / "memory.yaml").write_text("memory: 2\n")
    if staged:
        git(pair.clone, "add", "memory.yaml")
    assert pair.refused(UserError) == (
        "the remote is ahead, and 1 file with uncommitted changes would be in the way "
        "(`git commit` or `git stash` them first; nothing is pushed)"
    )
    assert UserError.exit_code == 2


def test_an_untracked_file_of_the_same_name_is_named_and_kept(pair: Pair) -> None:
    pair.record()
    commit(pair.clone, "other.yaml", "other: 1\n", "mine")
    (pair.clone / "image.yaml").write_text("mine: 1\n")
    assert pair.refused(UserError) == (
        "image.yaml: the remote has this file too, and yours is not committed "
        "(move it away, or commit it; nothing is pushed)"
    )
    assert (pair.clone / "image.yaml").read_text() == "mine: 1\n"


def test_a_merge_is_not_flattened(pair: Pair) -> None:
    pair.record()
    git(pair.clone, "switch", "--quiet", "--create", "side")
    commit(pair.clone, "side.yaml", "side: 1\n", "side")
    git(pair.clone, "switch", "--quiet", "main")
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    git(pair.clone, "merge", "--quiet", "--no-edit", "side")
    said = pair.refused(Blocked)
    assert said.startswith(f"main has the merge {pair.head()[:7]}, which a rebase would undo")
    git(pair.clone, "pull", "--quiet", "--no-rebase", "--no-edit", pair.remote.url, "main")
    pair.push()
    assert pair.remote.head() == pair.head()


def test_no_branch_is_refused(pair: Pair) -> None:
    git(pair.clone, "switch", "--quiet", "--detach")
    assert pair.refused(UserError).startswith("HEAD is on no branch (`git switch`")


def test_uncommitted_changes_that_up_put_there_never_enter_the_clone(pair: Pair) -> None:
    (pair.clone / "memory.yaml").write_text("memory: 2\n")
    stand_in = pair.remote.push(pair.clone, include_uncommitted=True)
    pair.record()
    commit(pair.clone, "memory.yaml", "memory: 3\n", "more memory")
    said = pair.refused(Blocked)
    assert said.startswith(f"{stand_in[:7]} in the remote holds changes that `up --include-uncommitted` put there")
    # `up` then does what the message says: it goes back to HEAD, and records images anew.
    assert pair.remote.push(pair.clone, include_uncommitted=False, keep=True) == pair.head()


def test_up_drops_them_where_they_were_never_committed(pair: Pair) -> None:
    (pair.clone / "memory.yaml").write_text("memory: 2\n")
    pair.remote.push(pair.clone, include_uncommitted=True)
    pair.record()
    git(pair.clone, "restore", "memory.yaml")
    assert pair.remote.push(pair.clone, include_uncommitted=False, keep=True) == pair.head()


def test_another_repository_than_the_remotes_is_told_so(pair: Pair) -> None:
    git(pair.clone, "switch", "--quiet", "--orphan", "anew")
    commit(pair.clone, "memory.yaml", "memory: 1\n", "anew")
    said = pair.refused(Blocked)
    assert said == f"anew and main of {pair.remote.url} share no commit; `cartwright up` puts anew in its place"


def racing(pair: Pair, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the remote move on between the rebase and the push, so many times."""
    advance, left = Remote.advance, list(range(times))

    def late(self: Remote, root: Path, made: str, *, expected: str) -> bool:
        if left:
            pair.record(text=f"digest: 1{left.pop()}\n", message=f"race {len(left)}")
        return advance(self, root, made, expected=expected)

    monkeypatch.setattr(Remote, "advance", late)


def test_a_remote_that_moves_on_in_between_is_met_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    racing(pair, monkeypatch, 2)
    pair.push()
    assert pair.subjects() == ["first", "race 1", "race 0", "more memory"]
    assert pair.said.count("main of the remote moved on meanwhile; trying again") == 2


def test_a_remote_that_always_moves_on_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    racing(pair, monkeypatch, 100)
    with pytest.raises(Blocked, match=r"gave up after 5 attempts: main keeps moving; run `cartwright push` again$"):
        pair.push()
    assert "more memory" not in pair.subjects()


def test_a_remote_that_refuses_is_no_race(pair: Pair) -> None:
    hook = pair.remote.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho full\nexit 1\n")
    hook.chmod(0o755)
    made = commit(pair.clone, "memory.yaml", "memory: 2\n", "more memory")
    assert "the push is refused: git ended with code 1: remote: full" in pair.refused(Blocked)
    assert pair.head() == made
    assert pair.said == []


def test_no_cluster_is_one_line(pair: Pair) -> None:
    pair.layout.state_file.unlink()
    assert pair.refused(ClusterError) == "the embedded cluster does not run; `cartwright up` starts it"


def test_no_remote_is_one_line(pair: Pair) -> None:
    pair.remote.path.rename(pair.layout.root / "away")
    with pytest.raises(ClusterError, match=r"remote\.git: has no branch main; `cartwright up` makes it$"):
        pair.push()


def test_a_remote_without_a_commit_is_one_line(pair: Pair) -> None:
    git(pair.remote.path, "update-ref", "-d", "refs/heads/main")
    assert pair.refused(ClusterError).endswith("has no branch main; `cartwright up` makes it")


def test_up_and_push_exclude_each_other(pair: Pair) -> None:
    with exclusive(pair.layout):
        assert pair.refused(ClusterError).startswith("another `cartwright up`, `down` or `push` (pid ")


def test_the_command_ends_with_the_code_that_its_help_names(pair: Pair) -> None:
    (pair.clone / "argocd").mkdir()
    (pair.clone / "argocd" / "root.yaml").touch()  # what a repository is known by
    variables = {**os.environ, "CARTWRIGHT_STATE": str(pair.layout.root)}

    def command() -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "cartwright", "push"]
        return subprocess.run(words, cwd=pair.clone, env=variables, capture_output=True, text=True, check=False)

    pair.record("memory.yaml", "memory: 8\n")
    commit(pair.clone, "memory.yaml", "memory: 2\n", "mine")
    done = command()
    assert done.returncode == 1
    assert done.stdout.startswith("The remote has 1 commit that this clone lacks:\n  ")
    assert done.stderr.startswith("error: memory.yaml: ")
    assert done.stderr.count("\n") == 1
    git(pair.clone, "reset", "--quiet", "--hard", "HEAD^")
    assert command().returncode == 0
    pair.layout.state_file.unlink()
    done = command()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the embedded cluster does not run; `cartwright up` starts it\n"
