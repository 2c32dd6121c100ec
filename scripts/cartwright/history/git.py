"""What promotion asks of Git: plumbing commands only, so that no setting, hook or editor of a person takes part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.run import Completed, run

__all__ = ["Blob", "Head", "git", "git_file", "identity", "in_progress", "read_blob", "read_head"]

_OPERATIONS = {"MERGE_HEAD": "a merge", "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert"}


@dataclass(frozen=True)
class Head:
    """Where the current branch stands."""

    branch: str | None
    """Full name of the branch, ``refs/heads/main``; None where HEAD is detached."""
    commit: str
    """Full id of its newest commit."""

    @property
    def short_branch(self) -> str:
        """The branch as people call it."""
        return (self.branch or "HEAD").removeprefix("refs/heads/")


@dataclass(frozen=True)
class Blob:
    """A committed file."""

    mode: str
    """``100644``, or ``100755`` for an executable one."""
    oid: str
    """Id of its content."""
    text: str
    """Its content, as it is in Git: line endings and byte order mark are those of the commit."""


def git(root: Path, *words: str, accept: tuple[int, ...] = (0,), **options: str) -> Completed:
    """Run git in the repository. ``index`` names an index file of its own, ``stdin`` is text to feed, ``date`` dates
    the commit that it writes.

    Raises:
        ToolError: git ended with a code that is not accepted.
    """
    env = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
    if "index" in options:
        env["GIT_INDEX_FILE"] = options["index"]
    if "date" in options:
        env |= {"GIT_AUTHOR_DATE": options["date"], "GIT_COMMITTER_DATE": options["date"]}
    return run(["git", *words], cwd=root, env=env, stdin=options.get("stdin"), accept=accept)


def git_file(root: Path, name: str) -> Path:
    """Where a file of that name lies in the Git folder of this work tree.

    Raises:
        UserError: this is not a Git repository.
    """
    if "GIT_DIR" not in os.environ and (root / ".git").is_dir():
        return root / ".git" / name  # no linked work tree
    done = git(root, "rev-parse", "--git-path", name, accept=(0, 128))
    if done.returncode:
        raise UserError("is not a Git repository, and promotion needs one", file=root)
    return root / done.stdout.strip()


def read_head(root: Path) -> Head:
    """The newest commit, and the branch it is on.

    Raises:
        UserError: this is not a Git repository, the repository does not begin here, or it has no commit.
    """
    words = ("rev-parse", "--show-prefix", "HEAD^{commit}", "--symbolic-full-name", "HEAD")
    done = git(root, *words, accept=(0, 1, 128))
    lines = done.stdout.splitlines()
    if lines and lines[0]:
        raise UserError(
            f"is the folder '{lines[0]}' of a larger Git repository", file=root, hint="give it a repository of its own"
        )
    if done.returncode and "not a git repository" not in done.stderr.lower():
        raise UserError("has no commit yet", file=root)
    if done.returncode:
        raise UserError("is not a Git repository, and promotion needs one", file=root)
    return Head(branch=lines[2] if lines[2] != "HEAD" else None, commit=lines[1])


def read_blob(root: Path, commit: str, path: str) -> Blob:
    """A file as it is in a commit.

    Raises:
        UserError: it is not there, is a link or a folder, or is not UTF-8.
    """
    entry = git(root, "ls-tree", "-z", "--full-tree", commit, "--", path).stdout.rstrip("\0")
    if not entry:
        raise UserError(f"is not in commit {commit[:7]}", file=path, hint="commit it first")
    mode, kind, oid = entry.partition("\t")[0].split()
    if kind != "blob" or mode == "120000":
        what = "a symbolic link" if mode == "120000" else f"a {kind}"
        raise UserError(f"is {what}; promotion edits only plain files", file=path)
    text = git(root, "cat-file", "blob", oid).stdout
    # Bytes that are no UTF-8 were replaced on the way here, so the content hashes to another id.
    if git(root, "hash-object", "--stdin", stdin=text).stdout.strip() != oid:
        raise UserError("is not UTF-8", file=path, hint="save it as UTF-8")
    return Blob(mode=mode, oid=oid, text=text)


def has_commit(root: Path, commit: str) -> bool:
    """Whether this clone has a commit: an id, or a word such as ``<id>^``."""
    return git(root, "cat-file", "-e", f"{commit}^{{commit}}", accept=(0, 1, 128)).returncode == 0


def identity(root: Path) -> str:
    """Who commits, as ``Name <address>``.

    Raises:
        UserError: Git does not know; nothing is guessed from host names.
    """
    found = ""
    own_author = any(name in os.environ for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"))
    for name in (*(["GIT_AUTHOR_IDENT"] if own_author else []), "GIT_COMMITTER_IDENT"):
        try:
            found = git(root, "-c", "user.useConfigOnly=true", "var", name).stdout
        except ToolError as error:
            raise UserError(
                "git does not know who commits", hint="set `git config user.name` and `git config user.email`"
            ) from error
    return found.rpartition(">")[0] + ">"


def in_progress(root: Path) -> str | None:
    """The operation that a person has begun and not ended (``a merge``), if any."""
    files = git(root, "rev-parse", *(word for name in _OPERATIONS for word in ("--git-path", name))).stdout.splitlines()
    return next(
        (words for file, words in zip(files, _OPERATIONS.values(), strict=True) if (root / file).exists()), None
    )
