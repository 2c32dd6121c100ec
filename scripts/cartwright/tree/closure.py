"""The file closure of a kustomization: every file that a build of it may read, followed through."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.tree.plugins import chart_references, generator_references, inline, is_known, plugin_references
from cartwright.tree.repository import Tree
from cartwright.yaml.read import line_of, load_all, nodes

__all__ = [
    "KUSTOMIZATION_NAMES",
    "Closure",
    "Kustomization",
    "find_closure",
    "is_remote",
    "join",
    "kustomization_file",
    "references",
]

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_FOLDERS_OR_FILES = ("resources", "components", "bases")
_PLUGINS = ("generators", "transformers", "validators")
_CHARTS = ("helmCharts", "helmChartInflationGenerator")
_PLAIN = frozenset({"apiVersion", "kind", "metadata", "resources"})
"""Fields of a kustomization whose build is its files as they stand."""
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
    complete: bool
    """Whether ``files`` and ``remotes`` are all that a build reads. A plugin that is a program, a container or a chart
    reads what it wants: such a build must not come from a cache."""


def kustomization_file(tree: Tree, folder: str) -> str | None:
    """The kustomization file of a folder, None where there is none."""
    return next((path for name in KUSTOMIZATION_NAMES if tree.is_file(path := posixpath.join(folder, name))), None)


def find_closure(tree: Tree, folder: str) -> Closure:
    """Follow every reference of the kustomization in ``folder``.

    Raises:
        UserError: a file or folder that is referred to is missing, or a kustomization is not readable: file and line.
    """
    start = kustomization_file(tree, folder)
    if start is None:
        raise UserError("has no kustomization.yaml", file=folder)
    walk = _Walk(tree)
    walk.follow(start)
    return Closure(
        kustomizations=tuple(walk.kustomizations.values()),
        files=tuple(sorted(walk.files)),
        resources=tuple(dict.fromkeys(walk.resources)),
        remotes=tuple(sorted(walk.remotes)),
        complete=walk.complete,
    )


class _Walk:
    """Collects a closure. A kustomization reached twice (a shared component) is read once."""

    def __init__(self, tree: Tree, above: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self.above = above
        """The kustomizations of plugins that are being followed."""
        self.complete = True
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
            raise UserError("is not a kustomization (expected one mapping)", file=path)
        self.files.add(path)
        self.kustomizations[path] = Kustomization(path=path, content=content)
        for place, reference, whole in references(content):
            self._visit(path, text, place, reference, whole)
        for key in _PLUGINS:
            for index, item in enumerate(content.get(key) or []):
                if isinstance(item, str):
                    self._plugin(path, text, [key, index], item)
        shared = content.get("helmGlobals")
        for chart in [one for key in _CHARTS for one in content.get(key) or [] if isinstance(one, dict)]:
            self.complete = False
            self._take(path, chart_references(chart, shared if isinstance(shared, dict) else {}))

    def _plugin(self, path: str, text: str, place: list[str | int], entry: str) -> None:
        """Follow what a plugin's configuration names. Its paths count from the kustomization that lists it."""
        documents = inline(entry)
        if documents is not None:
            self._configurations(path, path, line_of(next(nodes(text, path)), place)[0], documents)
            return
        if is_remote(entry):
            self.remotes.add(entry)
            self.complete = False
            return
        target = join(path, entry)
        inner = None if self.tree.is_file(target) else kustomization_file(self.tree, target)
        if inner is None:
            self._visit(path, text, place, entry, True)
            self._configurations(path, target, 1, load_all(self.tree.text(target), target))
            return
        if inner in self.above:
            raise UserError(
                f"'{entry}': refers back to itself",
                file=path,
                line=line_of(next(nodes(text, path)), place)[0],
            )
        below = _Walk(self.tree, self.above | {inner})
        below.follow(inner)
        for name, one in below.kustomizations.items():
            self.kustomizations.setdefault(name, one)
        self.files |= below.files
        self.resources += below.resources
        self.remotes |= below.remotes
        # Another build makes these plugins. Where it changes nothing, they are what its files say.
        self.complete &= below.complete and not below.remotes
        self.complete &= all(one.content.keys() <= _PLAIN for one in below.kustomizations.values())
        for resource in dict.fromkeys(below.resources):
            self._configurations(path, resource, 1, load_all(self.tree.text(resource), resource), required=False)

    def _configurations(
        self, path: str, file: str, line: int, documents: Sequence[Any], *, required: bool = True
    ) -> None:
        """Take the files that plugins name whose configurations stand in ``file``, listed by the one in ``path``."""
        for plugin in _single(documents):
            self.complete &= is_known(plugin)
            if isinstance(plugin, dict):
                missing = self._take(path, plugin_references(plugin))
                if missing and required and is_known(plugin):
                    raise UserError(f"'{missing[0]}': no such file", file=file, line=line)

    def _take(self, path: str, references: Iterable[str]) -> list[str]:
        """Add files, and all files of folders. Returns the names of which there is neither."""
        missing = []
        for reference in references:
            target = join(path, reference)
            if is_remote(reference):
                self.remotes.add(reference)
            elif self.tree.is_file(target):
                self.files.add(target)
            elif self.tree.is_dir(target):
                self.files.update(self.tree.walk(target))
            else:
                missing.append(reference)
        return missing

    def _visit(self, path: str, text: str, place: list[str | int], reference: str, whole: bool) -> None:
        if is_remote(reference):
            self.remotes.add(reference)
            return
        target = join(path, reference)
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


def join(path: str, reference: str) -> str:
    """What a reference in the kustomization at ``path`` names, by its path in the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), reference))


def is_remote(reference: str) -> bool:
    """Whether a reference of a kustomization leads to another server."""
    return _REMOTE.search(reference) is not None


def _single(documents: Iterable[Any]) -> Iterator[Any]:
    """The objects of a file, those of a List one by one."""
    for one in documents:
        if isinstance(one, dict) and str(one.get("kind", "")).endswith("List") and isinstance(one.get("items"), list):
            yield from _single(one["items"])
        elif one is not None:
            yield one


def references(content: dict[str, Any]) -> Iterator[tuple[list[str | int], str, bool]]:
    """Where each reference stands, what it names, and whether that may be a folder or a file of whole objects."""
    for keys, whole in ((_FOLDERS_OR_FILES, True), (_FILES, False)):
        for key in keys:
            for index, item in enumerate(content.get(key) or []):
                if isinstance(item, str) and "\n" not in item and (whole or inline(item) is None):
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
                yield from (([key, index, *place], name, False) for place, name in generator_references(item))
