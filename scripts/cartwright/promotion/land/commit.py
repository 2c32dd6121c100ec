"""Writing a promotion's commit: its objects alone, without a reference to them and without touching index or files."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cartwright.history.git import git
from cartwright.history.trees import edited_tree
from cartwright.kernel.errors import Blocked
from cartwright.promotion.moves import FileEdit

__all__ = ["Blocked", "build_commit", "write_contents"]


def write_contents(root: Path, folder: Path, edits: Sequence[FileEdit]) -> dict[str, str]:
    """Store the new content of each file and return its object id, by path. One program stores them all.

    Args:
        root: the repository.
        folder: where the contents may lie for a moment.
        edits: the files.
    """
    with tempfile.TemporaryDirectory(prefix="contents-", dir=folder) as side:
        files = [Path(side).resolve() / str(number) for number, _ in enumerate(edits)]
        for file, one in zip(files, edits, strict=True):
            file.write_bytes(one.after.encode())
        listed = "".join(f"{file}\n" for file in files)
        # No filters: what was read is what is in Git, and so is what is written.
        oids = git(root, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listed).stdout.split()
    return {one.path: oid for one, oid in zip(edits, oids, strict=True)}


def build_commit(
    root: Path,
    folder: Path,
    *,
    parent: str,
    edits: Sequence[FileEdit],
    contents: dict[str, str],
    message: str,
    at: datetime.datetime,
) -> str:
    """Write the commit's objects, signed where Git is told to sign, and return the commit's id.

    Args:
        root: the repository.
        folder: where files may lie for a moment.
        parent: the commit that the edits were planned on.
        edits: the files that change; none makes a commit of the same tree.
        contents: what :func:`write_contents` gave.
        message: the whole message.
        at: the commit's date: the moment of the gates' verdicts, so that whoever asks them again asks the same.

    Raises:
        ToolError: git can't write, or can't sign.
    """
    tree = f"{parent}^{{tree}}"
    if edits:
        tree = edited_tree(root, folder, parent, {one.path: (one.mode, contents[one.path]) for one in edits})
    signed = git(root, "config", "--type=bool", "commit.gpgSign", accept=(0, 1)).stdout.strip() == "true"
    options = ["-S"] if signed else []
    utf8 = ("-c", "i18n.commitEncoding=UTF-8")
    date = f"{int(at.timestamp())} +0000"
    return git(
        root, *utf8, "commit-tree", *options, "-p", parent, "-F", "-", tree, stdin=message, date=date
    ).stdout.strip()
