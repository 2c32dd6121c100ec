"""The file closure of a kustomization: every file that a build of it may read, followed through."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.tree.repository import Tree
from cartwright.yaml.read import line_of, load_all, nodes

__all__ = ["KUSTOMIZATION_NAMES", "Closure", "Kustomization", "find_closure", "kustomization_file"]

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_FOLDERS_OR_FILES = ("resources", "components", "bases", "generators", "transformers", "validators")
_FILES = ("crds", "configurations", "patchesStrategicMerge")
_OBJECTS_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_REMOTE = re.compile(r"^(?:[a-z+]+://|git@|(?:github|gitlab|bitbucket)\.\w+/)|\?ref=|//")


@dataclass(frozen=True)
class Kustomization:
    """One kustomization file."""

    path: str
    """Its path in the repository."""
    content: dict[str, Any]
    """What it says."""

    @property
    def folder(self) -> str:
        """The folder it stands in."""
        return posixpath.dirname(self.path)


@dataclass(frozen=True)
class Closure:
    """What a build reads."""

    kustomizations: tuple[Kustomization, ...]
    """The overlay's own first, then those it refers to, depth first."""
    files: tuple[str, ...]
    """Every file, the kustomizations included, sorted."""
    resources: tuple[str, ...]
    """The files that hold whole objects, in the order they are listed."""
    remotes: tuple[str, ...]
    """Remote bases, as written."""


def kustomization_file(tree: Tree, folder: str) -> str | None:
    """The kustomization file of a folder, None where there is none."""
    return next((path for name in KUSTOMIZATION_NAMES if tree.is_file(path := posixpath.join(folder, name))), None)


def find_closure(tree: Tree, folder: str) -> Closure:
    """Follow every reference of the kustomization in ``folder``.

    Raises:
        UserError: a file or folder that is referred to is missing, or a kustomization is not readable: file and line.
    """
    walk = _Walk(tree)
    start = kustomization_file(tree, folder)
    if start is None:
        raise UserError("has no kustomization.yaml", file=folder)
    walk.follow(start)
    return Closure(
        kustomizations=tuple(walk.kustomizations.values()),
        files=tuple(sorted(walk.files)),
        resources=tuple(dict.fromkeys(walk.resources)),
        remotes=tuple(sorted(walk.remotes)),
    )


class _Walk:
    """Collects a closure. A kustomization reached twice (a shared component) is read once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.kustomizations: dict[str, Kustomization] = {}
        self.files: set[str] = set()
        self.resources: list[str] = []
        self.remotes: set[str] = set()

    def follow(self, path: str) -> None:
        if path in self.kustomizations:
            return
        text = self.tree.text(path)
        documents = load_all(text, path)
        content = documents[0] if documents else None
        if len(documents) != 1 or not isinstance(content, dict):
            raise UserError("is not a kustomization (one mapping is meant)", file=path)
        self.files.add(path)
        self.kustomizations[path] = Kustomization(path=path, content=content)
        for place, reference, whole in _references(content):
            self._visit(path, text, place, reference, whole)

    def _visit(self, path: str, text: str, place: list[str | int], reference: str, whole: bool) -> None:
        if _REMOTE.search(reference):
            self.remotes.add(reference)
            return
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), reference))
        if self.tree.is_file(target):
            self.files.add(target)
            if whole:
                self.resources.append(target)
            return
        inner = kustomization_file(self.tree, target) if whole else None
        if inner is None:
            root = next(nodes(text, path))
            what = "a folder without kustomization.yaml" if self.tree.is_dir(target) else "no such file or folder"
            raise UserError(f"'{reference}': {what}", file=path, line=line_of(root, place)[0])
        self.follow(inner)


def _references(content: dict[str, Any]) -> Iterator[tuple[list[str | int], str, bool]]:
    """Where each reference stands, what it names, and whether that may be a folder or a file of whole objects."""
    for keys, whole in ((_FOLDERS_OR_FILES, True), (_FILES, False)):
        for key in keys:
            for index, item in enumerate(content.get(key) or []):
                if isinstance(item, str) and "\n" not in item:
                    yield [key, index], item, whole
    for key in _OBJECTS_WITH_PATH:
        for index, item in enumerate(content.get(key) or []):
            if isinstance(item, dict) and isinstance(item.get("path"), str):
                yield [key, index, "path"], item["path"], False
    openapi = content.get("openapi")
    if isinstance(openapi, dict) and isinstance(openapi.get("path"), str):
        yield ["openapi", "path"], openapi["path"], False
    for key in ("configMapGenerator", "secretGenerator"):
        for index, item in enumerate(content.get(key) or []):
            if isinstance(item, dict):
                yield from (([key, index, *place], name, False) for place, name in _generator_files(item))


def _generator_files(generator: dict[str, Any]) -> Iterator[tuple[list[str | int], str]]:
    for field in ("files", "envs"):
        for at, entry in enumerate(generator.get(field) or []):
            yield [field, at], str(entry).partition("=")[2] or str(entry)
    if isinstance(generator.get("env"), str):
        yield ["env"], generator["env"]
