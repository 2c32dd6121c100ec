"""Writing a promotion's commit: its objects alone, without a reference to them and without touching index or files."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cartwright.history.git import git
from cartwright.history.trees import edited_tree
from cartwright.kernel.errors import Blocked
from cartwright.promotion.moves import FileEdit

__all__ = ["Blocked", "build_commit", "write_contents"]


def write_contents(root: Path, folder: Path, edits: Sequence[FileEdit]) -> dict[str, str | None]:
    """Store the new content of each file and return its object id, by path; None for a file that goes.

    One program stores them all, and what is in Git already is not stored again.

    Args:
        root: the repository.
        folder: where the contents may lie for a moment.
        edits: the files.
    """
    with tempfile.TemporaryDirectory(prefix="contents-", dir=folder) as side:
        texts = {one.path: one.after for one in edits if one.after is not None}
        files = [Path(side).resolve() / str(number) for number, _ in enumerate(texts)]
        for file, text in zip(files, texts.values(), strict=True):
            file.write_bytes(text.encode())
        listed = "".join(f"{file}\n" for file in files)
        # No filters: what was read is what is in Git, and so is what is written.
        words = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        oids = git(root, *words, stdin=listed).stdout.split() if texts else []
    written = dict(zip(texts, oids, strict=True))
    return {one.path: written.get(one.path) or (one.entry[1] if one.entry else None) for one in edits}


def build_commit(
    root: Path,
    folder: Path,
    *,
    parent: str,
    edits: Sequence[FileEdit],
    contents: Mapping[str, str | None],
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
        found = {one.path: (one.mode, contents[one.path]) for one in edits}
        files = {path: (mode, oid) if oid is not None else None for path, (mode, oid) in found.items()}
        tree = edited_tree(root, folder, parent, files)
    signed = git(root, "config", "--type=bool", "commit.gpgSign", accept=(0, 1)).stdout.strip() == "true"
    options = ["-S"] if signed else []
    utf8 = ("-c", "i18n.commitEncoding=UTF-8")
    date = f"{int(at.timestamp())} +0000"
    return git(
        root, *utf8, "commit-tree", *options, "-p", parent, "-F", "-", tree, stdin=message, date=date
    ).stdout.strip()
