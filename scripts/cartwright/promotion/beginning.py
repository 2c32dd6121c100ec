"""The first promotion of an app into an environment: it brings the release, and makes the overlay that refers to it.

What the overlay says is the environment's own: its environment.yaml lists what a new app begins with there.
"""

from __future__ import annotations

from cartwright.history.bases import content_of
from cartwright.history.carry import carried_release
from cartwright.history.release import Release
from cartwright.history.releasetree import FILE, FOLDER, ReleaseTree
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError, nearest
from cartwright.promotion.intents import Promote
from cartwright.promotion.moves import CONFIG, Change, FileEdit, Move, blob_edit
from cartwright.tree.beginnings import Beginning, beginning_of, render_overlay
from cartwright.tree.closure import KUSTOMIZATION_NAMES
from cartwright.tree.environments import Environment
from cartwright.yaml.read import line_of, nodes

__all__ = ["first_move"]


def first_move(snapshot: Snapshot, intent: Promote, app: str) -> tuple[Move, list[FileEdit]]:
    """What an app gets in an environment that has no overlay of it, and the files that are made for it.

    Raises:
        UserError: the source can't be promoted; only a part is asked for; the release lacks a component that
            environment.yaml names (file and line); or no ApplicationSet would deploy the overlay.
    """
    target = snapshot.environments[intent.target]
    if not snapshot.application(intent.source, app).path.startswith("environments/"):
        raise UserError(f"has no overlay in {target.name}", file=app, hint=f"write clusters/{target.cluster}")
    if intent.only:
        raise UserError(
            f"has no overlay in {target.name} yet, so its whole release goes there", file=app, hint="leave --only out"
        )
    release = carried_release(snapshot, intent.source, app, bring=intent.bring)
    release.require_complete()
    folder = f"environments/{target.name}/{app}"
    file = f"{folder}/{FOLDER}/{FILE}"
    beginning = beginning_of(target, app)
    tree = _complete(release, beginning, snapshot, intent, app)
    own = snapshot.overlay_file(intent.source, app)
    overlay = render_overlay(
        beginning,
        namespace=content_of(snapshot.tree.text(own), own).get("namespace"),
        resources=[FOLDER],
        top=f"{FOLDER}/",
    )
    made = {f"{folder}/{FILE}": overlay, file: tree.text}
    application = snapshot.with_texts(made).find(target.name, app)
    if application is None:
        raise UserError("no ApplicationSet under argocd/ would deploy it", file=folder, hint="add this folder to one")
    move = Move(
        app=app,
        application=application,
        file=file,
        release=release,
        current=Release(file=file, pins=()),
        changes=(
            *(Change(image=pin.image, key="newTag", line=1, old="none", new=str(pin)) for pin in release.pins),
            Change(image="", key=CONFIG, line=1, old="none", new=tree.config[:12]),
        ),
    )
    shared = [FileEdit(f"{folder}/{FOLDER}/{path}", None, entry=entry) for path, entry in sorted(tree.shared.items())]
    return move, [*(blob_edit(path, None, text) for path, text in made.items()), *shared]


def _complete(release: Release, beginning: Beginning, snapshot: Snapshot, intent: Promote, app: str) -> ReleaseTree:
    """The release's files, which hold every component that the overlay begins with."""
    tree = release.tree
    if tree is None:
        raise UserError("has no release to begin with", file=release.file)
    for number, component in enumerate(beginning.components):
        if any(f"{component}/{name}" in tree.files for name in KUSTOMIZATION_NAMES):
            continue
        place: list[str | int] = ["overlays", beginning.entry or 0, "components", number]
        if snapshot.release_folder(intent.source, app) is None:
            message, hint = f"no component at {component}", nearest(component, _components(snapshot))
        else:
            message = f"the release of {app} in {intent.source} does not hold {component}"
            hint = f"promote {app} to {intent.source} again, which brings it"
        raise _error(snapshot, snapshot.environments[intent.target], place, message, hint)
    return tree


def _components(snapshot: Snapshot) -> set[str]:
    """The folders of shared components."""
    listed = (path.rpartition("/") for path in snapshot.tree.listed("apps/components"))
    return {folder for folder, _, name in listed if name in KUSTOMIZATION_NAMES}


def _error(snapshot: Snapshot, environment: Environment, place: list[str | int], message: str, hint: str) -> UserError:
    root = next(nodes(snapshot.tree.text(environment.file), environment.file))
    return UserError(message, file=environment.file, line=line_of(root, place)[0], hint=hint)
