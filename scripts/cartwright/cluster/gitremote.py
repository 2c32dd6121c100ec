"""The bare Git repository that the embedded Argo CD syncs from, and what is pushed to it."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cartwright.cluster.identities import ARGOCD_NAMESPACE
from cartwright.cluster.state import Layout
from cartwright.kernel.atomic import write_text
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.run import run

__all__ = ["BRANCH", "Remote", "check_out", "head_of", "uncommitted", "work_tree_commit"]

BRANCH = "main"
"""The branch that manifests name as their target revision."""

_REF = f"refs/heads/{BRANCH}"
_STAGE = "refs/heads/cartwright-stage"
"""Where commits wait until they are to be brought about together."""

_WORK_TREE_AUTHOR = ("cartwright", "cartwright@localhost")
_WORK_TREE_SUBJECT = "Uncommitted changes of the work tree"

_OWN_CONFIGURATION = {
    # A hook or template of the person's own must not run here, and the mirrors' settings are not wanted either.
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",
}

_HOOK = """\
#!/bin/sh
# Written by `cartwright up`: asks Argo CD to look at the new commit at once.
# A push succeeds even while the cluster is down, and does not wait.
grep -q ' @REF@$' || exit 0
exec > post-receive.log 2>&1 </dev/null
kubectl() { @KUBECTL@ "$@"; }
commit=$(git rev-parse @REF@)
refresh() { kubectl annotate --overwrite applications.argoproj.io "$@" argocd.argoproj.io/refresh=normal; }
behind="{range .items[?(@.status.sync.revision!='$commit')]}{.metadata.name} {end}"
kubectl annotate --overwrite --all applicationsets.argoproj.io argocd.argoproj.io/application-set-refresh=true &
{
  refresh --all
  # A refresh that is under way for the commit before swallows the request for this one: ask those again.
  for _ in 1 2 3 4 5 6; do
    sleep 4
    [ "$(git rev-parse @REF@)" = "$commit" ] || exit  # a newer push has its own hook
    stale=$(kubectl get applications.argoproj.io -o "jsonpath=$behind") || continue
    echo "$commit is awaited by: $stale"
    [ -n "$stale" ] || exit
    refresh $stale
  done
} &
"""


@dataclass(frozen=True)
class Remote:
    """The bare remote of one embedded cluster."""

    path: Path
    """Where it is."""

    @property
    def url(self) -> str:
        """What Argo CD, and ``git push``, call it."""
        return self.path.as_uri()

    @classmethod
    def open(cls, layout: Layout) -> Remote:
        """The remote, made first where it is missing or half made."""
        remote = cls(layout.remote)
        if not (layout.remote / "HEAD").is_file():
            run(["git", "init", "--quiet", "--bare", "--initial-branch=main", layout.remote], env=_OWN_CONFIGURATION)
        return remote

    def install_hook(self, *, kubectl: Path, kubeconfig: Path) -> None:
        """Make every push ask Argo CD to look at once, rather than at its next round.

        In production a webhook does the same.
        """
        hook = self.path / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        command = f"{shlex.quote(str(kubectl))} --kubeconfig={shlex.quote(str(kubeconfig))} --request-timeout=10s"
        text = _HOOK.replace("@KUBECTL@", f"{command} --namespace={ARGOCD_NAMESPACE}").replace("@REF@", _REF)
        write_text(hook, text, mode=0o755)

    def head(self) -> str | None:
        """The commit that Argo CD is to bring about; None before the first push."""
        done = run(["git", "rev-parse", "--verify", "--quiet", _REF], cwd=self.path, accept=(0, 1, 128))
        return done.stdout.strip() or None

    @contextmanager
    def staged(self, commit: str) -> Iterator[str]:
        """A branch that begins at a commit. In the end all that landed on it is put before Argo CD by one push."""
        run(["git", "update-ref", _STAGE, commit], cwd=self.path)
        yield _STAGE
        staged = run(["git", "rev-parse", _STAGE], cwd=self.path).stdout.strip()
        run(["git", "update-ref", "-d", _STAGE], cwd=self.path)
        if staged != self.head():
            self._land(staged)

    def push(self, root: Path, *, include_uncommitted: bool, keep: bool = False) -> str:
        """Make the repository's HEAD what Argo CD is to bring about; returns the commit.

        Args:
            root: the repository.
            include_uncommitted: put the work tree's changes into one more commit, in the remote only: index, HEAD and
                work tree of the repository stay as they are.
            keep: leave the branch as it is where it holds this HEAD and more: digests of this machine's own images.
                Uncommitted changes of an earlier call do not count: the branch goes back to HEAD.

        Raises:
            UserError: the repository has no commit yet.
            ToolError: Git fails.
        """
        commit = head_of(root)
        if not commit:
            raise UserError("the repository has no commit yet", hint="`git add --all && git commit` first")
        # The objects first, under a name that Argo CD does not follow.
        run(["git", "push", "--quiet", "--force", self.path, f"{commit}:refs/cartwright/head"], cwd=root)
        if include_uncommitted and uncommitted(root):
            commit = self._commit_work_tree(root, parent=commit)
        head = self.head()
        if head == commit:
            return commit
        if keep:
            # Nothing is brought about yet: the images come first, and Argo CD sees one change.
            return head if head and head != commit and self._holds(head, commit) else commit
        self._land(commit)
        return commit

    def advance(self, root: Path, commit: str, *, expected: str) -> bool:
        """Push a commit of a repository to the branch, if that is still where it was; tells whether it was.

        Args:
            root: the repository.
            commit: what the branch is to be at; it holds ``expected``.
            expected: where the branch was last seen.

        Raises:
            ToolError: Git fails, and the branch has not moved.
        """
        try:
            run(
                [
                    *("git", "push", "--quiet", "--no-verify", "--no-follow-tags", "--no-signed"),
                    *("--recurse-submodules=no", f"--force-with-lease={_REF}:{expected}"),
                    *(self.path, f"{commit}:{_REF}"),
                ],
                cwd=root,
                env=_OWN_CONFIGURATION,
            )
        except ToolError:
            if self.head() == expected:
                raise
            return False
        return True

    def _holds(self, head: str, commit: str) -> bool:
        done = run(["git", "merge-base", "--is-ancestor", commit, head], cwd=self.path, accept=(0, 1))
        return done.returncode == 0 and work_tree_commit(self.path, since=commit, head=head) is None

    def _land(self, commit: str) -> None:
        """Move the branch by a push: only pushes run the hook."""
        run(
            ["git", "push", "--quiet", "--force", self.path, f"{commit}:{_REF}"],
            cwd=self.path,
            env=_OWN_CONFIGURATION,
        )

    def _commit_work_tree(self, root: Path, *, parent: str) -> str:
        """A commit of the work tree as it is, ignored files left out, written into the remote's objects alone."""
        with tempfile.TemporaryDirectory(prefix="cartwright-index-") as side:
            variables = {
                "GIT_DIR": str(self.path),
                "GIT_WORK_TREE": str(root),
                "GIT_INDEX_FILE": str(Path(side) / "index"),
                "GIT_AUTHOR_NAME": _WORK_TREE_AUTHOR[0],
                "GIT_AUTHOR_EMAIL": _WORK_TREE_AUTHOR[1],
                "GIT_COMMITTER_NAME": "cartwright",
                "GIT_COMMITTER_EMAIL": "cartwright@localhost",
            }
            run(["git", "-c", "core.bare=false", "read-tree", parent], cwd=root, env=variables)
            run(["git", "-c", "core.bare=false", "add", "--all"], cwd=root, env=variables)
            tree = run(["git", "-c", "core.bare=false", "write-tree"], cwd=root, env=variables).stdout.strip()
            current = run(["git", "rev-parse", f"{self.head() or parent}^{{tree}}"], cwd=self.path).stdout.strip()
            head = self.head()
            if tree == current and head:
                return head  # the same changes as last time: no new commit
            words = ["git", "commit-tree", tree, "-p", parent, "-m", _WORK_TREE_SUBJECT]
            done = run(words, cwd=self.path, env=variables)
            return done.stdout.strip()


