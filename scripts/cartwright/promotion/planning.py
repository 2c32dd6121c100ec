"""Working out each kind of intent from committed content: what changes, in which files. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cartwright.history.carry import carried_release, read_ahead
from cartwright.history.pins import read_pins
from cartwright.history.record import Running
from cartwright.history.release import Pin, Release
from cartwright.history.snapshot import Snapshot, read_release_tree
from cartwright.kernel.errors import UserError, nearest
from cartwright.promotion import intents
from cartwright.promotion.beginning import first_move
from cartwright.promotion.deciding import DECIDERS, hold_of, state_edit
from cartwright.promotion.gates.conditions import approvals_asked, asks_forge
from cartwright.promotion.moves import ALL, CONFIG, IMAGES, FileEdit, Move, as_pin, make_move
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.sets import read_set
from cartwright.tree import decisions
from cartwright.tree.environments import pick_environment
from cartwright.tree.upstreams import require_edge

__all__ = ["make_plan"]

_SHORTEST = 7
"""Digits of a tree id that name a release."""


def make_plan(intent: intents.Intent, context: Context) -> Plan:
    """Plan an intent on the context's commit.

    Raises:
        UserError: unknown names (the nearest is named), environments that are not adjacent, a release without tag or
            digest, or a file that can't be edited: each with file and line.
    """
    planner: Callable[[Any, Context], Plan] = _PLANNERS[type(intent)]
    return planner(intent, context)


def _promote(intent: intents.Promote, context: Context) -> Plan:
    snapshot = context.snapshot
    require_edge(snapshot.environments, intent.source, intent.target)
    sides = (intent.source, intent.target)
    if intent.everything:
        names = [app for app in snapshot.applications[intent.source] if app in snapshot.applications[intent.target]]
    else:
        words = intent.apps if intent.set_name is None else read_set(snapshot, intent.set_name)
        names = [snapshot.pick_app(word, environments=sides) for word in (*words, *intent.along)]
    parts = frozenset({intent.only}) if intent.only else ALL
    if len(names) > 1:
        read_ahead(snapshot, [(side, app) for app in names for side in sides if snapshot.find(side, app)])
    moves: list[Move] = []
    edits: list[FileEdit] = []
    unreadable: list[tuple[str, UserError]] = []
    for app in dict.fromkeys(names):
        if intent.everything and not _has_release(snapshot, intent, app):
            continue
        try:
            if snapshot.find(intent.target, app) is None:
                move, files = first_move(snapshot, intent, app)
            else:
                release = _taken(snapshot, intent, app)
                move, files = make_move(snapshot, intent.target, app, release, parts=parts)
        except UserError as error:
            if not intent.everything:
                raise
            unreadable.append((app, error))
            continue
        if move.changes or not intent.everything:
            moves.append(move)
            edits += files
    return Plan(
        intent=intent,
        snapshot=snapshot,
        operation="promote",
        source=intent.source,
        target=snapshot.environments[intent.target],
        moves=tuple(moves),
        edits=tuple(edits),
        unreadable=tuple(unreadable),
    )


def _has_release(snapshot: Snapshot, intent: intents.Promote, app: str) -> bool:
    """Whether there is anything to promote: files of the target's ``release/``, or an image that the source pins."""
    if snapshot.release_folder(intent.target, app) is not None:
        return True
    file = snapshot.pins_file(intent.source, app)
    return bool(read_pins(snapshot.tree.blob(file).text, file))


def _taken(snapshot: Snapshot, intent: intents.Promote, app: str) -> Release:
    """What the source runs of an app: the whole release, or its images where the target follows main.

    Raises:
        UserError: it can't be read, or is not complete: file and line.
    """
    if snapshot.release_folder(intent.target, app) is None:
        release = replace(snapshot.release(intent.source, app), tree=None)
        release.require_complete()
        return release
    release = carried_release(snapshot, intent.source, app, bring=intent.bring)
    if intent.only != CONFIG:
        release.require_complete(known=snapshot.release(intent.target, app).pins)
    return release


