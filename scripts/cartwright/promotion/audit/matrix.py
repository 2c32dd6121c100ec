"""The matrix: what every environment runs of every app, what waits to come there, why it may not, and when it could."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cartwright.history.record import Running
from cartwright.history.release import Pinned, Release
from cartwright.kernel.moments import instant
from cartwright.promotion import intents
from cartwright.promotion.audit.changes import named
from cartwright.promotion.audit.timeline import pin_json
from cartwright.promotion.evidence import Sources
from cartwright.promotion.gates import judge, next_time, registry, signatures
from cartwright.promotion.gates.conditions import not_run
from cartwright.promotion.moves import Change, Move, as_pin
from cartwright.promotion.plan import Context, Plan
from cartwright.promotion.verdict import Verdict
from cartwright.tree.environments import Environment

__all__ = ["Cell", "Matrix", "Waiting", "read_matrix"]

_VERSION = 1
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
    """Read the record and ask every gate but the registry and the signatures, which the promotion itself asks for.

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
    wanted = [one for one in snapshot.environments.values() if environments is None or one.name in environments]
    snapshot.tree.preload(
        snapshot.overlay_file(environment, app) for environment, app in running if _is_upstream(wanted, environment)
    )
    cells: dict[str, dict[str, Cell]] = {}
    for target in wanted:
        waiting = _waiting(context, sources, target, running)
        for app in sorted(app for environment, app in running if environment == target.name):
            cells.setdefault(app, {})[target.name] = Cell(
                environment=target.name,
                running=running[target.name, app],
                waiting=tuple(waiting.get(app, ())),
            )
    return Matrix(
        head=context.record.head,
        now=context.now,
        environments=tuple(one.name for one in wanted),
        apps=dict(sorted(cells.items())),
        cut=context.record.cut,
    )


def _is_upstream(wanted: Collection[Environment], name: str) -> bool:
    return any(name in one.upstreams for one in wanted)


def _waiting(
    context: Context, sources: Sources, target: Environment, running: Mapping[tuple[str, str], Running]
) -> dict[str, list[Waiting]]:
    """What waits for an environment, by app."""
    found: dict[str, list[Waiting]] = {}
    for source in target.upstreams:
        moves: dict[str, Move] = {}
        for (environment, app), one in running.items():
            here = running.get((target.name, app))
            if environment == source and here is not None and not_run(one.pins, here.pins):
                moves[app] = _move(context, target.name, app, one.pins, here.pins)
        plan = Plan(
            intent=intents.Promote(source=source, target=target.name, everything=True),
            snapshot=context.snapshot,
            operation="promote",
            source=source,
            target=target,
            moves=tuple(moves.values()),
        )
        verdicts: dict[str | None, list[Verdict]] = {}
        for verdict in judge(plan, context, sources, without=(registry.GATE, signatures.GATE)):
            verdicts.setdefault(verdict.app, []).append(verdict)
        for app in moves:
            said = (*verdicts.get(app, ()), *verdicts.get(None, ()))
            upstream = running[source, app]
            found.setdefault(app, []).append(
                Waiting(
                    source=source,
                    pins=upstream.pins,
                    since=upstream.since,
                    verdicts=said,
                    next_time=next_time(plan, context, said),
                )
            )
    return found


def _move(context: Context, target: str, app: str, wanted: tuple[Pinned, ...], here: tuple[Pinned, ...]) -> Move:
    """What a promotion would move, without the edits."""
    file = context.snapshot.overlay_file(target, app)
    change = Change(image=wanted[0].image, key="digest", line=1, old=named(here), new=named(wanted))
    return Move(
        app=app,
        application=context.snapshot.application(target, app),
        file=file,
        release=Release(file=file, pins=tuple(map(as_pin, wanted))),
        current=Release(file=file, pins=tuple(map(as_pin, here))),
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
        "waiting": [
            {
                "from": one.source,
                "release": named(one.pins),
                "images": [pin_json(pin) for pin in one.pins],
                "since": instant(one.since),
                "ready": not one.blocked,
                "nextTime": instant(one.next_time) if one.next_time else None,
                "blocked": [verdict.to_json() for verdict in one.blocked],
            }
            for one in cell.waiting
        ],
    }
