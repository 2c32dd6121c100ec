"""The matrix: what every environment runs of every app, what waits to come there, why it may not, and when it could."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cartwright.history.carry import carried_release, read_ahead
from cartwright.history.pinned import Pinned
from cartwright.history.record import Running
from cartwright.history.release import Release
from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import instant
from cartwright.promotion import intents
from cartwright.promotion.audit.behind import commits_behind, has_other_config
from cartwright.promotion.audit.changes import named
from cartwright.promotion.audit.timeline import pin_json
from cartwright.promotion.evidence import Evidence, Sources
from cartwright.promotion.gates import judge, next_time, outlook, registry, signatures
from cartwright.promotion.gates.case import Case
from cartwright.promotion.gates.conditions import not_run
from cartwright.promotion.moves import Change, Move, as_pin
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.verdict import Verdict
from cartwright.tree.environments import Environment

__all__ = ["Cell", "Matrix", "Waiting", "read_matrix"]

_VERSION = 2
"""Version of the JSON; a change that breaks a reader raises it."""


@dataclass(frozen=True)
class Waiting:
    """A release that an upstream runs and the environment does not."""

    source: str
    """The upstream."""
    pins: tuple[Pinned, ...]
    since: datetime.datetime
    """When it came to the upstream."""
    verdicts: tuple[Verdict, ...]
    """What every gate says now."""
    next_time: datetime.datetime | None
    """When it could go by itself; None where it may go now, or where no time opens one of its gates."""
    tree: str | None = None
    """Id of the release that would come; None where images move alone, or where it can't be read."""
    is_config: bool = False
    """Whether its images are those that run, and its base or components are not."""

    @property
    def name(self) -> str:
        """The release as people call it."""
        name = named(self.pins, self.tree)
        return f"{name} on another base" if self.is_config and self.pins else name

    @property
    def blocked(self) -> tuple[Verdict, ...]:
        """The gates that stop it."""
        return tuple(one for one in self.verdicts if not one.passed)


@dataclass(frozen=True)
class Cell:
    """One app in one environment."""

    environment: str
    running: Running
    waiting: tuple[Waiting, ...]
    """One for each upstream that runs something else."""
    behind: tuple[str, ...] = ()
    """The commits on main that changed its base or components and have not come here, newest first."""


@dataclass(frozen=True)
class Matrix:
    """All apps, all environments."""

    head: str
    now: datetime.datetime
    environments: tuple[str, ...]
    """Lowest rank first."""
    apps: Mapping[str, Mapping[str, Cell]]
    """By app, then by environment; an app has no cell where it has no overlay."""
    cut: str | None
    """Where the history of a shallow clone begins: nothing is known to be older."""

    def only_waiting(self) -> Matrix:
        """The apps for which a release waits somewhere."""
        kept = {app: cells for app, cells in self.apps.items() if any(cell.waiting for cell in cells.values())}
        return replace(self, apps=kept)

    def to_json(self) -> dict[str, Any]:
        """The documented shape of ``promote matrix --format json``."""
        return {
            "version": _VERSION,
            "head": self.head,
            "now": instant(self.now),
            "cut": self.cut,
            "environments": list(self.environments),
            "apps": [
                {"app": app, "cells": [_cell(cell, self.now) for cell in cells.values()]}
                for app, cells in self.apps.items()
            ],
        }


def read_matrix(
    context: Context,
    sources: Sources,
    *,
    environments: Collection[str] | None = None,
    apps: Collection[str] | None = None,
) -> Matrix:
    """Read the record and ask every gate but the registry, the signatures and `check`, which the promotion itself asks.

    Args:
        environments: their names; all by default.
        apps: ``group/name`` each; all by default.

    Raises:
        UserError: an environment's gates or decisions can't be read: file and line.
    """
    snapshot = context.snapshot
    running = {
        (environment, app): one
        for (environment, app), one in context.record.running_all().items()
        if app in snapshot.applications.get(environment, {}) and (apps is None or app in apps)
    }
    # A cluster that pins nothing and has no release anywhere has nothing to say.
    promoted = {app for (_, app), one in running.items() if one.pins or one.tree or one.problem}
    running = {key: one for key, one in running.items() if key[1] in promoted}
    wanted = [one for one in snapshot.environments.values() if environments is None or one.name in environments]
    read_ahead(snapshot, running)
    cells: dict[str, dict[str, Cell]] = {}
    for target in wanted:
        waiting = _waiting(context, sources, target, running)
        for app in sorted(app for environment, app in running if environment == target.name):
            cells.setdefault(app, {})[target.name] = Cell(
                environment=target.name,
                running=running[target.name, app],
                waiting=tuple(waiting.get(app, ())),
                behind=_behind(context, target.name, app),
            )
    return Matrix(
        head=context.record.head,
        now=context.now,
        environments=tuple(one.name for one in wanted),
        apps=dict(sorted(cells.items())),
        cut=context.record.cut,
    )


