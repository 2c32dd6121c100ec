"""The four figures of DORA, from the record: how often releases come, how fast, how many fail, how soon that is mended.

Deployment
    A change of an app's release in an environment that lands in the window and is no return: promoted, set or edited by
    hand. What stood there when history began, a moved overlay and a rollback are none.
Deployment frequency
    Deployments per day of the window; where history is shorter than the window, per day of history, of which the first
    counts as a whole one.
Lead time for changes
    From the moment that the same content first landed in the environments upstream, which is when it entered this
    repository, to the moment that it landed here. None for environments without upstreams.
Change failure rate
    The share of the window's deployments that ended by a return to content that ran there before: a rollback, or an
    edit or promotion that comes to the same.
Time to restore
    From the landing of such a failed deployment to that of the return.

Landing is the committer's time of the commit that Argo CD follows. Where Argo CD is asked, the same figures are given
for what it did: it names the time (``deployedAt``) and the commit of its last syncs, and a change is live with the
first sync of its commit or a later one.
"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cartwright.history.record import Event, Record
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.moments import instant
from cartwright.promotion.argo import HealthSource
from cartwright.promotion.audit.changes import Explained, explain, same_content

__all__ = ["Figures", "Metrics", "Sync", "measure", "median", "read_syncs"]

_VERSION = 1
"""Version of the JSON; a change that breaks a reader raises it."""


@dataclass(frozen=True)
class Sync:
    """One entry of an Application's history."""

    revision: str
    """The commit that was applied."""
    deployed_at: datetime.datetime


@dataclass(frozen=True)
class Figures:
    """The four figures of one environment, or of one app in it."""

    days: float
    """Length of the window, or of history where that is shorter; a day at least."""
    deployments: int = 0
    failed: int = 0
    lead_times: tuple[float, ...] = ()
    """Seconds; of the deployments whose content came from upstream."""
    restores: tuple[float, ...] = ()
    """Seconds; of the failed deployments."""
    live_delays: tuple[float, ...] = ()
    """Seconds from landing to being live; of the deployments that Argo CD still knows."""
    live_lead_times: tuple[float, ...] = ()
    """As ``lead_times``, to being live."""
    live_restores: tuple[float, ...] = ()
    """As ``restores``, from being live to being live."""

    @property
    def per_day(self) -> float:
        """Deployment frequency."""
        return self.deployments / self.days if self.days else 0.0

    @property
    def failure_rate(self) -> float | None:
        """Change failure rate, from 0 to 1; None without deployments."""
        return self.failed / self.deployments if self.deployments else None

    def to_json(self) -> dict[str, Any]:
        """The figures, medians in seconds."""
        return {
            "deployments": self.deployments,
            "deploymentsPerDay": round(self.per_day, 4),
            "leadTimeSeconds": median(self.lead_times),
            "leadTimeCount": len(self.lead_times),
            "failed": self.failed,
            "changeFailureRate": None if self.failure_rate is None else round(self.failure_rate, 4),
            "timeToRestoreSeconds": median(self.restores),
            "live": {
                "deployments": len(self.live_delays),
                "delaySeconds": median(self.live_delays),
                "leadTimeSeconds": median(self.live_lead_times),
                "timeToRestoreSeconds": median(self.live_restores),
            },
        }


@dataclass(frozen=True)
class Metrics:
    """The figures of a window."""

    since: datetime.datetime
    until: datetime.datetime
    environments: Mapping[str, Figures]
    """By environment, lowest rank first."""
    apps: Mapping[tuple[str, str], Figures] = field(default_factory=dict)
    """By environment and app; those without deployments left out."""
    argocd: bool = False
    """Whether Argo CD was asked."""

    def to_json(self) -> dict[str, Any]:
        """The documented shape of ``promote metrics --format json``."""
        return {
            "version": _VERSION,
            "since": instant(self.since),
            "until": instant(self.until),
            "argocd": self.argocd,
            "environments": [
                {
                    "environment": name,
                    **figures.to_json(),
                    "apps": [
                        {"app": app, **one.to_json()}
                        for (environment, app), one in self.apps.items()
                        if environment == name
                    ],
                }
                for name, figures in self.environments.items()
            ],
        }


@dataclass(frozen=True)
class _Deployment:
    change: Explained
    entered: datetime.datetime | None
    """When its content first landed upstream."""
    restored: Event | None
    """The return that ended it."""


