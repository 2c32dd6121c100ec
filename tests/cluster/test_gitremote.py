"""The bare remote, and that a push of uncommitted changes touches nothing of the person's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cartwright.cluster.gitremote import Remote, check_out, uncommitted
from cartwright.cluster.state import Layout
from cartwright.kernel.errors import UserError
from tests.cluster.sandbox import until

pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / ".gitignore").write_text("ignored/\n")
    (root / "kept.yaml").write_text("a: 1\n")
    (root / "gone.yaml").write_text("b: 1\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=first")
    return root


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.open(Layout(tmp_path))


def change(root: Path) -> None:
    """One file of every sort: changed, staged, new, deleted, ignored."""
    (root / "kept.yaml").write_text("a: 2\n")
    (root / "staged.yaml").write_text("c: 1\n")
    git(root, "add", "staged.yaml")
    (root / "new.yaml").write_text("d: 1\n")
    (root / "gone.yaml").unlink()
    (root / "ignored").mkdir()
    (root / "ignored" / "secret.yaml").write_text("e: 1\n")


def files_at(remote: Remote, commit: str) -> dict[str, str]:
    names = git(remote.path, "ls-tree", "-r", "--name-only", commit).splitlines()
    return {name: git(remote.path, "show", f"{commit}:{name}") for name in names}


def test_head_is_pushed_and_uncommitted_changes_are_not(repository: Path, remote: Remote) -> None:
    change(repository)
    commit = remote.push(repository, include_uncommitted=False)
    assert commit == git(repository, "rev-parse", "HEAD") == remote.head()
    assert files_at(remote, commit) == {".gitignore": "ignored/", "kept.yaml": "a: 1", "gone.yaml": "b: 1"}


def test_uncommitted_changes_go_to_the_remote_alone(repository: Path, remote: Remote) -> None:
    change(repository)
    head, index = git(repository, "rev-parse", "HEAD"), (repository / ".git" / "index").read_bytes()
    status, objects = git(repository, "status", "--porcelain"), git(repository, "count-objects")
    commit = remote.push(repository, include_uncommitted=True)
    assert files_at(remote, commit) == {
        ".gitignore": "ignored/",
        "kept.yaml": "a: 2",
        "staged.yaml": "c: 1",
        "new.yaml": "d: 1",
    }
    assert remote.head() == commit
    assert git(remote.path, "rev-parse", f"{commit}^") == head
    assert git(repository, "rev-parse", "HEAD") == head
    assert (repository / ".git" / "index").read_bytes() == index
    assert git(repository, "status", "--porcelain") == status
    assert git(repository, "count-objects") == objects


def test_the_same_uncommitted_changes_make_no_second_commit(repository: Path, remote: Remote) -> None:
    change(repository)
    first = remote.push(repository, include_uncommitted=True)
    assert remote.push(repository, include_uncommitted=True) == first


def test_including_nothing_pushes_head(repository: Path, remote: Remote) -> None:
    assert remote.push(repository, include_uncommitted=True) == git(repository, "rev-parse", "HEAD")


def test_the_next_up_without_them_goes_back_to_head(repository: Path, remote: Remote) -> None:
    change(repository)
    remote.push(repository, include_uncommitted=True)
    assert remote.push(repository, include_uncommitted=False) == remote.head() == git(repository, "rev-parse", "HEAD")


def test_files_that_differ_are_counted(repository: Path) -> None:
    assert uncommitted(repository) == 0
    change(repository)
    assert uncommitted(repository) == 4


def test_a_repository_without_a_commit_says_what_to_do(tmp_path: Path, remote: Remote) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    git(root, "init", "--quiet")
    with pytest.raises(UserError, match=r"^the repository has no commit yet \(`git add --all && git commit` first\)$"):
        remote.push(root, include_uncommitted=False)


def test_a_folder_that_is_no_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a Git repository \(`git init`, then commit\)$"):
        uncommitted(tmp_path)


def test_a_push_asks_for_a_refresh_and_again_of_those_that_missed_it(
    repository: Path, remote: Remote, tmp_path: Path
) -> None:
    calls, stale = tmp_path / "calls", tmp_path / "stale"
    kubectl = tmp_path / "kubectl with a space"
    # Stands for kubectl: the first question finds one Application behind, the second one none.
    kubectl.write_text(
        f'#!/bin/sh\necho "$@" >> "{calls}"\ncase "$*" in *jsonpath*) cat "{stale}"; : > "{stale}";; esac\n'
    )
    kubectl.chmod(0o755)
    stale.write_text("dev-shop-catalog ")
    remote.install_hook(kubectl=kubectl, kubeconfig=tmp_path / "config")
    remote.push(repository, include_uncommitted=False)

    def lines() -> list[str]:
        return calls.read_text().splitlines() if calls.is_file() else []

    assert until(lambda: sum("jsonpath" in line for line in lines()) == 2, seconds=30)
    refreshes = [line for line in lines() if " annotate " in line]
    assert any(line.endswith("application-set-refresh=true") and "--all" in line for line in refreshes)
    assert any(line.endswith("applications.argoproj.io --all argocd.argoproj.io/refresh=normal") for line in refreshes)
    assert [
        line
        for line in refreshes
        if line.endswith("applications.argoproj.io dev-shop-catalog argocd.argoproj.io/refresh=normal")
    ]
    assert len(refreshes) == 3


def test_a_check_out_holds_what_is_committed_and_leaves_the_repository_alone(repository: Path, tmp_path: Path) -> None:
    change(repository)
    before = git(repository, "status", "--porcelain")
    target = check_out(repository, tmp_path / "sources")
    assert sorted(path.name for path in target.iterdir()) == [".git", ".gitignore", "gone.yaml", "kept.yaml"]
    assert (target / "kept.yaml").read_text() == "a: 1\n"
    assert git(target, "status", "--porcelain") == ""
    assert git(repository, "status", "--porcelain") == before
    assert len(git(repository, "worktree", "list").splitlines()) == 1
