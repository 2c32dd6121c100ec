"""Working out each kind of intent from committed content: what changes, in which files. Nothing is written here."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cartwright.history.git import text_at
from cartwright.history.pins import read_pins
from cartwright.history.record import Running
from cartwright.history.release import Pin, Release
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError, nearest
from cartwright.promotion import intents
from cartwright.promotion.gates.conditions import approvals_asked, asks_forge
from cartwright.promotion.moves import FileEdit, Source, as_pin, make_move, settings_differ
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.sets import read_set
from cartwright.tree import decisions
from cartwright.tree.environments import Environment, pick_environment
from cartwright.tree.promotable import declaration_file
from cartwright.tree.upstreams import require_edge

__all__ = ["make_plan"]


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
        names: Sequence[str] = _differing(snapshot, intent.source, intent.target)
    elif intent.set_name is not None:
        names = [snapshot.pick_app(word, environments=sides) for word in read_set(snapshot, intent.set_name)]
    else:
        names = [snapshot.pick_app(word, environments=sides) for word in intent.apps]
    names = list(dict.fromkeys(names))
    snapshot.tree.look_up(map(declaration_file, names))
    snapshot.tree.preload(snapshot.overlay_file(side, app) for app in names for side in sides)
    moves, edits = [], []
    for app in names:
        release = snapshot.release(intent.source, app)
        release.require_complete()
        overlay = snapshot.overlay(intent.source, app)
        source = Source(text=overlay.text, file=release.file, name=intent.source)
        move, change = make_move(snapshot, intent.target, app, release, source=source)
        moves.append(move)
        edits += change
    return Plan(
        intent=intent,
        snapshot=snapshot,
        operation="promote",
        source=intent.source,
        target=snapshot.environments[intent.target],
        moves=tuple(moves),
        edits=tuple(edits),
    )


def _differing(snapshot: Snapshot, source: str, target: str) -> list[str]:
    """The apps of which the target does not run what the source pins. Those that pin nothing have nothing to move."""
    common = [app for app in snapshot.applications[source] if app in snapshot.applications[target]]
    files = {(side, app): snapshot.overlay_file(side, app) for app in common for side in (source, target)}
    snapshot.tree.preload(files.values())
    snapshot.tree.look_up(map(declaration_file, common))

    def pins(side: str, app: str) -> set[tuple[str, str | None, str | None]]:
        file = files[side, app]
        return {(pin.image, pin.tag, pin.digest) for pin in read_pins(snapshot.tree.blob(file).text, file)}

    return [
        app
        for app in common
        if not pins(source, app) <= pins(target, app) or settings_differ(snapshot, app, source, target)
    ]


def _set_image(intent: intents.SetImage, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    app = snapshot.pick_app(intent.app, environments=[target.name])
    current = snapshot.release(target.name, app)
    pinned = read_pins(snapshot.overlay(target.name, app).text, current.file)
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
    move, edits = make_move(snapshot, target.name, app, release)
    return Plan(intent=intent, snapshot=snapshot, operation="set", target=target, moves=(move,), edits=tuple(edits))


def _rollback(intent: intents.Rollback, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    app = snapshot.pick_app(intent.app, environments=[target.name])
    timeline = context.record.timeline(target.name, app)
    earlier = _earlier(timeline, intent.release, app, target.name)
    release = Release(
        file=snapshot.overlay_file(target.name, app),
        pins=tuple(map(as_pin, earlier.pins)),
    )
    release.require_complete()
    source = _as_it_ended(snapshot, timeline, earlier, release.file)
    move, edits = make_move(snapshot, target.name, app, release, source=source)
    if intent.hold_until is not None:
        hold = _hold(app, release, intent.reason, context.by, intent.hold_until)
        edits.append(_state_edit(snapshot, target.name, lambda text, file: decisions.add_hold(text, hold, file=file)))
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
    complete = [one for one in timeline if one.pins]
    if not complete:
        raise UserError(f"{app} has run no release in {environment}")
    if wanted is None:
        # The oldest time that today's release ran: what came between was rolled back itself.
        first = max(number for number, one in enumerate(complete) if one.pins == complete[0].pins)
        if first + 1 == len(complete):
            raise UserError(f"{app} has run no release in {environment} before {_named(complete[0])}")
        return complete[first + 1]
    for one in complete:
        if wanted in {pin.tag for pin in one.pins} | {pin.digest for pin in one.pins}:
            return one
    known = {pin.tag or "" for one in complete for pin in one.pins}
    raise UserError(f"{app} has never run release '{wanted}' in {environment}", hint=nearest(wanted, known))


def _as_it_ended(snapshot: Snapshot, timeline: Sequence[Running], earlier: Running, file: str) -> Source | None:
    """The overlay as it was when an earlier release ended: with the keys that it ran with last."""
    at = timeline.index(earlier)
    if at == 0:
        return None
    text = text_at(snapshot.root, f"{timeline[at - 1].commit}^1", file)
    if text is None:
        return None  # the overlay stood in another folder
    return Source(text=text, file=file, name=f"its release {_named(earlier)}", is_past=True)


def _named(running: Running) -> str:
    return ", ".join(map(str, running.pins))


def _hold_apps(intent: intents.Hold, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    apps = _apps(snapshot, intent.apps, target.name)
    if intent.until <= context.now:
        raise UserError("the hold ends before it begins")

    def add(text: str | None, file: str) -> str:
        for app in apps:
            hold = _hold(app, snapshot.release(target.name, app), intent.reason, context.by, intent.until)
            text = decisions.add_hold(text, hold, file=file)
        return text or ""

    return _decision(intent, context, target, add, operation="hold", apps=apps, until=intent.until)


def _release_hold(intent: intents.ReleaseHold, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    apps = _apps(snapshot, intent.apps, target.name)

    def drop(text: str | None, _: str) -> str:
        for app in apps:
            known = decisions.parse_state(text or "", target.name, snapshot.tree)
            text = decisions.drop_holds(text or "", known, app, now=context.now)
        return text or ""

    return _decision(intent, context, target, drop, operation="release-hold", apps=apps)


def _freeze(intent: intents.Freeze, context: Context) -> Plan:
    target = pick_environment(context.snapshot.environments, intent.environment)
    if intent.until <= max(intent.begin, context.now):
        raise UserError("the freeze ends before it begins")
    freeze = decisions.Freeze(reason=intent.reason, by=context.by, begin=intent.begin, until=intent.until)
    return _decision(
        intent,
        context,
        target,
        lambda text, file: decisions.add_freeze(text, freeze, file=file),
        operation="freeze",
        until=intent.until,
    )


def _unfreeze(intent: intents.Unfreeze, context: Context) -> Plan:
    target = pick_environment(context.snapshot.environments, intent.environment)
    known = context.snapshot.state(target.name)
    return _decision(
        intent,
        context,
        target,
        lambda text, _: decisions.drop_freezes(text or "", known, reason=intent.freeze, now=context.now),
        operation="unfreeze",
    )


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
    intents.Promote: _promote,
    intents.SetImage: _set_image,
    intents.Rollback: _rollback,
    intents.Hold: _hold_apps,
    intents.ReleaseHold: _release_hold,
    intents.Freeze: _freeze,
    intents.Unfreeze: _unfreeze,
    intents.Approve: _approve,
}


def _decision(
    intent: intents.Hold | intents.ReleaseHold | intents.Freeze | intents.Unfreeze,
    context: Context,
    target: Environment,
    change: Callable[[str | None, str], str],
    *,
    operation: str,
    apps: tuple[str, ...] = (),
    until: datetime.datetime | None = None,
) -> Plan:
    return Plan(
        intent=intent,
        snapshot=context.snapshot,
        operation=operation,
        target=target,
        edits=(_state_edit(context.snapshot, target.name, change),),
        apps=apps,
        reason=intent.reason,
        until=until,
    )


def _state_edit(snapshot: Snapshot, environment: str, change: Callable[[str | None, str], str]) -> FileEdit:
    """Change an environment's decisions, and prove that they can be read afterwards."""
    file = decisions.state_file(environment)
    before = snapshot.tree.blob(file) if snapshot.tree.entry(file) else None
    if before is not None:
        snapshot.state(environment)
    after = change(before.text if before else None, file)
    decisions.parse_state(after, environment, snapshot.tree)
    return FileEdit(path=file, before=before, after=after)


def _apps(snapshot: Snapshot, words: Iterable[str], environment: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(snapshot.pick_app(word, environments=[environment]) for word in words))


def _hold(app: str, release: Release, reason: str, by: str, until: datetime.datetime) -> decisions.Hold:
    held = decisions.HeldRelease(tag=" ".join(release.tags), digest=" ".join(release.digests)) if release.pins else None
    return decisions.Hold(app=app, reason=reason, by=by, until=until, release=held)
