"""Putting a commit on a branch of a remote, from any clone: shallow, with a dirty work tree, on whatever branch.

Only Git's objects are used: no branch, index or file of the clone changes. The push names the commit that the plan was
made from, and the remote takes it only if its branch is still there (a lease), so nothing of others is ever lost and
history stays a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tenacity

from cartwright.errors import Blocked, ToolError, UserError
from cartwright.promotion.git import Head, git, git_file
from cartwright.promotion.worktree import BranchMovedError
from cartwright.run import Completed, run

__all__ = ["Remote", "pick_remote"]

_SECONDS = 120
_ENV = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
_STALE = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to lock|failed to update ref|incorrect old value"
    r"|reference already exists|remote ref updated since checkout|is at [0-9a-f]+ but expected"
)
"""How remotes say that their branch has moved, or is being moved."""
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

    def name(self, head: Head) -> str:
        """``main of origin``."""
        return f"{head.short_branch} of {self.remote}"

    @contextmanager
    def prepared(self) -> Iterator[Path]:
        """A folder for files that are made on the way.

        Raises:
            Blocked: the clone's Git folder can't be written to.
        """
        folder = git_file(self.root, "cartwright")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise Blocked(f"{folder}: {error.strerror}; nothing was promoted") from error
        yield folder

    def head(self) -> Head:
        """The branch's newest commit, with its history.

        Raises:
            UserError: no such remote or branch.
            Blocked: the remote can't be reached.
        """
        commit = self._newest()
        shallow = git(self.root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        known = git(self.root, "cat-file", "-e", f"{commit}^{{commit}}", accept=(0, 1, 128)).returncode == 0
        if shallow or not known:
            # Gates ask since when something has run, which the cut-off history of a shallow clone can't tell.
            self._fetch(["--unshallow"] if shallow else [])
            if git(self.root, "cat-file", "-e", f"{commit}^{{commit}}", accept=(0, 1, 128)).returncode:
                raise BranchMovedError  # rewritten between the two looks
        return Head(branch=self.branch, commit=commit)

    def require(self, head: Head, paths: list[str]) -> None:
        """Nothing of the clone stands in the way of a push."""

    def land(self, _folder: Path, /, *, head: Head, commit: str, **_: object) -> None:
        """Push the commit.

        Raises:
            BranchMovedError: the branch is not at ``head`` any more; nothing has happened.
            Blocked: the remote refuses, with its words; or can't be reached.
        """
        done = self._git(
            *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"),
            *(f"--force-with-lease={self.branch}:{head.commit}", self.remote, f"{commit}:{self.branch}"),
        )
        if done.returncode == 0:
            return
        said = _words(done)
        rejected = next((line for line in done.stdout.splitlines() if line.startswith("!")), None)
        if rejected is None:
            # The connection may have been lost after the branch moved: the next look at it tells.
            if self._newest() != head.commit:
                raise BranchMovedError
            raise Blocked(f"{self.remote}: can't be pushed to, nothing was promoted: {said}")
        if _STALE.search(rejected) or ("remote rejected" not in rejected and _STALE.search(said)):
            raise BranchMovedError
        raise Blocked(f"{self.remote}: refuses the push, nothing was promoted: {said}")

    def contains(self, head: Head, commit: str) -> bool:
        """Whether a commit is on the branch: a push whose answer was lost may have landed."""
        done = git(self.root, "merge-base", "--is-ancestor", commit, head.commit, accept=(0, 1, 128))
        return done.returncode == 0

    def _newest(self) -> str:
        done = self._patiently("ls-remote", "--exit-code", "--", self.remote, self.branch)
        if done.returncode == 2:
            raise UserError(f"{self.remote} has no branch '{self.branch.removeprefix('refs/heads/')}'")
        return done.stdout.split()[0]

    def _fetch(self, options: list[str]) -> None:
        # Into no reference of ours: several runs may share the clone. `--refmap=` keeps the tracking branches still.
        done = self._git(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap="),
            *("--recurse-submodules=no", *options, "--", self.remote, self.branch),
        )
        if done.returncode and options:
            self._fetch([])  # another run has fetched the rest meanwhile
        elif done.returncode:
            raise Blocked(f"{self.remote}: can't be fetched from, nothing was promoted: {_words(done)}")

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
                    raise Blocked(
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
    if name is None:
        name = _config(root, f"branch.{current}.remote") if current else ""
        name = name if name and name != "." else "origin"
    remotes = git(root, "remote").stdout.split()
    if name not in remotes and "/" not in name and ":" not in name:
        raise UserError(f"no remote '{name}'", hint=f"known: {', '.join(remotes)}" if remotes else "there is none")
    if branch is None:
        if not current:
            raise UserError("HEAD is on no branch", hint="name the branch: --branch main")
        followed = _config(root, f"branch.{current}.merge")
        return Remote(root=root, remote=name, branch=followed or f"refs/heads/{current}")
    full = branch if branch.startswith("refs/heads/") else f"refs/heads/{branch}"
    if git(root, "check-ref-format", full, accept=(0, 1)).returncode:
        raise UserError(f"'{branch}' is no name of a branch")
    return Remote(root=root, remote=name, branch=full)


def _config(root: Path, key: str) -> str:
    return git(root, "config", "--get", key, accept=(0, 1)).stdout.strip()


def _words(done: Completed) -> str:
    """What git and the remote's hooks said, on one line."""
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines()]
    said = [
        line.removeprefix("remote: ").removeprefix("error: ").removeprefix("fatal: ")
        for line in lines
        if line and not line.startswith(("To ", "Done", "error: failed to push", "hint:"))
    ]
    return "; ".join(dict.fromkeys(" ".join(line.removeprefix("!").split()) for line in said if line.strip()))
