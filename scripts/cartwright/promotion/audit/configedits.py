"""Changes of promotable keys that did not come by a promotion, read from Git: the record itself knows of images alone.

The keys are those that apps declare today. Writing a key into an overlay for the first time is no change of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from cartwright.history.git import git, text_at
from cartwright.history.pins import read_pins
from cartwright.history.record import Event, Note, Record
from cartwright.history.snapshot import Snapshot
from cartwright.history.trailers import Message
from cartwright.promotion.audit.changes import Explained
from cartwright.promotion.audit.reviewed import Reason
from cartwright.tree.promotable import Key, declaration_file, read_keys, read_values

__all__ = ["config_changes"]

_FORMAT = "%H%x00%an <%ae>%x00%cn <%ce>%x00%ct%x00%B"


def config_changes(snapshot: Snapshot, record: Record) -> Iterator[tuple[Explained, tuple[Reason, ...]]]:
    """Every change of a promotable key in an environment with upstreams, and why it is none of promotion's; oldest
    first in each overlay.

    Raises:
        UserError: a declaration can't be read: file and line.
    """
    downstream = [name for name, one in snapshot.environments.items() if one.upstreams]
    snapshot.tree.look_up(declaration_file(app) for name in downstream for app in snapshot.applications[name])
    for name in downstream:
        for app in snapshot.applications[name]:
            keys = read_keys(snapshot.tree, app)
            if keys:
                yield from _changes(snapshot, record, name, app, keys)


def _changes(
    snapshot: Snapshot, record: Record, environment: str, app: str, keys: tuple[Key, ...]
) -> Iterator[tuple[Explained, tuple[Reason, ...]]]:
    file = snapshot.overlay_file(environment, app)
    log = git(snapshot.root, "log", "--first-parent", "--reverse", "--format=%H", record.head, "--", file).stdout
    before: dict[Key, str] = {}
    for commit in log.split():
        after = _settings(snapshot, commit, file, keys)
        changed = {key: value for key, value in after.items() if key in before and before[key] != value}
        index = record.index(commit)
        if changed and index is not None:
            event = _event(snapshot, record, index, commit=commit, environment=environment, app=app, file=file)
            reasons = tuple(_reasons(snapshot, event, before, changed))
            yield Explained(event=event, kind="edit", claim=None, doubt=None, returned=False), reasons
        before = after


def _settings(snapshot: Snapshot, commit: str, file: str, keys: tuple[Key, ...]) -> dict[Key, str]:
    return read_values(text_at(snapshot.root, commit, file), file, keys)


def _event(
    snapshot: Snapshot, record: Record, index: int, *, commit: str, environment: str, app: str, file: str
) -> Event:
    """The change as an event; the pins on both sides are those that the overlay has after it."""
    # A merge is explained by the newest commit of its side that changed the file.
    log = git(snapshot.root, "log", "-1", f"--format={_FORMAT}", f"{commit}^1..{commit}", "--", file).stdout
    origin, author, committer, stamp, text = log.split("\0", 4)
    pins = read_pins(text_at(snapshot.root, commit, file) or "", file)
    time = datetime.datetime.fromtimestamp(int(stamp), datetime.UTC)
    return Event(
        app=app,
        environment=environment,
        index=index,
        commit=commit,
        time=record.landed(index, as_of=record.now),
        note=Note(commit=origin, landed=index, time=time, author=author, committer=committer, text=text),
        before=pins,
        after=pins,
        file=file,
        problem=None,
    )


def _reasons(snapshot: Snapshot, event: Event, before: dict[Key, str], changed: dict[Key, str]) -> Iterator[Reason]:
    message = event.message
    if message is not None and message.break_glass:
        return
    told = _told(message, event)
    for key, value in changed.items():
        if f"{key}={value}" not in told:
            yield Reason("hand-edit", f"{key} went from '{before[key]}' to '{value}' by hand: no trailer tells of it")
        elif message is not None and message.source is not None and snapshot.find(message.source, event.app):
            file = snapshot.overlay_file(message.source, event.app)
            there = _settings(snapshot, f"{event.commit}^1", file, (key,)).get(key)
            if there != value:
                yield Reason("upstream-other", f"{message.source} set {key} to '{there or ''}' then, not to '{value}'")


def _told(message: Message | None, event: Event) -> tuple[str, ...]:
    """What the trailers say of this app's keys."""
    if message is None or message.operation not in {"promote", "rollback"} or message.target != event.environment:
        return ()
    return next((one.config for one in message.moved if one.app == event.app), ())