def _waiting(
    context: Context, sources: Sources, target: Environment, running: Mapping[tuple[str, str], Running]
) -> dict[str, list[Waiting]]:
    """What waits for an environment, by app."""
    found: dict[str, list[Waiting]] = {}
    for source in target.upstreams:
        moves: dict[str, Move] = {}
        unreadable: dict[str, UserError] = {}
        for (environment, app), one in running.items():
            here = running.get((target.name, app))
            if environment == source and here is not None and _differs(context, one, here):
                try:
                    moves[app] = _move(context, target.name, one, here)
                except UserError as error:
                    unreadable[app] = error
        plan = Plan(
            intent=intents.Promote(source=source, target=target.name, everything=True),
            snapshot=context.snapshot,
            operation="promote",
            source=source,
            target=target,
            moves=tuple(moves.values()),
        )
        verdicts: dict[str | None, list[Verdict]] = {}
        for verdict in judge(plan, context, sources, without=(registry.GATE, signatures.GATE, outlook.GATE)):
            verdicts.setdefault(verdict.app, []).append(verdict)
        for app in (*moves, *unreadable):
            said = (*verdicts.get(app, ()), *verdicts.get(None, ()))
            if app in unreadable:
                said = (Verdict("release", "release-unreadable", passed=False, sentence=str(unreadable[app]), app=app),)
            upstream, here = running[source, app], running[target.name, app]
            begun = None
            if app in moves:
                begun = Case(plan=plan, move=moves[app], context=context, evidence=Evidence(sources)).since(source)
            found.setdefault(app, []).append(
                Waiting(
                    source=source,
                    pins=upstream.pins,
                    since=(begun or upstream).since,
                    verdicts=said,
                    next_time=next_time(plan, context, said),
                    tree=_tree(moves.get(app)),
                    is_config=bool(here.tree) and not not_run(upstream.pins, here.pins),
                )
            )
    return found


def _tree(move: Move | None) -> str | None:
    """Id of the release that would come."""
    return move.release.tree.id if move is not None and move.release.tree is not None else None


def _differs(context: Context, upstream: Running, here: Running) -> bool:
    """Whether an upstream runs another release than an environment."""
    if here.tree is None:
        return bool(not_run(upstream.pins, here.pins))
    if upstream.tree is not None:
        return upstream.tree != here.tree
    if not_run(upstream.pins, here.pins):
        return True
    tree = context.snapshot.release_tree(here.environment, here.app)
    return tree is not None and has_other_config(context.snapshot, upstream.environment, here.app, tree)


def _behind(context: Context, environment: str, app: str) -> tuple[str, ...]:
    tree = context.snapshot.release_tree(environment, app)
    return commits_behind(context.snapshot, context.record, tree) if tree is not None else ()


def _move(context: Context, target: str, upstream: Running, here: Running) -> Move:
    """What a promotion would move.

    Raises:
        UserError: the upstream's release can't be read: file and line.
    """
    snapshot, app = context.snapshot, upstream.app
    file = snapshot.pins_file(target, app)
    change = Change(
        image="", key="release", line=1, old=named(here.pins, here.tree), new=named(upstream.pins, upstream.tree)
    )
    release = Release(file=file, pins=tuple(map(as_pin, upstream.pins)))
    if here.tree is not None:
        release = carried_release(snapshot, upstream.environment, app)
    return Move(
        app=app,
        application=snapshot.application(target, app),
        file=file,
        release=release,
        current=Release(file=file, pins=tuple(map(as_pin, here.pins))),
        changes=(change,),
    )


def _cell(cell: Cell, now: datetime.datetime) -> dict[str, Any]:
    running = cell.running
    return {
        "environment": cell.environment,
        "release": named(running.pins) if running.pins else None,
        "images": [pin_json(pin) for pin in running.pins],
        "since": instant(running.since),
        "ageSeconds": int((now - running.since).total_seconds()),
        "commit": running.commit,
        "problem": running.problem,
        "tree": running.tree,
        "behind": list(cell.behind),
        "waiting": [
            {
                "from": one.source,
                "release": named(one.pins) if one.pins else None,
                "images": [pin_json(pin) for pin in one.pins],
                "tree": one.tree,
                "configOnly": one.is_config,
                "since": instant(one.since),
                "ready": not one.blocked,
                "nextTime": instant(one.next_time) if one.next_time else None,
                "blocked": [verdict.to_json() for verdict in one.blocked],
            }
            for one in cell.waiting
        ],
    }