def _set_image(intent: intents.SetImage, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    app = snapshot.pick_app(intent.app, environments=[target.name])
    current = snapshot.release(target.name, app)
    pinned = read_pins(snapshot.tree.blob(current.file).text, current.file)
    names = {pin.source or pin.image: pin.image for pin in pinned} | {pin.image: pin.image for pin in pinned}
    wanted = {}
    for image in intent.images:
        if image.name not in names:
            raise UserError(
                f"images has no entry '{image.name}'",
                file=current.file,
                hint=nearest(image.name, names),
            )
        wanted[names[image.name]] = image
    release = Release(
        file=current.file,
        pins=tuple(Pin(name, image.tag, image.digest) for name, image in wanted.items()),
    )
    release.require_complete()
    if current.tree is not None:
        release = replace(release, tree=current.tree)
    move, edits = make_move(snapshot, target.name, app, release, parts=frozenset({IMAGES}))
    return Plan(intent=intent, snapshot=snapshot, operation="set", target=target, moves=(move,), edits=tuple(edits))


def _rollback(intent: intents.Rollback, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    app = snapshot.pick_app(intent.app, environments=[target.name])
    timeline = context.record.timeline(target.name, app)
    earlier = _earlier(timeline, intent.release, app, target.name)
    current = snapshot.release(target.name, app)
    tree = read_release_tree(snapshot.root, earlier.tree) if earlier.tree and current.tree else None
    release = Release(file=current.file, pins=tuple(map(as_pin, earlier.pins)), tree=tree)
    release.require_complete(known=current.pins)
    if current.tree is not None and tree is None:  # it ran before the overlay had a release: its images alone are known
        release = replace(release, tree=current.tree)
        move, edits = make_move(snapshot, target.name, app, release, parts=frozenset({IMAGES}))
    else:
        move, edits = make_move(snapshot, target.name, app, release)
    if intent.hold_until is not None:
        hold = hold_of(app, release, intent.reason, context.by, intent.hold_until)
        added = state_edit(snapshot, target.name, lambda text, file: decisions.add_hold(text, hold, file=file))
        edits += [added] if added else []
    return Plan(
        intent=intent,
        snapshot=snapshot,
        operation="rollback",
        target=target,
        moves=(move,),
        edits=tuple(edits),
        reason=intent.reason,
        until=intent.hold_until,
    )


def _earlier(timeline: Sequence[Running], wanted: str | None, app: str, environment: str) -> Running:
    """The release to go back to."""
    complete = [one for one in timeline if one.pins or one.tree]
    if not complete:
        raise UserError(f"{app} has run no release in {environment}")
    if wanted is None:
        # The oldest time that today's release ran: what came between was rolled back itself.
        now = (complete[0].pins, complete[0].tree)
        first = max(number for number, one in enumerate(complete) if (one.pins, one.tree) == now)
        if first + 1 == len(complete):
            raise UserError(f"{app} has run no release in {environment} before {_named(complete[0])}")
        return complete[first + 1]
    for one in complete:
        if wanted in {pin.tag for pin in one.pins} | {pin.digest for pin in one.pins}:
            return one
        if one.tree is not None and len(wanted) >= _SHORTEST and one.tree.startswith(wanted):
            return one
    known = {pin.tag or "" for one in complete for pin in one.pins}
    raise UserError(f"{app} has never run release '{wanted}' in {environment}", hint=nearest(wanted, known))


def _named(running: Running) -> str:
    return ", ".join(map(str, running.pins))


def _approve(intent: intents.Approve, context: Context) -> Plan:
    promotion = _promote(intents.Promote(source=intent.source, target=intent.target, apps=intent.apps), context)
    if asks_forge(approvals_asked(promotion.target.content["gates"])[1]):
        raise UserError(
            f"{intent.target} takes approvals from the forge alone",
            hint="review the pull or merge request that `cartwright promote … --pr` opened",
        )
    return Plan(
        intent=intent,
        snapshot=context.snapshot,
        operation="approve",
        source=intent.source,
        target=promotion.target,
        moves=promotion.moves,
    )


_PLANNERS: dict[type[Any], Callable[[Any, Context], Plan]] = {
    **DECIDERS,
    intents.Promote: _promote,
    intents.SetImage: _set_image,
    intents.Rollback: _rollback,
    intents.Approve: _approve,
}
