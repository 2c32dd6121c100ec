"""The release of an environment that follows main: what a promotion takes from there.

The first environment has no ``release/``: its overlays refer to ``apps/``, so what it runs of an app is what main says.
A promotion carries the files of that closure, each under its own path, and the images that the overlay pins.

Later environments switch on components that the first one may not use. Each of them that an overlay names below its
``release/`` is carried too, as main has it, so that a release is whole wherever it goes; and so is what an overlay that
is not there yet will begin with.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator

from cartwright.history.bases import bases_of, content_of
from cartwright.history.release import Release
from cartwright.history.releasetree import FILE, FOLDER, ReleaseTree, render_kustomization, require_plain
from cartwright.history.snapshot import CommitTree, Snapshot
from cartwright.history.store import TOPS
from cartwright.history.trees import blob_id
from cartwright.kernel.errors import UserError
from cartwright.tree.beginnings import Beginning, beginning_of
from cartwright.tree.closure import KUSTOMIZATION_NAMES, find_closure, is_remote, join, kustomization_file, references

__all__ = ["carried_release", "read_ahead"]


def carried_release(snapshot: Snapshot, environment: str, app: str, *, bring: Collection[str] = ()) -> Release:
    """What an environment runs of an app, as a release: its own where it has one, else made from main.

    Args:
        snapshot: the repository at a commit.
        environment: where it runs.
        app: ``group/name``.
        bring: files and folders that are carried though no overlay refers to them yet, by their path.

    Raises:
        UserError: the overlay can't be read, refers to a symbolic link or to files that a release can't hold, or to
            nothing outside of its own folder: file and line.
    """
    if not bring:
        return snapshot.tree.once(("carried", environment, app), lambda: _carried(snapshot, environment, app, ()))
    return _carried(snapshot, environment, app, bring)


def _carried(snapshot: Snapshot, environment: str, app: str, bring: Collection[str]) -> Release:
    release = snapshot.release(environment, app)
    if release.tree is not None:
        return release
    tree, folder = snapshot.tree, snapshot.application(environment, app).path
    own = snapshot.overlay_file(environment, app)
    resources = bases_of(tree.text(own), own)
    if not resources:
        raise UserError("refers to no base outside of its folder, so there is no release to carry", file=own)
    wanted = [*bring, *_switched_on(snapshot, environment, app)]
    _read_ahead(tree, [*resources, *wanted])
    files = {path for path in find_closure(tree, folder).files if not path.startswith(f"{folder}/")}
    for path in wanted:
        files.update(_closure(tree, path, own))
    entries = {}
    for path in sorted(files):
        if path.partition("/")[0] not in TOPS:
            where = "leads out of the repository" if path.startswith("../") else f"stands outside of {', '.join(TOPS)}"
            raise UserError(f"refers to {path}, which {where}; a release can't carry it", file=own)
        entry = tree.entry(path)
        if entry is None:
            raise UserError(f"refers to {path}, which is not in commit {tree.commit[:7]}", file=own)
        entries[path] = entry
    require_plain(entries, file=own)
    text = render_kustomization(resources, release.pins)
    entries[FILE] = ("100644", blob_id(text.encode(), like=tree.commit))
    return Release(file=own, pins=release.pins, tree=ReleaseTree(files=entries, text=text, like=tree.commit))


def _switched_on(snapshot: Snapshot, source: str, app: str) -> Iterator[str]:
    """What the overlays of other environments name below their ``release/``, by its path in the repository."""
    for environment, settings in snapshot.environments.items():
        if environment == source:
            continue
        if snapshot.find(environment, app) is None:
            if settings.upstreams:
                yield from _begun_with(snapshot.tree, beginning_of(settings, app))
            continue
        file = snapshot.overlay_file(environment, app)
        folder = posixpath.dirname(file)
        for name in _named(snapshot.tree, file):
            path = join(file, name)
            inside = path.removeprefix(f"{folder}/{FOLDER}/")
            # What went from main is carried no longer: the overlay can't be promoted to until it lets go of it.
            if inside != path and _exists(snapshot.tree, inside):
                yield inside


def _begun_with(tree: CommitTree, beginning: Beginning) -> Iterator[str]:
    """The components of an overlay that is not there yet; one that main does not have is for the promotion to name."""
    for path in beginning.components:
        tree.list_whole(path)
        if _exists(tree, path):
            yield path


def _named(tree: CommitTree, file: str) -> tuple[str, ...]:
    """What a kustomization refers to, as it is written; overlays of many apps have the same text."""
    text = tree.text(file)
    return tree.once(("named", text), lambda: tuple(name for _, name, _ in references(content_of(text, file))))


def _closure(tree: CommitTree, path: str, file: str) -> Iterable[str]:
    """Every file that something refers to, a file or a folder with a kustomization."""
    if tree.is_file(path):
        return [path]
    if kustomization_file(tree, path) is None:
        raise UserError(f"no file and no kustomization at {path}, so it can't be carried", file=file)
    return tree.once(("closure", path), lambda: find_closure(tree, path).files)


def _exists(tree: CommitTree, path: str) -> bool:
    return tree.is_file(path) or kustomization_file(tree, path) is not None


def read_ahead(snapshot: Snapshot, overlays: Iterable[tuple[str, str]]) -> None:
    """Read at once what the releases of many apps are made from.

    Args:
        snapshot: the repository at a commit.
        overlays: environment and app of each.
    """
    tree = snapshot.tree
    shared = (path for path in tree.listed("apps") if path.rpartition("/")[2] in KUSTOMIZATION_NAMES)
    places = list(overlays)
    own = (snapshot.overlay_file(environment, app) for environment, app in places)
    pins = (snapshot.pins_file(environment, app) for environment, app in places)
    tree.preload([*shared, *own, *pins])


def _read_ahead(tree: CommitTree, places: Iterable[str]) -> None:
    """List what may be referred to and read its kustomizations at once, not with a program each."""
    for top in {place.partition("/")[0] for place in places if not place.startswith("..") and not is_remote(place)}:
        tree.list_whole(top)
    # Below these folders alone: the matrix comes here once for each app, and all of apps/ grows with the apps.
    near = (path for one in {*places, "apps/components"} if one.startswith("apps/") for path, _ in tree.below(one))
    tree.preload(path for path in near if path.rpartition("/")[2] in KUSTOMIZATION_NAMES)
