"""What one app gets: the release that it shall run compared with the one it runs, and the edits that lead there.

An overlay with ``release/`` gets other files there: no text is edited, the target's tree becomes the release's. An
overlay without one follows main, so that its images alone can be set, in its own kustomization.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cartwright.history.git import Blob
from cartwright.history.pinned import Pinned
from cartwright.history.pins import read_pins
from cartwright.history.release import Pin, Release
from cartwright.history.releasetree import FILE, Entry, ReleaseTree, render_kustomization
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError, nearest
from cartwright.tree.applications import Application
from cartwright.yaml.edit import Edit, edit
from cartwright.yaml.read import load

__all__ = ["ALL", "CONFIG", "IMAGES", "Change", "FileEdit", "Move", "as_pin", "blob_edit", "make_move"]

IMAGES, CONFIG = "images", "config"
ALL = frozenset({IMAGES, CONFIG})
"""The parts of a release."""


@dataclass(frozen=True)
class Change:
    """One thing that becomes another."""

    image: str
    """Name of the image; empty where something else changes."""
    key: str
    """``newTag``, ``digest`` or ``newName``; ``config`` for all but the images; ``release`` where only the bytes of its
    kustomization differ."""
    line: int
    """One-based line in the target's kustomization."""
    old: str
    new: str


@dataclass(frozen=True)
class FileEdit:
    """A file that gets new content, or goes."""

    path: str
    before: Entry | None
    """Mode and object id; None where the file is made."""
    after: str | None = None
    """Its text; None where the content is in Git already, or the file goes."""
    entry: Entry | None = None
    """Mode and object id of content that is in Git already."""

    @property
    def is_removal(self) -> bool:
        """Whether the file goes."""
        return self.after is None and self.entry is None

    @property
    def mode(self) -> str:
        """Mode of the file; an edit of text keeps it."""
        if self.entry is not None:
            return self.entry[0]
        return self.before[0] if self.before else "100644"


@dataclass(frozen=True)
class Move:
    """What one app gets."""

    app: str
    """``group/name``."""
    application: Application
    """The target's Application."""
    file: str
    """The kustomization that pins the target's images."""
    release: Release
    """What it shall run."""
    current: Release
    """What it runs."""
    changes: tuple[Change, ...]
    """What differs; empty where it runs the release already."""
    unmatched: tuple[str, ...] = ()
    """Images that only the target pins, and that stay as they are."""
    parts: frozenset[str] = ALL
    """Which parts of the release move: :data:`IMAGES`, :data:`CONFIG`."""

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The images that move."""
        return self.release.pins if IMAGES in self.parts else ()

    @property
    def sources(self) -> Mapping[str, str]:
        """Where the target will take each image from, by the image's name: ``newName``, or that name itself."""
        tree = self.release.tree
        pins = self.current.pins if tree is None else read_pins(tree.text, self.file)
        return {pin.image: pin.source or pin.image for pin in pins}

    @property
    def config(self) -> str | None:
        """Identity of the configuration that moves; None where none does."""
        return self.release.config if CONFIG in self.parts else None


def as_pin(pinned: Pinned) -> Pin:
    """A pin that stands in no file of this commit."""
    return Pin(pinned.image, pinned.tag, pinned.digest, pinned.source)


def make_move(
    snapshot: Snapshot, target: str, app: str, release: Release, *, parts: frozenset[str] = ALL
) -> tuple[Move, list[FileEdit]]:
    """What an app gets in an environment, and the files that change for it.

    Args:
        release: what it shall run. Without a tree, its images alone move.
        parts: what of it moves; the rest stays the target's own.

    Raises:
        UserError: the overlay lacks one of the images, or can't be edited: file and line.
    """
    current = snapshot.release(target, app)
    if release.tree is None or current.tree is None:
        parts = parts & {IMAGES}
    if parts != ALL and current.tree is not None:
        release = _in_part(release, current, parts)
    changes, edits = _compare(release, current, parts)
    if release.tree is not None and current.tree is not None:
        files = _differing(f"{snapshot.release_folder(target, app)}/", release.tree, current.tree)
        changes += _compare_trees(release.tree, current.tree, bool(changes))
    elif edits:
        before = snapshot.tree.blob(current.file)
        files = [blob_edit(current.file, before, edit(before.text, edits, file=current.file))]
    else:
        files = []
    only_here = {pin.image for pin in current.pins} - {pin.image for pin in release.pins}
    move = Move(
        app=app,
        application=snapshot.application(target, app),
        file=current.file,
        release=release,
        current=current,
        changes=tuple(changes),
        unmatched=tuple(sorted(only_here)) if release.tree is None else (),
        parts=parts,
    )
    return move, files


