"""A person's commits on their way to the embedded cluster's remote, which may be ahead of the clone.

``up`` records the images that it built in the remote alone. So a clone's commits go on top of what the remote has, by a
rebase of the current branch that either ends or is taken back whole. ``up`` itself finds the branch's HEAD in the
remote afterwards, and leaves it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cartwright.cluster.gitremote import BRANCH, Remote, uncommitted, work_tree_commit
from cartwright.cluster.state import Layout, State, exclusive
from cartwright.history.git import Head, git, git_file, has_commit, identity, in_progress, read_head
from cartwright.kernel.errors import Blocked, ClusterError, ToolError, UserError
from cartwright.kernel.output import count
from cartwright.kernel.run import Completed, run

__all__ = ["push"]

_ATTEMPTS = 5
_SECONDS = 600

_SETTINGS = (
    # What a person has set for their own rebases must not change what this one does.
    *("core.hooksPath=/dev/null", "rebase.autoStash=false", "rebase.autoSquash=false", "rebase.updateRefs=false"),
    *("rebase.rebaseMerges=false", "rebase.missingCommitsCheck=ignore", "rerere.enabled=false"),
)
_ENVIRONMENT = {"LC_ALL": "C", "GIT_EDITOR": "true", "GIT_SEQUENCE_EDITOR": "true", "GIT_TERMINAL_PROMPT": "0"}


def push(root: Path, layout: Layout, *, say: Callable[[str], None]) -> None:
    """Rebase the current branch onto what the embedded remote has, and push it there.

    Args:
        root: the clone.
        layout: where the cluster's files are.
        say: told in lines what the remote has more, what was rebased and what was pushed.

    Raises:
        ClusterError: no cluster runs, it has no remote, or ``up`` or ``down`` works on it.
        UserError: the branch must move and can't: uncommitted changes, a merge that is not ended, or HEAD on no branch.
        Blocked: a conflict, or another reason why the commits can't go on top; branch and files are as they were. Or
            the remote refuses the push, or moved on each time; the branch is on top of what it had then.
        ToolError: Git fails.
    """
    State.of_running(layout)
    remote = Remote(layout.remote)
    left_out = uncommitted(root)
    with exclusive(layout):
        for _ in range(_ATTEMPTS):
            if _Attempt.begin(root, remote, say).end():
                break
            say(f"{BRANCH} of the remote moved on meanwhile; trying again")
        else:
            raise Blocked(
                f"{remote.url}: gave up after {_ATTEMPTS} attempts: {BRANCH} keeps moving; run `cartwright push` again"
            )
    if left_out:
        say(f"{count(left_out, 'uncommitted file')} not included: commit, then `cartwright push` again")


@dataclass(frozen=True)
class _Attempt:
    """One try: the remote's branch as it was seen once, and the clone's."""

    root: Path
    remote: Remote
    say: Callable[[str], None]
    theirs: str
    """The remote's commit."""
    ours: Head

    @classmethod
    def begin(cls, root: Path, remote: Remote, say: Callable[[str], None]) -> _Attempt:
        """Look at both sides, and refuse what no rebase can bring together."""
        theirs = remote.head() if remote.path.is_dir() else None
        if theirs is None:
            raise ClusterError(f"{remote.path}: has no branch {BRANCH}; `cartwright up` makes it")
        ours = read_head(root)
        if ours.branch is None:
            raise UserError("HEAD is on no branch", hint="`git switch` to the branch that you want to push")
        return cls(root=root, remote=remote, say=say, theirs=theirs, ours=ours)

    def end(self) -> bool:
        """Rebase and push; False where the remote has moved since :meth:`begin`."""
        if not self._fetch():
            return False
        more = self._log(self.ours.commit, self.theirs)
        commit = self.ours.commit
        if more:
            self.say(f"The remote has {count(len(more), 'commit')} that this clone lacks:")
            self._list(more)
            commit = self._rebase()
        sent = self._log(self.theirs, commit)
        if not sent:
            self.say(f"Nothing to push: {BRANCH} of {self.remote.url} is at {self.theirs[:7]}")
            return True
        try:
            if not self.remote.advance(self.root, commit, expected=self.theirs):
                return False
        except ToolError as error:
            raise Blocked(f"{self.remote.url}: the push is refused: {' '.join(str(error).split())}") from error
        self.say(f"Pushed {count(len(sent), 'commit')} to {BRANCH} of {self.remote.url}:")
        self._list(sent)
        self.say(f"Argo CD syncs {commit[:7]}; `cartwright status` shows how far it is")
        return True

    def _fetch(self) -> bool:
        # Into no reference of the person's: their tracking branches and FETCH_HEAD stay.
        run(
            [
                *("git", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"),
                *("--refmap=", "--recurse-submodules=no", self.remote.path, f"refs/heads/{BRANCH}"),
            ],
            cwd=self.root,
            env=_ENVIRONMENT,
        )
        # A branch that was replaced after the look at it may have left that commit behind.
        return has_commit(self.root, self.theirs)

    def _rebase(self) -> str:
        """Put the branch on top of the remote's; returns where it is then."""
        self._require_lasting()
        self._require_clean()
        own = self._log(self.theirs, self.ours.commit)
        if own:
            self._require_line()
            identity(self.root)
        try:
            done = self._git("rebase", "--quiet", "--merge", "--no-fork-point", "--empty=drop", self.theirs)
        except BaseException:
            # Out of time or interrupted: nothing may stay half done.
            self._abort()
            raise
        if done.returncode:
            self._explain(done)
        commit = read_head(self.root).commit
        kept = len(self._log(self.theirs, commit))
        name = self.ours.short_branch
        if not own:
            self.say(f"{name} is at {commit[:7]} now")
        else:
            dropped = f"; {count(len(own) - kept, 'commit')} left out, the remote has the same" * (kept < len(own))
            self.say(f"{name}: {count(kept, 'commit')} rebased onto {self.theirs[:7]}{dropped}")
        return commit

    def _require_clean(self) -> None:
        begun = in_progress(self.root)
        if begun:
            raise UserError(f"{begun} is in progress, and the remote is ahead", hint="end it first; nothing is pushed")
        done = git(self.root, "status", "--porcelain", "--untracked-files=no")
        changed = len(done.stdout.splitlines())
        if changed:
            raise UserError(
                f"the remote is ahead, and {count(changed, 'file')} with uncommitted changes would be in the way",
                hint="`git commit` or `git stash` them first; nothing is pushed",
            )

    def _require_lasting(self) -> None:
        """Refuse to take into the clone what was never meant to be in a history."""
        foreign = work_tree_commit(self.root, since=self.ours.commit, head=self.theirs)
        if foreign:
            raise Blocked(
                f"{foreign[:7]} in the remote holds changes that `up --include-uncommitted` put there; `cartwright up` "
                f"puts the commits of {self.ours.short_branch} in their place"
            )

    def _require_line(self) -> None:
        """Refuse where a rebase would make no sense, or quietly lose what a merge commit changed."""
        base = git(self.root, "merge-base", self.theirs, self.ours.commit, accept=(0, 1)).stdout.strip()
        name = self.ours.short_branch
        if not base:
            raise Blocked(
                f"{name} and {BRANCH} of {self.remote.url} share no commit; `cartwright up` puts {name} in its place"
            )
        merges = git(self.root, "rev-list", "--merges", f"{self.theirs}..{self.ours.commit}").stdout.split()
        if merges:
            raise Blocked(
                f"{name} has the merge {merges[0][:7]}, which a rebase would undo; merge the remote with "
                f"`git pull --no-rebase {self.remote.url} {BRANCH}`, then `cartwright push` again"
            )

    def _explain(self, done: Completed) -> None:
        """Take a rebase back that stopped, and say why it did."""
        listed = git(self.root, "diff", "--no-ext-diff", "--name-only", "--diff-filter=U", "-z").stdout
        files = ", ".join(name for name in listed.split("\0") if name)
        stopped = git(self.root, "log", "-1", "--format=%h", "REBASE_HEAD", accept=(0, 128)).stdout.strip()
        self._abort()
        name = self.ours.short_branch
        if files:
            raise Blocked(
                f"{files}: {stopped or name} conflicts with the remote; nothing is pushed, {name} is unchanged "
                f"(`git pull --rebase {self.remote.url} {BRANCH}` stops for you to resolve it, then push again)"
            )
        in_the_way = ", ".join(line.strip() for line in done.stderr.splitlines() if line.startswith("\t"))
        if in_the_way:
            raise UserError(
                "the remote has this file too, and yours is not committed",
                file=in_the_way,
                hint="move it away, or commit it; nothing is pushed",
            )
        words = " ".join((done.stderr or done.stdout).split())
        raise Blocked(f"{name} can't be rebased; it is unchanged and nothing is pushed: {words}")

    def _abort(self) -> None:
        if git_file(self.root, "rebase-merge").exists():
            done = self._git("rebase", "--abort")
            if done.returncode:
                raise ToolError(f"git rebase --abort: {' '.join(done.stderr.split())}")

    def _git(self, *words: str) -> Completed:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        return run(["git", *settings, *words], cwd=self.root, env=_ENVIRONMENT, accept=(0, 1, 128), timeout=_SECONDS)

    def _log(self, since: str, head: str) -> list[str]:
        """A line for each commit that one has and the other lacks, the oldest first."""
        words = ("log", "--reverse", "--no-show-signature", "--no-color", "--format=%h %s")
        return git(self.root, *words, f"{since}..{head}").stdout.splitlines()

    def _list(self, commits: list[str]) -> None:
        for line in commits:
            self.say(f"  {line}")