def head_of(root: Path) -> str:
    """The commit of the repository's HEAD; empty before the first one."""
    done = run(["git", "rev-parse", "--verify", "--quiet", "HEAD^{commit}"], cwd=root, accept=(0, 1, 128))
    return done.stdout.strip()


def check_out(root: Path, target: Path) -> Path:
    """A clone of the repository with HEAD checked out and nothing else; returns ``target``.

    Objects stay where they are. The repository itself, its index and list of work trees are left alone.

    Raises:
        ToolError: Git fails.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["git", "clone", "--quiet", "--shared", "--no-checkout", root, target], env=_OWN_CONFIGURATION)
    run(["git", "checkout", "--quiet", "--detach", head_of(root)], cwd=target, env=_OWN_CONFIGURATION)
    return target


def uncommitted(root: Path) -> int:
    """How many files of the work tree differ from HEAD, new ones included.

    Raises:
        UserError: ``root`` is not in a Git repository.
    """
    try:
        done = run(["git", "status", "--porcelain", "--untracked-files=all"], cwd=root, env=_no_lock())
    except ToolError as error:
        raise UserError("not a Git repository", file=root, hint="`git init`, then commit") from error
    return len(done.stdout.splitlines())


def work_tree_commit(repository: Path, *, since: str, head: str) -> str | None:
    """The commit between two others that holds no more than a work tree's uncommitted changes; None where none does.

    Only ``up --include-uncommitted`` makes such commits. They stand for a moment and belong in nobody's history.
    """
    name, address = _WORK_TREE_AUTHOR
    done = run(
        [
            *("git", "rev-list", "--max-count=1", "--fixed-strings", "--all-match"),
            *(f"--author={name} <{address}>", f"--grep={_WORK_TREE_SUBJECT}", f"{since}..{head}"),
        ],
        cwd=repository,
    )
    return done.stdout.strip() or None


def _no_lock() -> dict[str, str]:
    """Looking must not write the index, which a commit may hold at the same time."""
    return {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8")}
