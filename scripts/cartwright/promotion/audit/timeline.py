"""The history of an app: every release that came to an environment, and every decision about it, with who and why."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cartwright.history.pinned import Pinned
from cartwright.history.record import Note, Record
from cartwright.history.trailers import Message
from cartwright.kernel.moments import instant
from cartwright.promotion.audit.changes import Explained, explain, named

__all__ = ["Entry", "History", "pin_json", "read_history"]

_VERSION = 2
"""Version of the JSON; a change that breaks a reader raises it."""


@dataclass(frozen=True)
class Entry:
    """One line of an app's history."""

    environment: str
    time: datetime.datetime
    """When it took effect, in UTC."""
    kind: str
    """One of :data:`cartwright.promotion.audit.changes.KINDS`, or ``hold``, ``release-hold``, ``freeze``, ``unfreeze``,
    ``approve``."""
    author: str
    """Who wrote it: ``Name <address>``."""
    commit: str
    """The commit that wrote it."""
    landed: str
    """The commit of the branch that brought it: the same, or a merge."""
    pins: tuple[Pinned, ...] = ()
    """What ran from then on; empty for a decision and for the end of an overlay."""
    name: str | None = None
    """The same as people call it; None for a decision, for the end of an overlay, and where it can't be read."""
    before: tuple[Pinned, ...] = ()
    """What ran until then."""
    tree: str | None = None
    """Id of the release; None where the overlay follows main."""
    config_changed: bool = False
    """Whether its base or components changed."""
    source: str | None = None
    """The environment that the release was promoted from."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """What each gate said, as the trailers have it."""
    approved_by: tuple[str, ...] = ()
    set_name: str | None = None
    reason: str | None = None
    """Why: of a rollback, a hold or a freeze."""
    break_glass: str | None = None
    until: datetime.datetime | None = None
    """End of a hold or freeze."""
    remark: str | None = None
    """What a reader should know: why the trailers were not believed, or why the overlay can't be read."""


@dataclass(frozen=True)
class History:
    """An app's history, newest first."""

    app: str
    """``group/name``."""
    entries: tuple[Entry, ...]
    cut: str | None
    """Where the history of a shallow clone begins."""

    def to_json(self) -> dict[str, Any]:
        """The documented shape of ``promote history --format json``."""
        return {
            "version": _VERSION,
            "app": self.app,
            "cut": self.cut,
            "entries": [_entry(one) for one in self.entries],
        }


def read_history(record: Record, app: str, *, environments: Sequence[str]) -> History:
    """Everything that happened to an app in some environments.

    Args:
        environments: their names; what they ran, and what was decided for them.
    """
    wanted = set(environments)
    events = [event for event in record.events(app=app) if event.environment in wanted]
    entries = [_of_change(one) for one in explain(record, events)]
    entries += [
        _of_note(note, message, record)
        for note in record.notes()
        for message in note.messages
        if message.target in wanted
        and (message.decision or message.approves)
        and (app in {one.app for one in message.moved} or message.decision in {"freeze", "unfreeze", "approve-gates"})
    ]
    entries.sort(key=lambda one: one.time, reverse=True)
    return History(app=app, entries=tuple(entries), cut=record.cut)


def _of_change(one: Explained) -> Entry:
    event, message = one.event, one.message if one.kind != "edit" else None
    return Entry(
        environment=event.environment,
        time=event.time,
        kind=one.kind,
        pins=event.after or (),
        name=None if event.after is None or event.problem else named(event.after, event.tree),
        before=event.before or (),
        tree=event.tree,
        config_changed=event.before_config is not None and one.config is not None,
        author=event.note.author,
        commit=event.note.commit,
        landed=event.commit,
        source=message.source if message else None,
        gates=message.gates if message else {},
        approved_by=message.approved_by if message else (),
        set_name=message.set_name if message else None,
        reason=message.rollback_reason if message else None,
        break_glass=message.break_glass if message else None,
        until=message.until if message else None,
        remark=_remark(one),
    )


def _remark(one: Explained) -> str | None:
    if one.kind != "edit":
        return one.event.problem
    returned = "back to an earlier release; " if one.returned else ""
    return one.event.problem or f"{returned}{one.doubt}"


def _of_note(note: Note, message: Message, record: Record) -> Entry:
    if message.target is None:
        raise ValueError(f"commit {note.commit} tells of no decision")
    landed, time = record.commit_at(note.landed)
    return Entry(
        environment=message.target,
        time=time,
        kind=message.operation,
        author=note.author,
        commit=note.commit,
        landed=landed,
        source=message.source,
        reason=message.reason,
        break_glass=message.break_glass,
        until=message.until,
    )


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "environment": one.environment,
        "time": instant(one.time),
        "kind": one.kind,
        "release": named(one.pins) if one.pins else None,
        "images": [pin_json(pin) for pin in one.pins],
        "before": [pin_json(pin) for pin in one.before],
        "tree": one.tree,
        "configChanged": one.config_changed,
        "from": one.source,
        "author": one.author,
        "commit": one.commit,
        "landed": one.landed,
        "gates": dict(one.gates),
        "approvedBy": list(one.approved_by),
        "set": one.set_name,
        "reason": one.reason,
        "breakGlass": one.break_glass,
        "until": instant(one.until) if one.until else None,
        "remark": one.remark,
    }


def pin_json(pin: Pinned) -> dict[str, Any]:
    """An image at its version, as every command writes it."""
    return {"image": pin.image, "tag": pin.tag, "digest": pin.digest, **({"newName": pin.source} if pin.source else {})}
