"""History in two programs, however long it is: one `git log` for what changed, one `git cat-file` for the contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.run import run_bytes

__all__ = ["Commit", "FileChange", "read_blobs", "read_commits", "read_objects"]

_FIELDS = ("%H", "%P", "%ct", "%an <%ae>", "%cn <%ce>", "%B")
_FORMAT = "".join(f"{field}%x00" for field in _FIELDS)
_TYPES = (b"blob", b"tree", b"commit", b"tag")
_ENV = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1"}


@dataclass(frozen=True)
class FileChange:
    """A file that a commit changed, against its first parent."""

    path: str
    mode: str
    """``100644``, ``120000`` for a symbolic link, ``000000`` where the file was removed."""
    oid: str
    """Id of its new content."""


@dataclass(frozen=True)
class Commit:
    """One commit, as Git has it: no mailmap, notes, grafts or replacements."""

    id: str
    parents: tuple[str, ...]
    time: int
    """Committer's time, in seconds since 1970."""
    author: str
    """``Name <address>``."""
    committer: str
    message: str
    changes: tuple[FileChange, ...]


def read_commits(root: Path, commit: str, *, known: str | None = None, below: Sequence[str]) -> list[Commit]:
    """Every commit that leads to ``commit``, newest first, with the files below some folders that it changed.

    Args:
        known: leave out this commit and all that lead to it.
        below: the folders.

    Raises:
        ToolError: git does not know one of the commits.
    """
    out = run_bytes(
        [
            *("git", "-c", "log.showRoot=true", "-c", "log.showSignature=false", "log", "-z", "--topo-order"),
            *("--full-history", "--sparse", "--diff-merges=first-parent", "--raw", "--no-renames", "--no-abbrev"),
            *("--no-ext-diff", "--no-color", "--encoding=UTF-8", f"--format=format:{_FORMAT}"),
            *(commit, *([f"^{known}"] if known else []), "--", *below),
        ],
        cwd=root,
        env=_ENV,
    )
    return list(_parse(out.decode(errors="replace").split("\0")))


def _parse(tokens: Sequence[str]) -> Iterator[Commit]:
    """Commits from the NUL-separated stream: six fields, then the changes, then an empty token."""
    position, count = 0, len(tokens)
    while position + len(_FIELDS) <= count:
        identity, parents, time, author, committer, message = tokens[position : position + len(_FIELDS)]
        position += len(_FIELDS)
        changes: list[FileChange] = []
        while position < count and tokens[position].lstrip("\n").startswith(":"):
            _, mode, _, oid, _ = tokens[position].lstrip("\n").split(" ")
            changes.append(FileChange(path=tokens[position + 1], mode=mode, oid=oid))
            position += 2
        position += 1
        yield Commit(
            id=identity,
            parents=tuple(parents.split()),
            time=int(time),
            author=author,
            committer=committer,
            message=message,
            changes=tuple(changes),
        )


def read_blobs(root: Path, oids: Iterable[str]) -> dict[str, bytes]:
    """The contents of objects by the name that was asked for, read by one process; what is not there is left out.

    Raises:
        ToolError: git can't read them.
    """
    return {name: content for name, (_, content) in read_objects(root, oids).items()}


def read_objects(root: Path, names: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """Type and content of objects (``commit:path`` or an id), as :func:`read_blobs`."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    out = run_bytes(["git", "cat-file", "--batch"], cwd=root, env=_ENV, stdin="\n".join(wanted) + "\n")
    found: dict[str, tuple[str, bytes]] = {}
    position = 0
    for name in wanted:
        end = out.index(b"\n", position)
        head = out[position:end].split(b" ")
        position = end + 1
        if len(head) == 3 and head[1] in _TYPES:
            size = int(head[2])
            found[name] = head[1].decode(), out[position : position + size]
            position += size + 1
    return found
