"""Git histories with given dates, written by one `git fast-import`: benchmarks and tests read them.

>>> history = History()
>>> history.commit({"a.txt": "1"}, message="Begin", at=1_700_000_000)
1
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["WRITER", "History", "files_below"]

WRITER = "Platform Team <platform-team@example.com>"


class History:
    """Commits to be, in the order they are added; each has a number, its mark."""

    def __init__(self) -> None:
        self._stream: list[bytes] = []
        self._tips: dict[str, int] = {}
        self._count = 0

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        message: str,
        at: int,
        author: str = WRITER,
        committer: str | None = None,
        branch: str = "main",
        start: int | None = None,
        merge: Sequence[int] = (),
    ) -> int:
        """Add a commit on a branch and return its mark.

        Args:
            files: new content by path; None removes the file. A path that ends with ``@`` becomes a symbolic link.
            at: author's and committer's time in seconds since 1970.
            start: mark of the commit that a new branch begins at.
            merge: marks of further parents; the files of theirs that shall come in are named in ``files``.
        """
        self._count += 1
        lines = [f"commit refs/heads/{branch}", f"mark :{self._count}"]
        lines += [f"author {author} {at} +0000", f"committer {committer or author} {at} +0000"]
        self._stream.append("\n".join(lines).encode() + b"\n")
        self._data(message.encode())
        parent = self._tips.get(branch, start)
        if parent is not None:
            self._stream.append(f"from :{parent}\n".encode())
        self._stream += [f"merge :{mark}\n".encode() for mark in merge]
        for path, content in files.items():
            if content is None:
                self._stream.append(f"D {path}\n".encode())
                continue
            mode = "120000" if path.endswith("@") else "100644"
            self._stream.append(f"M {mode} inline {path.removesuffix('@')}\n".encode())
            self._data(content.encode() if isinstance(content, str) else content)
        self._tips[branch] = self._count
        return self._count

    def write(self, root: Path, *, checkout: bool = True) -> dict[int, str]:
        """Write everything into a repository, a new one where there is none, and return the commits' ids by mark."""
        if not (root / ".git").exists():
            _git(root.parent, "init", "--quiet", "--initial-branch", "main", str(root))
            name, _, address = WRITER[:-1].partition(" <")
            with (root / ".git" / "config").open("a", encoding="utf-8") as config:
                config.write(f"[user]\n\tname = {name}\n\temail = {address}\n")
        marks = root / ".git" / "marks"
        _git(root, "fast-import", "--quiet", "--force", f"--export-marks={marks}", data=b"".join(self._stream))
        if checkout:
            _git(root, "reset", "--quiet", "--hard")
        pairs = (line.split() for line in marks.read_text(encoding="ascii").splitlines())
        return {int(mark[1:]): commit for mark, commit in pairs}

    def _data(self, content: bytes) -> None:
        self._stream += [b"data %d\n" % len(content), content, b"\n"]


def files_below(root: Path) -> dict[str, str | bytes | None]:
    """Every file of a folder by its path, without Git's own."""
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.is_file() and ".git" not in file.relative_to(root).parts
    }


def _git(folder: Path, *words: str, data: bytes | None = None) -> None:
    subprocess.run(["git", *words], cwd=folder, input=data, check=True, env={**os.environ, "LC_ALL": "C"})
