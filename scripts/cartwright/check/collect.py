"""The objects of files and folders that somebody names: manifests as they stand, and kustomizations as they render."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cartwright.kernel.errors import UserError
from cartwright.policy.documents import Document, documents_of, read_text
from cartwright.tree.applications import Application
from cartwright.tree.closure import KUSTOMIZATION_NAMES, Closure, find_closure
from cartwright.tree.render import Rendered, RenderFailure, render
from cartwright.tree.repository import FolderTree
from cartwright.yaml.read import load_all, refuse_excess

__all__ = ["Collected", "collect"]

_SUFFIXES = frozenset({".json", ".yaml", ".yml"})


@dataclass
class Collected:
    """What was found."""

    documents: list[Document] = field(default_factory=list)
    """Every object; the ``path`` of one that was rendered is a key of `rendered`."""
    texts: dict[str, str] = field(default_factory=dict)
    """The files of manifests, read once: one may be a pipe."""
    rendered: dict[str, tuple[Path, Rendered]] = field(default_factory=dict)
    """Each rendering by the path of its kustomization, and the folder that its paths count from."""
    failures: list[RenderFailure] = field(default_factory=list)
    """Kustomizations that can't be rendered; their files are named as `documents` names them."""
    taken: set[str] = field(default_factory=set)
    """Real paths of files that went into a rendering."""
    skipped: int = 0
    """How many files of folders are not manifests."""

    @property
    def files(self) -> int:
        """How many files the objects come from."""
        return len(self.taken | {os.path.realpath(path) for path in self.texts})


def collect(paths: Sequence[Path], *, strict: bool) -> Collected:
    """Read files and folders. Arguments and errors are those of `cartwright.check.manifests.check_manifests`."""
    found = Collected()
    for path in paths:
        if not path.exists():
            raise UserError("no such file or folder", file=path)
    folders = [path for path in dict.fromkeys(paths) if path.is_dir()]
    for folder in folders:
        _render(folder, found)
    for file in dict.fromkeys(path for path in paths if not path.is_dir()):
        found.texts[str(file)] = read_text(file)
        found.documents += documents_of(found.texts[str(file)], str(file))
    read = {os.path.realpath(path) for path in found.texts}
    for folder in folders:
        files = list(_files(folder))
        if not files:
            raise UserError("holds no YAML file", file=folder)
        for file in files:
            real = os.path.realpath(file)
            if real not in found.taken and real not in read:
                read.add(real)
                _read(file, found, strict=strict)
    return found


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(one for one in folder.rglob("*") if one.suffix in _SUFFIXES and not one.is_dir())


def _read(file: Path, found: Collected, *, strict: bool) -> None:
    """Take a folder's file, if it is a manifest. One that holds an object is meant to be one, and must be it whole."""
    text = read_text(file)
    if file.name in KUSTOMIZATION_NAMES or not _holds_an_object(text, str(file)):
        if strict:
            documents_of(text, str(file))
            raise UserError("is not a manifest", file=file)
        found.skipped += 1
        return
    found.documents += documents_of(text, str(file))
    found.texts[str(file)] = text


def _holds_an_object(text: str, path: str) -> bool:
    refuse_excess(text, path)
    try:
        contents = load_all(text, path)
    except UserError:
        return False  # a template of Helm's, say
    given = [one for one in contents if one is not None]
    return not given or any(isinstance(one, dict) and {"apiVersion", "kind"} <= one.keys() for one in given)


def _render(folder: Path, found: Collected) -> None:
    """Render a folder's kustomizations, but for those that another one takes in, and components."""
    # A real path: kustomizations may refer to what is above the folder, and by other names than a link's.
    root = folder.resolve()
    tree = FolderTree(root=root)
    places = {
        os.path.relpath(file.parent, root)
        for name in KUSTOMIZATION_NAMES
        for file in root.rglob(name)
        if file.is_file()
    }
    closures: dict[str, Closure | None] = {}
    for place in sorted(places):
        try:
            closures[place] = find_closure(tree, place)
        except UserError:
            closures[place] = None  # rendering says what is wrong with it
    inner = {
        os.path.normpath(one.folder) for closure in closures.values() if closure for one in closure.kustomizations[1:]
    }
    applications = [
        _application(place)
        for place, closure in closures.items()
        if place not in inner and not (closure and closure.kustomizations[0].content.get("kind") == "Component")
    ]
    done, failures = render(tree, applications)
    for one in done:
        label = os.path.normpath(folder / one.closure.kustomizations[0].path)
        found.rendered[label] = (folder, one)
        found.taken |= {os.path.realpath(root / file) for file in one.closure.files}
        found.documents += [
            Document(path=label, index=index, object=resource.content) for index, resource in enumerate(one.resources)
        ]
    for failure in failures:
        closure = closures[failure.application.path]
        found.taken |= {os.path.realpath(root / file) for file in closure.files} if closure else set()
        found.taken |= {os.path.realpath(root / failure.application.path / name) for name in KUSTOMIZATION_NAMES}
        file = os.path.normpath(folder / failure.file)
        found.failures.append(RenderFailure(failure.application, failure.message, file, failure.line))


def _application(place: str) -> Application:
    return Application(
        environment="", name=place, path=place, project="", cluster="", namespace="", source=place, generator=""
    )
