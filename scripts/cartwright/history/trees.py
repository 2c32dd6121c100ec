"""Git's tree objects: a commit's tree with some files changed, whatever the size of the repository, and a tree's id.

An index of all files would do the same, and writing it is what takes longest of a commit in a large repository. Here
the trees above the changed files are read with one program and written with another; other entries stay as they are.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from cartwright.history.git import git
from cartwright.history.log import read_objects
from cartwright.kernel.errors import ToolError, UserError

__all__ = ["blob_id", "edited_tree", "parse_tree", "tree_id"]

_Entries = dict[bytes, tuple[bytes, bytes]]
"""Mode and raw id of each entry of a tree, by name."""
_FOLDER = b"40000"


def edited_tree(root: Path, folder: Path, commit: str, files: Mapping[str, tuple[str, str] | None]) -> str:
    """Write a commit's tree with some files replaced, added or removed, and return its id.

    Args:
        root: the repository.
        folder: where files may lie for a moment.
        commit: full id of the commit.
        files: mode and object id of each file, by path; None where it is removed.

    Raises:
        UserError: a path leads through a file that stays.
        ToolError: git can't read or write.
    """
    trees = _read(root, commit, files)
    for path, entry in files.items():
        folder_entries, name = trees[_parent(path)], PurePosixPath(path).name.encode()
        if entry is None:
            folder_entries.pop(name, None)
        else:
            folder_entries[name] = (entry[0].encode(), bytes.fromhex(entry[1]))
    contents: list[bytes] = []
    oid = ""
    for place in sorted(trees, key=_depth, reverse=True):
        if place and not trees[place]:  # Git has no empty folders; a file may have come in its place
            name = PurePosixPath(place).name.encode()
            if trees[_parent(place)].get(name, (b"",))[0] == _FOLDER:
                del trees[_parent(place)][name]
            continue
        content = _serialize(trees[place])
        contents.append(content)
        oid = _hash(b"tree", content, len(commit))
        if place:
            trees[_parent(place)][PurePosixPath(place).name.encode()] = (_FOLDER, bytes.fromhex(oid))
    written = _write(root, folder, contents)
    if written != oid:
        raise ToolError(f"git named a tree {written} that is {oid} by its content")
    return oid


def blob_id(content: bytes, *, like: str) -> str:
    """The id that Git gives to a file's content.

    Args:
        content: the bytes.
        like: any object id of the repository: it tells which hash the repository uses.
    """
    return _hash(b"blob", content, len(like))


def tree_id(files: Mapping[str, tuple[str, str]], *, like: str) -> str:
    """The id that Git gives to a tree of these files: mode and object id by path. Nothing is written.

    Args:
        files: all files below the tree; a folder may stand for its files, with its own id.
        like: any object id of the repository.
    """
    entries: _Entries = {}
    below: dict[str, dict[str, tuple[str, str]]] = {}
    for path, entry in files.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        else:
            # Git writes a folder's mode without the zero that it shows.
            entries[name.encode()] = (entry[0].lstrip("0").encode(), bytes.fromhex(entry[1]))
    for name, inner in below.items():
        entries[name.encode()] = (_FOLDER, bytes.fromhex(tree_id(inner, like=like)))
    return _hash(b"tree", _serialize(entries), len(like))


def parse_tree(content: bytes, *, like: str) -> dict[str, tuple[str, str]]:
    """Mode and object id of each entry of a tree object, by name."""
    width = len(like) // 2
    return {
        name.decode(errors="surrogateescape"): (mode.decode().rjust(6, "0"), oid.hex())
        for name, (mode, oid) in _parse(content, width)
    }


def _hash(kind: bytes, content: bytes, width: int) -> str:
    algorithm = "sha256" if width == 64 else "sha1"  # as Git names objects, not to keep a secret
    return hashlib.new(algorithm, b"%b %d\0" % (kind, len(content)) + content, usedforsecurity=False).hexdigest()


def _read(root: Path, commit: str, files: Mapping[str, object]) -> dict[str, _Entries]:
    """The trees from the top to each file, by path; the top is the empty one. One that is not there yet is empty, and
    so is one that takes the place of a file that is removed.
    """
    places = {""}
    for path in files:
        place = path
        while place := _parent(place):
            places.add(place)
    names = {f"{commit}^{{tree}}" if not place else f"{commit}:{place}": place for place in places}
    found = read_objects(root, names)
    trees: dict[str, _Entries] = {}
    for name, place in names.items():
        kind, content = found.get(name, ("tree", b""))
        if kind != "tree" and files.get(place, place) is not None:
            raise UserError(f"is a file in commit {commit[:7]}, but a folder is expected", file=place)
        trees[place] = dict(_parse(content, len(commit) // 2)) if kind == "tree" else {}
    return trees


def _parse(content: bytes, width: int) -> Iterator[tuple[bytes, tuple[bytes, bytes]]]:
    """Name, mode and id of each entry of a tree."""
    begin = 0
    while begin < len(content):
        space = content.index(b" ", begin)
        end = content.index(b"\0", space)
        yield content[space + 1 : end], (content[begin:space], content[end + 1 : end + 1 + width])
        begin = end + 1 + width


def _serialize(entries: _Entries) -> bytes:
    """A tree's content, in the order that Git asks for: a folder sorts as if its name ended in a slash."""
    ordered = sorted(entries.items(), key=lambda one: one[0] + (b"/" if one[1][0] == _FOLDER else b""))
    return b"".join(mode + b" " + name + b"\0" + oid for name, (mode, oid) in ordered)


def _write(root: Path, folder: Path, contents: list[bytes]) -> str:
    """Store trees, each after those below it, and return the id of the last."""
    with tempfile.TemporaryDirectory(prefix="trees-", dir=folder) as side:
        files = [Path(side) / str(number) for number, _ in enumerate(contents)]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        listed = "".join(f"{file.resolve()}\n" for file in files)
        words = ("hash-object", "-w", "-t", "tree", "--no-filters", "--stdin-paths")
        return git(root, *words, stdin=listed).stdout.split()[-1]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0
