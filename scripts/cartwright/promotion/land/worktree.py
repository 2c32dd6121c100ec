"""Putting a commit on the branch of a work tree, whatever else a person has staged or changed there.

It takes effect in one step, when Git moves the branch from the commit that the plan was made from to the new one
(compare and swap). Until then nothing has changed; after it, the person's index and files lag behind for a moment. A
journal, written before that step, lets the next run end what a kill cut short.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from cartwright.history.git import Head, git, git_file, in_progress, read_head
from cartwright.history.trees import blob_id
from cartwright.kernel.errors import Blocked, CartwrightError, ToolError, UserError
from cartwright.promotion.land.locks import LockedError, await_index, find_lock, wait_for_lock
from cartwright.promotion.land.moved import BranchMovedError
from cartwright.promotion.moves import FileEdit

__all__ = ["WorkTree"]

_FOLDER = "cartwright"
"""Folder within the Git folder: lock, journal, and files on their way to the work tree."""


@dataclass(frozen=True)
class _File:
    """A file that the commit changes."""

    path: str
    mode: str
    old: str | None
    """Id of its content before; None where the commit makes it."""
    new: str | None
    """Id of its content after; None where the commit removes it."""


@dataclass(frozen=True)
class _Journal:
    """A commit that is about to be put on the branch."""

    commit: str
    files: tuple[_File, ...]


@dataclass(frozen=True)
class WorkTree:
    """The branch that is checked out in a work tree."""

    root: Path

    def name(self, head: Head) -> str:
        """The branch."""
        return head.short_branch

    @contextmanager
    def prepared(self) -> Iterator[Path]:
        """Hold the work tree's promotion lock, which the system releases however this process ends.

        Yields:
            A folder within the Git folder, for files that are made on the way.

        Raises:
            UserError: the Git folder can't be written to.
        """
        folder = git_file(self.root, _FOLDER)
        try:
            folder.mkdir(exist_ok=True)
            lock = (folder / "lock").open("w")
        except OSError as error:
            raise UserError(f"{error.strerror}; nothing was promoted", file=folder) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in (one for kind in ("index", "contents", "file") for one in folder.glob(f"{kind}-*")):
                shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
            _finish_interrupted(self.root, folder)
            yield folder

    def head(self) -> Head:
        """The newest commit."""
        return read_head(self.root)

    def contains(self, head: Head, commit: str) -> bool:
        """Whether the commit is the head's: here every landing gets its answer."""
        return head.commit == commit

    def require(self, head: Head, paths: Sequence[str]) -> None:
        """Prove that a commit may be put on the branch here.

        Raises:
            UserError: HEAD is on no branch, or another git holds the index's lock.
            Blocked: a merge is under way, or one of the files has uncommitted changes.
        """
        if head.branch is None:
            raise UserError(
                f"HEAD is detached at {head.commit[:7]}", hint="switch to the branch that should get the commit"
            )
        operation = in_progress(self.root)
        if operation:
            raise Blocked(f"{operation} is under way: end it first")
        changed = git(self.root, "status", "--porcelain", "-z", "--", *paths).stdout if paths else ""
        if changed:
            raise Blocked(f"{changed[3:].partition(chr(0))[0]}: has uncommitted changes: commit or drop them first")
        if paths:
            await_index(self.root)  # else the index would stay behind and undo the commit in the next one

    def land(
        self,
        folder: Path,
        /,
        *,
        head: Head,
        commit: str,
        subject: str,
        edits: Sequence[FileEdit],
        contents: Mapping[str, str | None],
    ) -> None:
        """Move the branch to the commit, then index and files.

        Raises:
            BranchMovedError: the branch is not at ``head`` any more; nothing has happened.
            LockedError: a lock file does not go. The message says whether the branch has the commit by then.
            ToolError: git refused for another reason; nothing has happened.
        """
        files = tuple(
            _File(path=one.path, mode=one.mode, old=one.before[1] if one.before else None, new=contents[one.path])
            for one in edits
        )
        journal = _Journal(commit=commit, files=files)
        _write_journal(folder, journal)
        try:
            wait_for_lock(lambda: self._move_branch(head, commit, subject))
        except (BranchMovedError, CartwrightError):
            _drop_journal(folder)
            raise
        try:
            _bring_in_step(self.root, folder, journal)
        except (LockedError, ToolError) as error:
            # The journal stays: with it the next run brings index and files up to date.
            raise _left_behind(head, commit, error) from error
        _drop_journal(folder)

    def _move_branch(self, head: Head, commit: str, subject: str) -> None:
        words = ("update-ref", "-m", f"cartwright promote: {subject}", head.branch or "HEAD", commit, head.commit)
        try:
            git(self.root, *words)
        except ToolError as error:
            if read_head(self.root) != head:
                raise BranchMovedError from error
            lock = find_lock(str(error))
            if lock:
                raise LockedError(f"locks {head.short_branch}; nothing was promoted", file=lock) from error
            raise


def _left_behind(head: Head, commit: str, error: LockedError | ToolError) -> UserError:
    """What to say where the branch has the commit, and index and files do not."""
    state = f"{head.short_branch} has the commit {commit[:7]}, but the index does not: a commit now would undo it"
    again = "then run the same command again, which brings index and files up to date"
    if isinstance(error, LockedError):
        return UserError(state, file=error.file, hint=f"remove that file if no git is at work, {again}")
    return UserError(f"{state}: {' '.join(str(error).split())}", hint=f"mend it, {again}")


