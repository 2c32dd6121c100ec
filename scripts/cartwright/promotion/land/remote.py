"""Putting a commit on a branch of a remote, from any clone: shallow, with a dirty work tree, on whatever branch.

Only Git's objects are used: no branch, index or file of the clone changes. The push names the commit that the plan was
made from, and the remote takes it only if its branch is still there (a lease), so nothing of others is ever lost and
history stays a line.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import tenacity

from cartwright.history.git import Head, git, git_file, has_commit
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.run import Completed, run
from cartwright.promotion.land.locks import LockedError, find_lock, wait_for_lock
from cartwright.promotion.land.moved import BranchMovedError

__all__ = ["Remote", "pick_remote"]

_SECONDS = 120
_ENV = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
_STALE = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to lock|failed to update ref|incorrect old value"
    r"|reference already exists|remote ref updated since checkout|is at [0-9a-f]+ but expected"
)
"""How remotes say that their branch has moved, or is being moved."""
_PROTECTED = re.compile(
    r"GH006: [^;]*|GH013: [^;]*(?=;.*(?:through a pull request|through the merge queue|status check))"
    r"|GitLab: You are not allowed to push code to protected branches[^;]*"
)
"""How GitHub (by branch protection, or a ruleset that a request can satisfy) and GitLab refuse a push to a branch."""
_UNREACHABLE_ATTEMPTS = 3


@dataclass(frozen=True)
class Remote:
    """A branch of a remote."""

    root: Path
    """The clone."""
    remote: str
    """The remote's name or URL."""
    branch: str
    """Full name: ``refs/heads/main``."""
    _asked: list[Future[str]] = field(default_factory=list, repr=False, compare=False)
    """The answer that :meth:`ask_ahead` waits for, until it is taken."""

    def name(self, head: Head) -> str:
        """``main of origin``."""
        return f"{head.short_branch} of {self.remote}"

    @contextmanager
    def prepared(self) -> Iterator[Path]:
        """A folder for files that are made on the way.

        Raises:
            UserError: the clone's Git folder can't be written to.
        """
        folder = git_file(self.root, "cartwright")
        try:
            folder.mkdir(exist_ok=True)
            _remove_leftovers(folder)
            side = Path(tempfile.mkdtemp(prefix=f"push-{os.getpid()}-", dir=folder))
        except OSError as error:
            raise UserError(f"{error.strerror}; nothing was promoted", file=folder) from error
        try:
            yield side
        finally:
            shutil.rmtree(side, ignore_errors=True)

    def ask_ahead(self) -> None:
        """Ask for the newest commit while this process loads what it needs next; :meth:`head` takes the answer.

        A connection takes as long as loading the rest. An answer that is old by then loses the race like any other.
        """
        pool = ThreadPoolExecutor(max_workers=1)
        self._asked.append(pool.submit(self._newest))
        pool.shutdown(wait=False)

    def head(self) -> Head:
        """The branch's newest commit, with its history.

        Raises:
            UserError: no such remote or branch.
            ToolError: the remote can't be reached.
        """
        commit = self._asked.pop().result() if self._asked else self._newest()
        shallow = git_file(self.root, "shallow").exists()
        known = has_commit(self.root, commit)
        if shallow or not known:
            # Gates ask since when something has run, which the cut-off history of a shallow clone can't tell.
            self._fetch(["--unshallow"] if shallow else [])
            if not has_commit(self.root, commit):
                raise BranchMovedError  # rewritten between the two looks
        return Head(branch=self.branch, commit=commit)

    def require(self, head: Head, paths: list[str]) -> None:
        """Nothing of the clone stands in the way of a push."""

    def land(self, _folder: Path, /, *, head: Head, commit: str, **_: object) -> None:
        """Push the commit.

        Raises:
            BranchMovedError: the branch is not at ``head`` any more; nothing has happened.
            LockedError: a lock file of the remote's Git does not go.
            UserError: the branch is protected, and takes requests only.
            ToolError: the remote refuses, with its words; or can't be reached.
        """
        said = self._push(head, commit, expected=head.commit)
        if said is None:
            return
        protected = _PROTECTED.search(said)
        if protected:
            raise UserError(
                f"{self.name(head)} is protected, nothing was promoted: {protected[0].strip()}",
                hint="open a request with --pr in place of --push",
            )
        raise ToolError(f"{self.remote}: refuses the push, nothing was promoted: {said}")

    def _push(self, head: Head, commit: str, *, expected: str) -> str | None:
        """Push a commit, and return why the remote refuses it; None where it took it. A lock is waited for."""
        return wait_for_lock(lambda: self._push_once(head, commit, expected=expected))

    def _push_once(self, head: Head, commit: str, *, expected: str) -> str | None:
        done = self._git(
            *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"),
            *(f"--force-with-lease={self.branch}:{expected}", "--", self.remote, f"{commit}:{self.branch}"),
        )
        if done.returncode == 0:
            return None
        said = _words(done)
        rejected = next((line for line in done.stdout.splitlines() if line.startswith("!")), None)
        if rejected is None:
            # The connection may have been lost after the branch moved: the next look at it tells.
            if (self.newest_or_none() or "") != expected:
                raise BranchMovedError
            raise ToolError(f"{self.remote}: can't be pushed to, nothing was promoted: {said}")
        lock = find_lock(done.stderr)
        # A push that holds the lock moves the branch: then the plan is old.
        if lock and (self.newest_or_none() or "") == expected:
            raise LockedError(f"locks {self.name(head)}; nothing was promoted", file=lock, there=" there")
        if _STALE.search(rejected) or ("remote rejected" not in rejected and _STALE.search(said)):
            raise BranchMovedError
        return said

    def newest_or_none(self) -> str | None:
        """The branch's newest commit as the remote names it; None where there is no such branch."""
        listed = self._patiently("ls-remote", "--exit-code", "--", self.remote, self.branch).stdout
        # A pattern also fits references that end like the branch.
        found = (line.split("\t") for line in listed.splitlines())
        return next((commit for commit, name in found if name == self.branch), None)

    def fetch(self, commit: str) -> None:
        """Have a commit of this branch in the clone, its parent too."""
        if not has_commit(self.root, f"{commit}^"):
            self._fetch([])

    def replace(self, commit: str, *, expected: str | None) -> None:
        """Put a commit on a branch of our own, whatever it is based on.

        Raises:
            BranchMovedError: the branch is not at ``expected`` any more.
            ToolError: the remote refuses, with its words; or can't be reached.
        """
        head = Head(branch=self.branch, commit=expected or "")
        said = self._push(head, commit, expected=head.commit)
        if said is not None:
            branch = self.branch.removeprefix("refs/heads/")
            raise ToolError(f"{self.remote}: refuses the branch {branch}, nothing was promoted: {said}")

    def contains(self, head: Head, commit: str) -> bool:
        """Whether a commit is on the branch: a push whose answer was lost may have landed."""
        done = git(self.root, "merge-base", "--is-ancestor", commit, head.commit, accept=(0, 1, 128))
        return done.returncode == 0

    def _newest(self) -> str:
        commit = self.newest_or_none()
        if commit is None:
            raise UserError(f"{self.remote} has no branch '{self.branch.removeprefix('refs/heads/')}'")
        return commit

    def _fetch(self, options: list[str]) -> None:
        # Into no reference of ours: several runs may share the clone. `--refmap=` keeps the tracking branches still.
        done = self._git(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap="),
            *("--recurse-submodules=no", *options, "--", self.remote, self.branch),
        )
        if done.returncode and options:
            self._fetch([])  # another run has fetched the rest meanwhile
        elif done.returncode:
            raise ToolError(f"{self.remote}: can't be fetched from, nothing was promoted: {_words(done)}")

    def _patiently(self, *words: str) -> Completed:
        """Run git against the remote; a network may fail for a moment."""
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ToolError),
            stop=tenacity.stop_after_attempt(_UNREACHABLE_ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        ):
            with attempt:
                try:
                    return self._git(*words, accept=(0, 2))
                except ToolError as error:
                    if attempt.retry_state.attempt_number < _UNREACHABLE_ATTEMPTS:
                        raise
                    said = str(error).partition(": ")[2]
                    raise ToolError(
                        f"{self.remote}: can't be reached, nothing was promoted: {' '.join(said.split())}"
                    ) from error
        raise AssertionError

    def _git(self, *words: str, accept: tuple[int, ...] = (0, 1, 128)) -> Completed:
        return run(["git", *words], cwd=self.root, env=_ENV, accept=accept, timeout=_SECONDS)


