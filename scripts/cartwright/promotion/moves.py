"""What one app gets: the release that it shall run compared with the one it runs, and the edits that lead there."""

from __future__ import annotations

from dataclasses import dataclass

from cartwright.history.git import Blob
from cartwright.history.release import Pin, Pinned, Release
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError, nearest
from cartwright.tree.applications import Application
from cartwright.tree.promotable import Key, read_keys, read_settings, read_values, require_setting
from cartwright.yaml.edit import Edit, edit

__all__ = ["Change", "FileEdit", "Move", "Source", "as_pin", "make_move", "settings_differ"]


@dataclass(frozen=True)
class Change:
    """One scalar that gets a new value."""

    image: str
    """Name of the image; empty where a promotable key changes."""
    key: str
    """``newTag`` or ``digest``, or a promotable key: ``configmap/KEY``."""
    line: int
    """One-based line in the target's kustomization."""
    old: str
    new: str


@dataclass(frozen=True)
class FileEdit:
    """A file that gets new content."""

    path: str
    before: Blob | None
    """None where the file is made."""
    after: str

    @property
    def mode(self) -> str:
        """Mode of the file, which an edit keeps."""
        return self.before.mode if self.before else "100644"


@dataclass(frozen=True)
class Move:
    """What one app gets."""

    app: str
    """``group/name``."""
    application: Application
    """The target's Application."""
    file: str
    """The target's kustomization."""
    release: Release
    """What it shall run."""
    current: Release
    """What it runs."""
    changes: tuple[Change, ...]
    """What differs; empty where it runs the release already."""
    unmatched: tuple[str, ...] = ()
    """Images that only the target pins, and that stay as they are."""
    config: tuple[tuple[Key, str], ...] = ()
    """The promotable keys that come with the release, and their values."""


@dataclass(frozen=True)
class Source:
    """An overlay whose promotable keys come with the release."""

    text: str
    file: str
    name: str
    """What messages call it."""
    is_past: bool = False
    """Whether it is of an earlier commit: a key that it does not set is left as it is, then."""


def as_pin(pinned: Pinned) -> Pin:
    """A pin that stands in no file of this commit."""
    return Pin(pinned.image, pinned.tag, pinned.digest, pinned.source)


def make_move(
    snapshot: Snapshot, target: str, app: str, release: Release, *, source: Source | None = None
) -> tuple[Move, list[FileEdit]]:
    """What an app gets in an environment, and the files that change for it.

    Args:
        source: where the app's promotable keys come from; they stay as they are by default.

    Raises:
        UserError: the overlay lacks one of the images or keys, or can't be edited: file and line.
    """
    before = snapshot.overlay(target, app)
    current = snapshot.release(target, app)
    changes, edits = _compare(release, current)
    config: dict[Key, str] = {}
    if source is not None:
        keys = read_keys(snapshot.tree, app)
        config, more_changes, more_edits = _compare_config(keys, source, before.text, current.file, target)
        changes += more_changes
        edits += more_edits
    move = Move(
        app=app,
        application=snapshot.application(target, app),
        file=current.file,
        release=release,
        current=current,
        changes=tuple(changes),
        unmatched=tuple(sorted({pin.image for pin in current.pins} - {pin.image for pin in release.pins})),
        config=tuple(sorted(config.items())),
    )
    if not edits:
        return move, []
    return move, [FileEdit(path=current.file, before=before, after=edit(before.text, edits, file=current.file))]


def _compare(release: Release, current: Release) -> tuple[list[Change], list[Edit]]:
    pins = {pin.image: pin for pin in current.pins}
    changes: list[Change] = []
    edits: list[Edit] = []
    for wanted in release.pins:
        pin = pins.get(wanted.image)
        if pin is None:
            raise UserError(
                f"images has no entry '{wanted.image}'; a promotion only replaces values",
                file=current.file,
                hint=nearest(wanted.image, pins),
            )
        for key, old, new, line in _values(pin, wanted):
            if old != new:
                changes.append(Change(image=pin.image, key=key, line=line, old=old or "none", new=new))
                edits.append(Edit(path=("images", pin.index, key), value=new, document=pin.document))
    return changes, edits


def _compare_config(
    keys: tuple[Key, ...], source: Source, text: str, file: str, target: str
) -> tuple[dict[Key, str], list[Change], list[Edit]]:
    """Every promotable key with the value that the source gives it, and what changes for that."""
    theirs, ours = (read_settings(one, at, keys) for one, at in ((source.text, source.file), (text, file)))
    wanted: dict[Key, str] = {}
    changes: list[Change] = []
    edits: list[Edit] = []
    for key in keys:
        if key not in theirs and (source.is_past or key not in ours):
            continue
        wanted[key] = new = require_setting(theirs, key, file=source.file, other=target).value
        old = require_setting(ours, key, file=file, other=source.name)
        if old.value != new:
            changes.append(Change(image="", key=str(key), line=old.line, old=old.value or "''", new=new or "''"))
            edits.append(Edit(path=old.path, value=f"{key.name}={new}", document=old.document))
    return wanted, changes, edits


def settings_differ(snapshot: Snapshot, app: str, source: str, target: str) -> bool:
    """Whether two environments give an app's promotable keys other values.

    Raises:
        UserError: a file can't be read: file and line.
    """
    keys = read_keys(snapshot.tree, app)
    one, other = (
        read_values(snapshot.overlay(name, app).text, snapshot.overlay_file(name, app), keys) if keys else {}
        for name in (source, target)
    )
    return one != other


def _values(pin: Pin, wanted: Pin) -> list[tuple[str, str | None, str, int]]:
    """Key, old value, new value and line of what a promotion moves; a tag that YAML takes for a number differs."""
    tag = pin.tag if pin.tag_is_text else f"{pin.tag} (not text)"
    return [
        ("newTag", tag, wanted.tag or "", pin.tag_line),
        ("digest", pin.digest, wanted.digest or "", pin.digest_line),
    ]