def _finish_interrupted(root: Path, folder: Path) -> None:
    """End what a killed run has begun: index and files follow its commit, if the branch has it."""
    try:
        data = json.loads((folder / "journal.json").read_bytes())
        journal = _Journal(commit=data["commit"], files=tuple(_File(**one) for one in data["files"]))
    except FileNotFoundError:
        return
    if git(root, "merge-base", "--is-ancestor", journal.commit, "HEAD", accept=(0, 1, 128)).returncode == 0:
        await_index(root)
        committed = _committed(root, [one.path for one in journal.files])
        current = tuple(one for one in journal.files if committed.get(one.path) == one.new)
        _bring_in_step(root, folder, _Journal(commit=journal.commit, files=current))
    _drop_journal(folder)


def _committed(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Object id of each of the files that the newest commit has, by path, whatever they hold."""
    if not paths:
        return {}
    listed = git(root, "ls-tree", "-z", "--full-tree", "HEAD", "--", *paths).stdout.split("\0")[:-1]
    return {path: entry.split()[2] for entry, _, path in (line.partition("\t") for line in listed)}


def _bring_in_step(root: Path, folder: Path, journal: _Journal) -> None:
    """Give index and work tree the committed contents, where they still hold those before them."""
    paths = [one.path for one in journal.files]
    if not paths:
        return
    staged = _staged(root, paths)
    wanted = [one for one in journal.files if staged.get(one.path) == one.old]
    if wanted:
        lines = "".join(
            f"{one.mode if one.new else 0} {one.new or '0' * len(one.old or '')}\t{one.path}\0"
            for one in sorted(wanted, key=lambda one: one.new is not None)  # what goes may make room for what comes
        )
        wait_for_lock(lambda: _update_index(root, lines))
    stale = _stale(root, journal.files)
    gone = {one.path for one in journal.files if one.new is None}
    for path in stale:
        if path in gone:
            _remove(root, path)
    made = [one.path for one in journal.files if one.old is None and _is_free(root, one.path)]
    if kept := made + [path for path in stale if path not in gone]:
        _replace(root, folder, kept)
    with contextlib.suppress(ToolError):  # what it writes saves the next `git status` time, no more
        git(root, "update-index", "-q", "--refresh", accept=(0, 1))


def _update_index(root: Path, lines: str) -> None:
    """Change entries of the person's index."""
    try:
        git(root, "update-index", "-z", "--add", "--index-info", stdin=lines)
    except ToolError as error:
        lock = find_lock(str(error))
        if lock:
            raise LockedError("locks the index", file=lock) from error
        raise


def _staged(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Object id of each of the files that the index has, by path."""
    found = {}
    for line in git(root, "ls-files", "--stage", "-z", "--", *paths).stdout.split("\0")[:-1]:
        entry, _, path = line.partition("\t")
        found[path] = entry.split()[1]
    return found


def _stale(root: Path, files: Sequence[_File]) -> list[str]:
    """The files of which the work tree still holds the content before the commit."""
    olds = {one.path: one.old for one in files if one.old is not None}
    links = [path for path in olds if (root / path).is_symlink()]
    there = [path for path in olds if path not in links and (root / path).is_file()]
    oids = git(root, "hash-object", "--", *there).stdout.split() if there else []
    found = dict(zip(there, oids, strict=True))
    found |= {path: blob_id(os.fsencode((root / path).readlink()), like=olds[path] or "") for path in links}
    return [path for path in olds if found.get(path) == olds[path]]


def _is_free(root: Path, path: str) -> bool:
    """Whether a file may be made in the work tree: nothing stands there, and no file where a folder is needed."""
    above = [root / one for one in PurePosixPath(path).parents]
    return not os.path.lexists(root / path) and not any(one.is_file() or one.is_symlink() for one in above[:-1])


def _remove(root: Path, path: str) -> None:
    """Remove a file, and the folders that it leaves empty, as Git does."""
    (root / path).unlink(missing_ok=True)
    for parent in (root / path).parents:
        if parent == root:
            return
        try:
            parent.rmdir()
        except OSError:
            return


def _replace(root: Path, folder: Path, paths: Sequence[str]) -> None:
    """Put the index's content of files in their place, as a checkout writes it (line endings, filters), one by one."""
    with tempfile.TemporaryDirectory(prefix="file-", dir=folder) as side:
        git(root, "checkout-index", "--force", f"--prefix={Path(side).resolve()}/", "--", *paths)
        for path in paths:
            fresh, target = Path(side) / path, root / path
            if target.exists() and _is_executable(target) == _is_executable(fresh):
                shutil.copymode(target, fresh)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                fresh.replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.move(fresh, target)  # the Git folder lies on another disk


def _is_executable(file: Path) -> bool:
    """Whether Git takes a file for one."""
    return bool(file.stat().st_mode & stat.S_IXUSR)


def _write_journal(folder: Path, journal: _Journal) -> None:
    side = folder / "journal.json.new"
    side.write_text(json.dumps(asdict(journal)), encoding="utf-8")
    side.replace(folder / "journal.json")


def _drop_journal(folder: Path) -> None:
    (folder / "journal.json").unlink(missing_ok=True)
