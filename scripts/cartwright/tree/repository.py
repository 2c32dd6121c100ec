"""The repository's files, as they stand in the work tree or at a Git ref: the same code reads both."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Protocol

from cartwright.kernel import atomic, memo
from cartwright.kernel.errors import ToolError, UserError
from cartwright.kernel.paths import cache_root
from cartwright.kernel.run import run

__all__ = ["TREES", "FolderTree", "Tree", "decode", "find_root", "open_tree"]

TREES = "trees"
"""The kind of folder, in the cache, that the files of a ref are laid out in."""
_CONTENT = ("apps", "argocd", "clusters", "environments", "policies")
"""Top folders that decide what a check says."""


class Tree(Protocol):
    """Files that do not change while they are read. Paths are relative, with forward slashes.

    Two kinds of trees hold them: a folder on disk (:class:`FolderTree`), and a commit whose files are read from Git's
    objects (``cartwright.history.snapshot.CommitTree``). Both give the same answers for the same content.
    """

    def read(self, path: str) -> bytes:
        """Content of a file.

        Raises:
            UserError: there is no such file, or it can't be read.
        """

    def text(self, path: str) -> str:
        """Content of a file as UTF-8.

        Raises:
            UserError: no such file, or it is not UTF-8.
        """

    def hash(self, path: str) -> str | None:
        """Hash of a file's content, None where there is no such file."""

    def is_file(self, path: str) -> bool:
        """Whether the path is a file."""

    def is_dir(self, path: str) -> bool:
        """Whether the path is a folder."""

    def walk(self, top: str) -> Iterator[str]:
        """Every file below ``top``, sorted by folder and name, hidden ones left out."""

    def folders(self, top: str) -> list[str]:
        """Names of the folders directly below ``top``, sorted; none where there is no such folder."""

    def match_folders(self, pattern: str) -> list[str]:
        """Folders that a pattern such as ``environments/*/shop/*`` picks, sorted: ``*`` does not cross a slash."""


def decode(content: bytes, path: str) -> str:
    """A file's content as UTF-8.

    Raises:
        UserError: it is not UTF-8; names the byte.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"is not UTF-8 (byte {error.start})", file=path, hint="save it as UTF-8") from error


@dataclass(frozen=True)
class FolderTree:
    """A :class:`Tree` that lies on disk as a folder: the work tree, or a commit laid out in the cache."""

    root: Path
    """Where the files lie on disk; kustomize runs here."""
    ref: str | None = None
    """The Git commit that was asked for; None is the work tree."""
    repository: Path | None = None
    """The repository that ``ref`` is of, where that is another folder than ``root``."""
    _hashes: dict[str, str | None] = field(default_factory=dict, repr=False, compare=False)

    def read(self, path: str) -> bytes:
        """See :class:`Tree`."""
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise UserError(error.strerror or str(error), file=path) from error

    def text(self, path: str) -> str:
        """See :class:`Tree`."""
        return decode(self.read(path), path)

    def hash(self, path: str) -> str | None:
        """See :class:`Tree`. Remembered for the tree's life."""
        if path not in self._hashes:
            try:
                self._hashes[path] = hashlib.blake2b((self.root / path).read_bytes(), digest_size=20).hexdigest()
            except OSError:
                self._hashes[path] = None
        return self._hashes[path]

    def is_file(self, path: str) -> bool:
        """See :class:`Tree`."""
        return (self.root / path).is_file()

    def is_dir(self, path: str) -> bool:
        """See :class:`Tree`."""
        return (self.root / path).is_dir()

    def walk(self, top: str) -> Iterator[str]:
        """See :class:`Tree`."""
        for folder, names, files in os.walk(self.root / top):
            names[:] = sorted(name for name in names if not name.startswith("."))
            base = PurePosixPath(Path(folder).relative_to(self.root))
            yield from (str(base / name) for name in sorted(files) if not name.startswith("."))

    def folders(self, top: str) -> list[str]:
        """See :class:`Tree`."""
        place = self.root / top
        return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []

    def match_folders(self, pattern: str) -> list[str]:
        """See :class:`Tree`."""
        found = (path.relative_to(self.root) for path in self.root.glob(pattern) if path.is_dir())
        return sorted(str(PurePosixPath(path)) for path in found)

    @cached_property
    def home(self) -> Path:
        """The folder whose Git history this is."""
        return self.repository or self.root

    @cached_property
    def commit(self) -> str | None:
        """Full id of the commit that was asked for, or of the newest that the work tree stands on.

        None where there is no history of this folder: it is not a Git repository, or a folder within a larger one.
        """
        if not (self.home / ".git").exists():
            return None
        wanted = f"{self.ref or 'HEAD'}^{{commit}}"
        words = ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", wanted]
        return run(words, cwd=self.home, accept=(0, 1, 128)).stdout.strip() or None

    @cached_property
    def content_files(self) -> tuple[str, ...]:
        """Every file that decides what a check says."""
        return tuple(path for top in _CONTENT for path in self.walk(top))

    @cached_property
    def content_hash(self) -> str:
        """One hash over all content files and their names: equal hashes mean an equal verdict."""
        total = hashlib.blake2b(digest_size=20)
        for path in self.content_files:
            total.update(f"{path}\0{self.hash(path)}\n".encode())
        return total.hexdigest()


def find_root(start: Path | None = None) -> Path:
    """The repository that holds ``start`` (the current folder by default): the nearest one up with ``argocd/``.

    Raises:
        UserError: none of the folders above holds a repository.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "argocd" / "root.yaml").is_file():
            return folder
    raise UserError("no argocd/root.yaml here or in a folder above", file=here, hint="run it inside the repository")


def open_tree(root: Path, ref: str | None = None) -> FolderTree:
    """The work tree, or the files at a Git ref.

    A ref's files are laid out once per Git tree in the cache; the work tree and the index are never touched.

    Raises:
        UserError: no such ref.
    """
    if ref is None:
        return FolderTree(root=root)
    try:
        tree = run(["git", "rev-parse", "--verify", "--quiet", f"{ref}^{{tree}}"], cwd=root).stdout.strip()
    except ToolError as error:
        raise UserError(f"no commit '{ref}' in this repository") from error
    home = memo.take_folder(TREES, tree)
    if home is None:
        home = cache_root() / TREES / tree
        _export(root, tree, home)
    return FolderTree(root=home, ref=ref, repository=root)


def _export(root: Path, tree: str, home: Path) -> None:
    present = run(["git", "ls-tree", "--name-only", tree], cwd=root).stdout.split()
    tops = [top for top in _CONTENT if top in present]
    with atomic.fill_folder(home) as side:
        # `git archive` writes bytes that must not pass through text.
        archive = side.with_name("tree.tar")
        run(["git", "archive", "--format=tar", "-o", archive, tree, *tops], cwd=root)
        with tarfile.open(fileobj=BytesIO(archive.read_bytes())) as tar:
            tar.extractall(side, filter="data")