def pick_remote(root: Path, *, name: str | None, branch: str | None) -> Remote:
    """The remote and branch that are meant.

    Args:
        name: a remote or a URL; by default the one that the current branch follows, else ``origin``.
        branch: by default the one that the current branch follows, else the one of its name.

    Raises:
        UserError: there is no such remote, or HEAD is on no branch and none is named.
    """
    current = git(root, "symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1)).stdout.strip()
    settings = _settings(root)
    if name is None:
        name = settings.get(f"branch.{current}.remote", "")
        name = name if name and name != "." else "origin"
    remotes = list(dict.fromkeys(key[7:].rpartition(".")[0] for key in settings if key.startswith("remote.")))
    if name not in remotes and "/" not in name and ":" not in name:
        raise UserError(f"no remote '{name}'", hint=f"known: {', '.join(remotes)}" if remotes else "there is none")
    if branch is None:
        if not current:
            raise UserError("HEAD is on no branch", hint="name the branch: --branch main")
        followed = settings.get(f"branch.{current}.merge")
        return Remote(root=root, remote=name, branch=followed or f"refs/heads/{current}")
    full = branch if branch.startswith("refs/heads/") else f"refs/heads/{branch}"
    if git(root, "check-ref-format", full, accept=(0, 1)).returncode:
        raise UserError(f"'{branch}' is not a branch name")
    return Remote(root=root, remote=name, branch=full)


def _settings(root: Path) -> dict[str, str]:
    """What Git's configuration says of branches and remotes; of a key that stands twice, the last value."""
    listed = git(root, "config", "--null", "--get-regexp", r"^(branch|remote)\.", accept=(0, 1)).stdout
    pairs = (entry.partition("\n") for entry in listed.split("\0") if entry)
    return {key: value for key, _, value in pairs}


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed runs left; those that still work keep theirs."""
    for left in folder.glob("push-*"):
        import psutil

        if not psutil.pid_exists(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)


def _words(done: Completed) -> str:
    """What git and the remote's hooks said, on one line."""
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines()]
    said = [
        line.removeprefix("remote: ").removeprefix("error: ").removeprefix("fatal: ")
        for line in lines
        if line and not line.startswith(("To ", "Done", "error: failed to push", "hint:", "warning:"))
    ]
    return "; ".join(dict.fromkeys(" ".join(line.removeprefix("!").split()) for line in said if line.strip()))
