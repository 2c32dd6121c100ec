"""Working out decisions: holds, freezes, their ends, and approvals of gates. Nothing is written here."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from cartwright.history.release import Release
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError
from cartwright.promotion import intents
from cartwright.promotion.approvers import address_of
from cartwright.promotion.moves import FileEdit, blob_edit
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.strictness import Gates
from cartwright.tree import decisions
from cartwright.tree.environments import Environment, pick_environment

__all__ = ["DECIDERS", "hold_of", "state_edit"]


def _hold_apps(intent: intents.Hold, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    apps = _apps(snapshot, intent.apps, target.name)
    if intent.until <= context.now:
        raise UserError("the hold ends before it begins")

    def add(text: str | None, file: str) -> str:
        for app in apps:
            hold = hold_of(app, snapshot.release(target.name, app), intent.reason, context.by, intent.until)
            text = decisions.add_hold(text, hold, file=file)
        return text or ""

    return _decision(intent, context, target, add, operation="hold", apps=apps, until=intent.until)


def _release_hold(intent: intents.ReleaseHold, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    apps = _apps(snapshot, intent.apps, target.name)
    taken = _taken(context, target)

    def drop(text: str | None, _: str) -> str:
        for app in apps:
            known = decisions.parse_state(text or "", target.name, snapshot.tree)
            if any(isinstance(one, decisions.Hold) and one.app == app for one in taken):
                continue  # the file has lost it already: the commit says that this was meant
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
    lost = [
        one
        for one in _taken(context, target)
        if isinstance(one, decisions.Freeze) and intent.freeze in {None, one.reason}
    ]

    def drop(text: str | None, _: str) -> str:
        if lost and not any(context.now < one.until and intent.freeze in {None, one.reason} for one in known.freezes):
            return text or ""
        return decisions.drop_freezes(text or "", known, reason=intent.freeze, now=context.now)

    return _decision(intent, context, target, drop, operation="unfreeze")


def _approve_gates(intent: intents.ApproveGates, context: Context) -> Plan:
    target = pick_environment(context.snapshot.environments, intent.environment)
    asked = context.in_force.asked(target.name)
    if asked is None or not any(one.code == "gates-weakened" for one in asked.undone):
        raise UserError(f"{target.name} asks for what it asked for before, or for more: there is nothing to approve")
    return Plan(
        intent=intent,
        snapshot=context.snapshot,
        operation="approve-gates",
        target=target,
        reason=intent.reason,
        asked=Gates.of(target.content).digest,
    )


def _taken(context: Context, target: Environment) -> tuple[decisions.Hold | decisions.Freeze, ...]:
    """The decisions that are in force though the file has lost them."""
    asked = context.in_force.asked(target.name)
    return tuple(one for one in asked.taken if context.now < one.until) if asked else ()


def _withdraw(intent: intents.Withdraw, context: Context) -> Plan:
    snapshot = context.snapshot
    target = pick_environment(snapshot.environments, intent.environment)
    apps = _apps(snapshot, intent.apps, target.name)
    for app in apps:
        notes = context.record.approvals(target.name, app)
        if not any(address_of(note.committer) == address_of(context.by) for note in notes):
            raise UserError(
                f"{context.by} has approved no release of {app} for {target.name}",
                hint="an approval is withdrawn by whoever gave it",
            )
    return Plan(intent=intent, snapshot=snapshot, operation="withdraw", target=target, apps=apps, reason=intent.reason)


DECIDERS: dict[type[Any], Callable[[Any, Context], Plan]] = {
    intents.Hold: _hold_apps,
    intents.ReleaseHold: _release_hold,
    intents.Freeze: _freeze,
    intents.Unfreeze: _unfreeze,
    intents.ApproveGates: _approve_gates,
    intents.Withdraw: _withdraw,
}
"""How each decision is planned."""


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
    edit = state_edit(context.snapshot, target.name, change)
    return Plan(
        intent=intent,
        snapshot=context.snapshot,
        operation=operation,
        target=target,
        edits=(edit,) if edit is not None else (),
        apps=apps,
        reason=intent.reason,
        until=until,
    )


def state_edit(snapshot: Snapshot, environment: str, change: Callable[[str | None, str], str]) -> FileEdit | None:
    """Change an environment's decisions, and prove that they can be read afterwards; None where they stay."""
    file = decisions.state_file(environment)
    before = snapshot.tree.blob(file) if snapshot.tree.entry(file) else None
    if before is not None:
        snapshot.state(environment)
    after = change(before.text if before else None, file)
    decisions.parse_state(after, environment, snapshot.tree)
    return None if after == (before.text if before else "") else blob_edit(file, before, after)


def _apps(snapshot: Snapshot, words: Iterable[str], environment: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(snapshot.pick_app(word, environments=[environment]) for word in words))


def hold_of(app: str, release: Release, reason: str, by: str, until: datetime.datetime) -> decisions.Hold:
    held = decisions.HeldRelease(tag=" ".join(release.tags), digest=" ".join(release.digests)) if release.pins else None
    return decisions.Hold(app=app, reason=reason, by=by, until=until, release=held)