def measure(
    record: Record,
    *,
    upstreams: Mapping[str, Sequence[str]],
    environments: Sequence[str],
    since: datetime.datetime,
    apps: Sequence[str] | None = None,
    syncs: Mapping[tuple[str, str], Sequence[Sync]] | None = None,
) -> Metrics:
    """Measure the window from ``since`` to the record's ``now``.

    Args:
        upstreams: the upstreams of every environment.
        environments: those that are measured, lowest rank first.
        apps: ``group/name`` each; all by default.
        syncs: what Argo CD says, by environment and app; None where it was not asked.
    """
    found = explain(record)
    wanted = None if apps is None else set(apps)
    begin = max(since, min((one.event.time for one in found), default=since))
    days = max((record.now - begin).total_seconds() / 86400, 1.0)
    entered = _first_landings(found)
    deployments: dict[tuple[str, str], list[_Deployment]] = {}
    following: dict[tuple[str, str], Explained] = {}
    for one in found:  # newest first, so what follows an event is known
        event = one.event
        key = (event.environment, event.app)
        after = following.get(key)
        following[key] = one
        if event.environment not in environments or (wanted is not None and event.app not in wanted):
            continue
        if event.time >= since and _is_deployment(one):
            restored = after.event if after is not None and (after.returned or after.kind == "rollback") else None
            came = _entered(event, entered, _all_upstreams(event.environment, upstreams))
            deployments.setdefault(key, []).append(_Deployment(change=one, entered=came, restored=restored))
    known = syncs or {}
    figures = {}
    for key, listed in sorted(deployments.items()):
        figures[key] = _figures(record, listed, days=days, syncs=known.get(key, ()))
    return Metrics(
        since=since,
        until=record.now,
        environments={
            name: _sum((one for (environment, _), one in figures.items() if environment == name), days=days)
            for name in environments
        },
        apps=figures,
        argocd=syncs is not None,
    )


def read_syncs(
    hub: HealthSource, snapshot: Snapshot, *, environments: Sequence[str], apps: Sequence[str] | None
) -> dict[tuple[str, str], tuple[Sync, ...]]:
    """Ask Argo CD for the syncs of Applications, by environment and app.

    Raises:
        UnknownHealthError: nobody can say.
    """
    names = {
        one.name: (environment, app)
        for environment in environments
        for app, one in snapshot.applications[environment].items()
        if apps is None or app in apps
    }
    return {
        names[name]: tuple(Sync(revision=revision, deployed_at=time) for revision, time in state.history)
        for name, state in hub.read(names).items()
    }


def median(values: Sequence[float]) -> float | None:
    """The median, None of nothing."""
    return float(statistics.median(values)) if values else None


def _is_deployment(one: Explained) -> bool:
    return one.kind in {"promote", "set", "edit"} and _runs(one.event) and not one.returned and not one.adopts


def _runs(event: Event) -> bool:
    return bool(event.after) or event.tree is not None


def _first_landings(
    found: Iterable[Explained],
) -> dict[tuple[str, str], list[Event]]:
    """When each content first landed, by environment and app."""
    landings: dict[tuple[str, str], list[Event]] = {}
    for one in reversed(list(found)):
        if _runs(one.event) and not one.returned:
            landings.setdefault((one.event.environment, one.event.app), []).append(one.event)
    return landings


def _entered(
    event: Event,
    landings: Mapping[tuple[str, str], Sequence[Event]],
    upstreams: Iterable[str],
) -> datetime.datetime | None:
    times = [
        one.time
        for upstream in upstreams
        for one in landings.get((upstream, event.app), ())
        if one.index < event.index and same_content(one.after or (), event.after or ())
    ]
    return min(times, default=None)


def _all_upstreams(name: str, upstreams: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(upstreams.get(name, ()))
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending += upstreams.get(one, ())
    return found


def _figures(record: Record, deployments: Sequence[_Deployment], *, days: float, syncs: Sequence[Sync]) -> Figures:
    lives = _lives(record, syncs)
    leads, restores, delays, live_leads, live_restores = [], [], [], [], []
    for one in deployments:
        event = one.change.event
        live = _live(event, lives)
        if one.entered is not None:
            leads.append((event.time - one.entered).total_seconds())
        if live is not None:
            delays.append((live - event.time).total_seconds())
            if one.entered is not None:
                live_leads.append((live - one.entered).total_seconds())
        if one.restored is not None:
            restores.append((one.restored.time - event.time).total_seconds())
            mended = _live(one.restored, lives)
            if live is not None and mended is not None:
                live_restores.append((mended - live).total_seconds())
    return Figures(
        days=days,
        deployments=len(deployments),
        failed=len(restores),
        lead_times=tuple(leads),
        restores=tuple(restores),
        live_delays=tuple(delays),
        live_lead_times=tuple(live_leads),
        live_restores=tuple(live_restores),
    )


def _lives(record: Record, syncs: Sequence[Sync]) -> list[tuple[int, datetime.datetime]]:
    """Place on the first-parent line and time of each sync, oldest first; syncs of unknown commits are left out."""
    known = [(record.index(one.revision), one.deployed_at) for one in syncs]
    return sorted((place, time) for place, time in known if place is not None)


def _live(event: Event, lives: Sequence[tuple[int, datetime.datetime]]) -> datetime.datetime | None:
    """The first sync of the event's commit or a later one.

    None where Argo CD has forgotten what came before that sync: it may then not be the first.
    """
    for number, (place, time) in enumerate(lives):
        if place >= event.index:
            return time if number or place == event.index else None
    return None


def _sum(figures: Iterable[Figures], *, days: float) -> Figures:
    listed = list(figures)

    def joined(name: str) -> tuple[float, ...]:
        return tuple(value for one in listed for value in getattr(one, name))

    return Figures(
        days=days,
        deployments=sum(one.deployments for one in listed),
        failed=sum(one.failed for one in listed),
        lead_times=joined("lead_times"),
        restores=joined("restores"),
        live_delays=joined("live_delays"),
        live_lead_times=joined("live_lead_times"),
        live_restores=joined("live_restores"),
    )