def _in_part(release: Release, current: Release, parts: frozenset[str]) -> Release:
    """The release that the target runs when some parts of another one came: its own in all the rest."""
    ours, theirs = current.tree, release.tree
    if ours is None:
        return release
    if CONFIG not in parts:
        text = edit(ours.text, _compare(release, current, parts)[1], file=current.file)
        pins = {pin.image: pin for pin in current.pins} | {pin.image: pin for pin in release.pins}
        return replace(release, pins=tuple(pins.values()), tree=ours.with_text(text))
    if theirs is None:
        return release
    listed = load(theirs.text, release.file)
    resources = [str(one) for one in listed.get("resources") or ()] if isinstance(listed, dict) else []
    tree = theirs.with_text(render_kustomization(resources, current.pins))
    return replace(release, pins=current.pins, tree=tree)


def _compare(release: Release, current: Release, parts: frozenset[str]) -> tuple[list[Change], list[Edit]]:
    """The images that differ, and the edits of the target's kustomization that make them the same."""
    if IMAGES not in parts:
        return [], []
    pins = {pin.image: pin for pin in current.pins}
    changes: list[Change] = []
    edits: list[Edit] = []
    for wanted in release.pins:
        pin = pins.get(wanted.image)
        if pin is None and CONFIG in parts:  # a new image comes with the base that has it
            changes.append(Change(image=wanted.image, key="newTag", line=1, old="none", new=str(wanted)))
            continue
        if pin is None:
            raise UserError(
                f"images has no entry '{wanted.image}'; a promotion only replaces values",
                file=current.file,
                hint=nearest(wanted.image, pins),
            )
        for key, old, new, line in _values(pin, wanted):
            if (old or "") != new:
                changes.append(Change(image=pin.image, key=key, line=line, old=old or "none", new=new or "none"))
                edits.append(Edit(path=("images", pin.index, key), value=new, document=pin.document))
        if parts == ALL and pin.source != wanted.source:
            old, new = (one.source or one.image for one in (pin, wanted))
            changes.append(Change(image=pin.image, key="newName", line=pin.line, old=old, new=new))
    return changes, edits


def _values(pin: Pin, wanted: Pin) -> list[tuple[str, str | None, str, int]]:
    """Key, old value, new value and line of what a promotion moves; a tag that YAML takes for a number differs."""
    tag = pin.tag if pin.tag_is_text else f"{pin.tag} (not text)"
    return [
        ("newTag", tag, wanted.tag or "", pin.tag_line),
        ("digest", pin.digest, wanted.digest or "", pin.digest_line),
    ]


def _compare_trees(wanted: ReleaseTree, current: ReleaseTree, is_told: bool) -> list[Change]:
    """What differs besides images; the same id is the same bytes."""
    if wanted.config != current.config:
        return [Change(image="", key=CONFIG, line=1, old=current.config[:12], new=wanted.config[:12])]
    if wanted.id != current.id and not is_told:
        return [Change(image="", key="release", line=1, old=current.id[:12], new=wanted.id[:12])]
    return []


def _differing(prefix: str, wanted: ReleaseTree, current: ReleaseTree) -> list[FileEdit]:
    """The edits that put a tree in the place of another one."""
    found = []
    for path in sorted({*wanted.files, *current.files}):
        new, old = wanted.files.get(path), current.files.get(path)
        if new == old:
            continue
        if path == FILE and new is not None:  # its text may not be in Git yet
            found.append(FileEdit(path=prefix + path, before=old, after=wanted.text))
        else:
            found.append(FileEdit(path=prefix + path, before=old, entry=new))
    return found


def blob_edit(path: str, before: Blob | None, after: str) -> FileEdit:
    """A text file that gets new content, or is made."""
    return FileEdit(path=path, before=(before.mode, before.oid) if before else None, after=after)
