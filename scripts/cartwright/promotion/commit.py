"""Committing a promotion: one commit with one file, whatever else a person has staged or changed.

The commit is built in an index of its own and takes effect in one step, when Git moves the branch from the commit that
the plan was made from to the new one (compare and swap). Until then nothing has changed; after it, the person's index
and file lag behind for a moment. A journal, written before that step, lets the next run end what a kill cut short.
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import tenacity

from cartwright.errors import CartwrightError, ToolError
from cartwright.promotion.git import git, git_file, identity, in_progress, read_blob, read_head
from cartwright.promotion.plan import Plan, make_plan

__all__ = ["Blocked", "promote"]

_ATTEMPTS = 10
_FOLDER = "cartwright"
"""Folder within the Git folder: lock, journal, and files on their way to the work tree."""


class Blocked(CartwrightError):
    """The promotion is well-formed and can't happen now; the message says why."""

    exit_code = 1


class _BranchMovedError(Exception):
    """Someone else committed since the plan was made."""


@dataclass(frozen=True)
class _Journal:
    """A commit that is about to be put on the branch."""

    commit: str
    path: str
    mode: str
    old: str
    """Id of the file's content before."""
    new: str
    """Id of the file's content after."""


def promote(root: Path, app: str, *, source: str, target: str) -> tuple[Plan, str | None]:
    """Move an app's release to the target environment, as one commit on the current branch.

    Two runs at once are safe: the loser plans again from the commit of the winner.

    Returns:
        What was done, and the id of the commit; None where the target runs the release already.

    Raises:
        UserError: see :func:`make_plan`; or Git does not know who commits.
        Blocked: HEAD is on no branch, a merge is under way, the target's file has uncommitted changes, or the branch
            keeps moving.
    """
    with _exclusive(root) as folder:
        _finish_interrupted(root, folder)
        for _ in range(_ATTEMPTS):
            plan = make_plan(root, app, source=source, target=target)
            if not plan.changes:
                return plan, None
            try:
                return plan, _commit(root, folder, plan)
            except _BranchMovedError:
                continue
    raise Blocked(f"the branch moved {_ATTEMPTS} times while the promotion was prepared; nothing was committed")


def message(plan: Plan) -> str:
    """The commit's message; its trailers are what later commands read."""
    trailers = [("Promoted-From", plan.source), ("Promoted-To", plan.target), ("App", plan.app)]
    for tag, digest in zip(plan.release.tags, plan.release.digests, strict=True):
        trailers += [("Release", tag), ("Digest", digest)]
    subject = f"Promote {plan.app} {', '.join(plan.release.tags)} from {plan.source} to {plan.target}"
    return subject + "\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers)


@contextmanager
def _exclusive(root: Path) -> Iterator[Path]:
    """Hold the work tree's promotion lock, which the system releases however this process ends."""
    read_head(root)
    folder = git_file(root, _FOLDER)
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _commit(root: Path, folder: Path, plan: Plan) -> str:
    if plan.head.branch is None:
        raise Blocked(f"HEAD is detached at {plan.head.commit[:7]}: switch to the branch that shall get the commit")
    operation = in_progress(root)
    if operation:
        raise Blocked(f"{operation} is under way: end it first")
    if git(root, "status", "--porcelain", "--", plan.file).stdout:
        raise Blocked(f"{plan.file}: has uncommitted changes: commit or drop them first")
    identity(root)
    new = git(root, "hash-object", "-w", "--stdin", stdin=plan.after).stdout.strip()
    commit = _build(root, folder, plan, new)
    journal = _Journal(commit=commit, path=plan.file, mode=plan.before.mode, old=plan.before.oid, new=new)
    _write_journal(folder, journal)
    try:
        git(root, "update-ref", "-m", message(plan).splitlines()[0], plan.head.branch, commit, plan.head.commit)
    except ToolError as error:
        _drop_journal(folder)
        if read_head(root) != plan.head:
            raise _BranchMovedError from error
        raise
    _bring_in_step(root, folder, journal)
    _drop_journal(folder)
    return commit


def _build(root: Path, folder: Path, plan: Plan, new: str) -> str:
    """Write the commit's objects, without a reference to them."""
    with tempfile.TemporaryDirectory(prefix="index-", dir=folder) as side:
        index = str(Path(side) / "index")
        git(root, "read-tree", plan.head.commit, index=index)
        git(root, "update-index", "--cacheinfo", f"{plan.before.mode},{new},{plan.file}", index=index)
        tree = git(root, "write-tree", index=index).stdout.strip()
    signed = git(root, "config", "--type=bool", "commit.gpgSign", accept=(0, 1)).stdout.strip() == "true"
    options = ["-S"] if signed else []
    return git(
        root, "commit-tree", *options, "-p", plan.head.commit, "-F", "-", tree, stdin=message(plan)
    ).stdout.strip()


def _finish_interrupted(root: Path, folder: Path) -> None:
    """End what a killed run has begun: index and file follow its commit, if the branch has it."""
    try:
        journal = _Journal(**json.loads((folder / "journal.json").read_bytes()))
    except FileNotFoundError:
        return
    landed = git(root, "merge-base", "--is-ancestor", journal.commit, "HEAD", accept=(0, 1, 128)).returncode == 0
    if landed and read_blob(root, "HEAD", journal.path).oid == journal.new:
        _bring_in_step(root, folder, journal)
    _drop_journal(folder)


def _bring_in_step(root: Path, folder: Path, journal: _Journal) -> None:
    """Give index and work tree the committed content, where they still hold the one before it."""
    staged = git(root, "ls-files", "--stage", "--", journal.path).stdout.split()
    if staged[1:2] == [journal.old]:
        _update_index(root, "--cacheinfo", f"{journal.mode},{journal.new},{journal.path}")
    file = root / journal.path
    if file.is_file() and git(root, "hash-object", "--", journal.path).stdout.strip() == journal.old:
        _replace(root, folder, journal.path)
    _update_index(root, "-q", "--refresh")


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(ToolError),
    stop=tenacity.stop_after_delay(5),
    wait=tenacity.wait_fixed(0.1),
    reraise=True,
)
def _update_index(root: Path, *words: str) -> None:
    """Change the person's index; another git may hold its lock for a moment."""
    git(root, "update-index", *words, accept=(0, 1) if "--refresh" in words else (0,))


def _replace(root: Path, folder: Path, path: str) -> None:
    """Put the index's content of a file in its place, as a checkout writes it (line endings, filters), in one step."""
    with tempfile.TemporaryDirectory(prefix="file-", dir=folder) as side:
        git(root, "checkout-index", "--force", f"--prefix={Path(side).resolve()}/", "--", path)
        fresh, target = Path(side) / path, root / path
        shutil.copymode(target, fresh)
        try:
            fresh.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(fresh, target)  # the Git folder lies on another disk


def _write_journal(folder: Path, journal: _Journal) -> None:
    side = folder / "journal.json.new"
    side.write_text(json.dumps(asdict(journal)), encoding="utf-8")
    side.replace(folder / "journal.json")


def _drop_journal(folder: Path) -> None:
    (folder / "journal.json").unlink(missing_ok=True)
