"""The repository as it will be: the files of some builds, with a promotion's edits in place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cartwright.history.log import read_blobs
from cartwright.promotion.moves import FileEdit
from cartwright.tree.repository import FolderTree

__all__ = ["with_edits"]


@contextmanager
def with_edits(
    tree: FolderTree, files: Iterable[str], edits: Sequence[FileEdit], *, repository: Path
) -> Iterator[FolderTree]:
    """Lay files out with edits in place, for as long as the context lasts.

    Args:
        tree: where the files are taken from.
        files: those that the builds read today.
        edits: what changes.
        repository: the Git repository that has the contents of ``edits``.
    """
    contents = read_blobs(repository, [one.entry[1] for one in edits if one.entry is not None])
    with tempfile.TemporaryDirectory(prefix="cartwright-outlook-") as folder:
        root = Path(folder)
        for path in files:
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree.root / path, target)
        for one in edits:
            target = root / one.path
            if one.is_removal:
                target.unlink(missing_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents[one.entry[1]] if one.entry else (one.after or "").encode())
        yield FolderTree(root=root)
