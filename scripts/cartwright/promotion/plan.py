"""Working out a promotion from committed content: what changes, in which file. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cartwright.applications import Application, find_applications
from cartwright.closure import kustomization_file
from cartwright.environments import Environment, load_environments, pick_environment
from cartwright.errors import UserError, nearest
from cartwright.promotion.editing import Edit, edit
from cartwright.promotion.git import Blob, Head, read_blob, read_head
from cartwright.promotion.release import Pin, Release, read_release
from cartwright.repository import Tree, open_tree

__all__ = ["Change", "Plan", "make_plan"]


@dataclass(frozen=True)
class Change:
    """One scalar that gets a new value."""

    image: str
    key: str
    """``newTag`` or ``digest``."""
    line: int
    """One-based line in the target's kustomization."""
    old: str
    new: str


@dataclass(frozen=True)
class Plan:
    """A promotion, ready to be shown or committed."""

    app: str
    """``group/name``."""
    source: str
    """The environment that runs the release."""
    target: str
    """The environment that gets it."""
    release: Release
    """What is promoted."""
    file: str
    """The target's kustomization."""
    changes: tuple[Change, ...]
    """What differs; empty where the target runs the release already."""
    unmatched: tuple[str, ...]
    """Images that only the target pins, and that stay as they are."""
    head: Head
    """The commit that all of this was read from."""
    before: Blob
    """The target's kustomization as it is."""
    after: str
    """The same with the changes made."""
    application: Application
    """The target's Application."""
    tree: Tree
    """The committed files."""


def make_plan(root: Path, app: str, *, source: str, target: str) -> Plan:
    """Plan the promotion of an app's release from the current commit.

    Args:
        root: the repository.
        app: ``name`` or ``group/name``.
        source: the environment that runs the release.
        target: the environment that shall get it: one that names ``source`` as its upstream.

    Raises:
        UserError: unknown names (the nearest is named), environments that are not adjacent, a release without tag or
            digest, or a file that can't be edited: each with file and line.
    """
    head = read_head(root)
    tree = open_tree(root, head.commit)
    environments = load_environments(tree)
    _require_adjacent(environments, source, target)
    overlays = _overlays(find_applications(tree, environments), source, target)
    key = _pick_app(app, {name for apps in overlays.values() for name in apps})
    for environment in (source, target):
        if key not in overlays[environment]:
            raise UserError(
                f"has no overlay in {environment}", file=key, hint=f"write environments/{environment}/{key}"
            )
    release = _read(root, head, tree, overlays[source][key])[1]
    release.require_complete()
    before, current = _read(root, head, tree, overlays[target][key])
    changes, edits = _compare(release, current)
    return Plan(
        app=key,
        source=source,
        target=target,
        release=release,
        file=current.file,
        changes=tuple(changes),
        unmatched=tuple(sorted({pin.image for pin in current.pins} - {pin.image for pin in release.pins})),
        head=head,
        before=before,
        after=edit(before.text, edits, file=current.file) if edits else before.text,
        application=overlays[target][key],
        tree=tree,
    )


def _require_adjacent(environments: Mapping[str, Environment], source: str, target: str) -> None:
    pick_environment(environments, source)
    upstreams = pick_environment(environments, target).upstreams
    if source not in upstreams:
        order = f"{target} takes releases from {' and '.join(upstreams)}" if upstreams else f"{target} has no upstream"
        raise UserError(
            f"nothing is promoted from {source} to {target}", file=environments[target].file, hint=f"{order}"
        )


def _overlays(applications: Iterable[Application], source: str, target: str) -> dict[str, dict[str, Application]]:
    """The Applications of apps in both environments: environment, then ``group/name``."""
    found: dict[str, dict[str, Application]] = {source: {}, target: {}}
    for one in applications:
        if one.environment in found and one.path.startswith("environments/"):
            found[one.environment][one.app] = one
    return found


def _pick_app(app: str, known: set[str]) -> str:
    if app in known:
        return app
    named = sorted(key for key in known if key.rpartition("/")[2] == app)
    if len(named) == 1:
        return named[0]
    if named:
        raise UserError(f"'{app}' is {' and '.join(named)}", hint="name the group too")
    names = known if "/" in app else {key.rpartition("/")[2] for key in known}
    raise UserError(f"no app '{app}'", hint=nearest(app, names))


def _read(root: Path, head: Head, tree: Tree, application: Application) -> tuple[Blob, Release]:
    file = kustomization_file(tree, application.path)
    if file is None:
        raise UserError("has no kustomization.yaml", file=application.path)
    blob = read_blob(root, head.commit, file)
    return blob, read_release(blob.text, file)


def _compare(release: Release, current: Release) -> tuple[list[Change], list[Edit]]:
    pins = {pin.image: pin for pin in current.pins}
    changes: list[Change] = []
    edits: list[Edit] = []
    for wanted in release.pins:
        pin = pins.get(wanted.image)
        if pin is None:
            raise UserError(
                f"images has no entry '{wanted.image}', and a promotion only replaces values",
                file=current.file,
                hint=nearest(wanted.image, pins),
            )
        for key, old, new, line in _values(pin, wanted):
            if old != new:
                changes.append(Change(image=pin.image, key=key, line=line, old=old or "none", new=new))
                edits.append(Edit(path=("images", pin.index, key), value=new, document=pin.document))
    return changes, edits


def _values(pin: Pin, wanted: Pin) -> list[tuple[str, str | None, str, int]]:
    """Key, old value, new value and line of what a promotion moves; a tag that YAML takes for a number differs."""
    tag = pin.tag if pin.tag_is_text else f"{pin.tag} (not text)"
    return [
        ("newTag", tag, wanted.tag or "", pin.tag_line),
        ("digest", pin.digest, wanted.digest or "", pin.digest_line),
    ]
