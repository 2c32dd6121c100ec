"""Proving from Git alone that what every environment ran came through its gates.

For each change of pins in an environment with upstreams: every upstream ran these digests when it landed, and had for
the soak; no freeze and no hold stood in its way; its trailers tell of it; enough people approved who might; a rollback
goes to a release that ran there; break-glass names somebody and a reason. Gates, freezes and holds are read as they
stood before the commit, so that nobody lowers a gate and passes it at once. What only a cluster knew at that time
(health, verification Jobs) and what only a registry knows can't be recomputed: the trailers' word stands for it.

What the history begins with is trusted, and what ran at the baseline of ``environments/record.yaml``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from cartwright.history.record import Event, Note, Record
from cartwright.history.snapshot import Snapshot
from cartwright.history.trailers import PASSED, Message
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.changes import Explained, explain, named, same_content
from cartwright.promotion.audit.configedits import config_changes
from cartwright.promotion.audit.past import Past, PastEnvironment
from cartwright.promotion.audit.pastgates import PastGates
from cartwright.promotion.audit.reviewed import Merged, Reason, Reviewed
from cartwright.promotion.gates.conditions import FORGE_REVIEWS
from cartwright.yaml.read import load
from cartwright.yaml.validate import load_valid

__all__ = ["Finding", "Notice", "Reason", "Verification", "verify"]

FILE = "environments/record.yaml"
SCHEMA = "environments/record.schema.json"


@dataclass(frozen=True)
class Finding:
    """A change that did not come through the gates."""

    change: Explained
    reasons: tuple[Reason, ...]
    accepted: str | None = None
    """Who answers for it, and why; None where nobody does."""

    @property
    def event(self) -> Event:
        """What changed."""
        return self.change.event


@dataclass(frozen=True)
class Notice:
    """What a reviewer should see, and what is no offence."""

    code: str
    note: Note
    sentence: str


@dataclass(frozen=True)
class Verification:
    """What came of it."""

    head: str
    environments: tuple[str, ...]
    """Those with upstreams."""
    judged: int
    """Changes that were judged."""
    trusted: int
    """Changes that were not: they are the beginning, or came before the baseline."""
    begin: str
    """What is trusted, in a sentence."""
    findings: tuple[Finding, ...]
    """Oldest first."""
    accepted: tuple[Finding, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class _Baseline:
    index: int
    commit: str
    reason: str


def verify(snapshot: Snapshot, record: Record, *, reviewed: Reviewed | None = None) -> Verification:
    """Judge every change of the record, and of promotable keys.

    Args:
        reviewed: where reviews are looked up that count as approvals; by default nowhere, and a notice says so.

    Raises:
        UserError: environments/record.yaml or a promotable.yaml does not fit its schema: file and line.
    """
    baseline = _baseline(record)
    accepted = _accepted(snapshot)
    reviewed = reviewed or Reviewed(_no_forge)
    judge = _Judge(snapshot.root, record, Past(record, snapshot.tree), reviewed)
    findings: list[Finding] = []
    notices: list[Notice] = []
    judged = trusted = 0
    environments: set[str] = set()
    for changes in _by_commit(explain(record)):
        for change in changes:
            past = judge.past(change.event)
            if past is not None and not past.environment.upstreams:
                continue
            environments.add(change.event.environment)
            if change.event.index <= (baseline.index if baseline else 0):
                trusted += 1
                continue
            judged += 1
            reasons = tuple(judge.reasons(change, past, changes))
            if reasons:
                who = accepted.get(change.event.note.commit) or accepted.get(change.event.commit)
                findings.append(Finding(change=change, reasons=reasons, accepted=who))
            else:
                notices += notices_of(change)
        judge.land(changes)
    for change, reasons in config_changes(snapshot, record):
        if change.event.index > (baseline.index if baseline else 0):
            judged += 1
            if reasons:
                who = accepted.get(change.event.note.commit) or accepted.get(change.event.commit)
                findings.append(Finding(change=change, reasons=reasons, accepted=who))
    findings.sort(key=lambda one: one.event.index)
    notices += [Notice("reviews-unverified", one.event.note, words) for one, words in reviewed.unverified]
    notices += _gate_changes(record, baseline.index if baseline else 0)
    return Verification(
        head=record.head,
        environments=tuple(name for name in snapshot.environments if name in environments),
        judged=judged,
        trusted=trusted,
        begin=_begin(record, baseline),
        findings=tuple(one for one in findings if one.accepted is None),
        accepted=tuple(one for one in findings if one.accepted is not None),
        notices=tuple(sorted(notices, key=lambda one: one.note.landed)),
    )


def _no_forge() -> Merged:
    raise UserError("no forge was named")


class _Judge:
    """Walks the history from its beginning and knows what ran where at each step."""

    def __init__(self, root: Path, record: Record, past: Past, reviewed: Reviewed) -> None:
        self._past = past
        self._gates = PastGates(root, record, reviewed)
        self._running: dict[tuple[str, str], Event] = {}

    def past(self, event: Event) -> PastEnvironment | None:
        """The environment as it stood before an event; where it came with it, as it came."""
        before = self._past.environment(event.environment, before=event.index)
        return before or self._past.environment(event.environment, before=event.index + 1)

    def land(self, changes: Sequence[Explained]) -> None:
        """All changes of a commit have landed."""
        for one in changes:
            self._running[one.event.environment, one.event.app] = one.event

    def reasons(self, one: Explained, past: PastEnvironment | None, beside: Sequence[Explained]) -> Iterator[Reason]:
        """Why a change did not come through the gates; none where it did."""
        event, message = one.event, one.message
        if past is None:
            yield Reason(
                "gates-unreadable", f"environments/{event.environment}/environment.yaml could not be read then"
            )
        elif event.problem:
            yield Reason("unreadable", f"the overlay can't be read: {event.problem}")
        elif one.kind in {"start", "move", "remove"} or self._is_introduced(one, past, beside):
            return
        elif one.kind == "edit":
            if one.returned:
                yield from self._gates.freeze(event, past)
            else:
                yield Reason("hand-edit", f"it was made by hand: {one.doubt}")
                yield from self._all_gates(one, past, None)
        elif message is not None and message.break_glass is not None:
            name, _, why = message.break_glass.partition(":")
            if not name.strip() or not why.strip():
                yield Reason("break-glass-unnamed", f"break-glass names nobody or no reason: '{message.break_glass}'")
        elif one.kind == "rollback":
            if not one.returned:
                yield Reason("rollback-unknown", f"{event.environment} had never run {named(event.after or ())}")
            yield from self._gates.freeze(event, past)
        else:
            yield from self._all_gates(one, past, message)

    def _all_gates(self, one: Explained, past: PastEnvironment, message: Message | None) -> Iterator[Reason]:
        upstreams = {name: self._running.get((name, one.event.app)) for name in past.environment.upstreams}
        yield from self._gates.content(one, upstreams)
        yield from self._gates.soak(one, past, upstreams)
        yield from self._gates.freeze(one.event, past)
        if message is None or not message.override_hold:
            yield from self._gates.hold(one, past)
        if message is None:
            return
        yield from self._gates.approvals(one, past)
        for gate, code in message.gates.items():
            # What the forge's reviews came to is asked above, of the forge.
            if code not in {PASSED, FORGE_REVIEWS} and not (gate == "hold" and message.override_hold):
                yield Reason("gate-not-passed", f"its own trailers say of the gate '{gate}': {code}")

    def _is_introduced(self, one: Explained, past: PastEnvironment, beside: Sequence[Explained]) -> bool:
        """Whether an app is new, and every upstream runs the same of it, since this commit or longer.

        That is how a service begins: nothing of it ran before, in any environment, that this could have replaced.
        """
        event = one.event
        if event.before is not None or one.returned or (event.environment, event.app) in self._running:
            return False
        fresh = {other.event.environment: other.event for other in beside if other.event.app == event.app}
        upstreams = [fresh.get(name) or self._running.get((name, event.app)) for name in past.environment.upstreams]
        return all(other and other.after and same_content(other.after, event.after or ()) for other in upstreams)


def notices_of(one: Explained) -> Iterator[Notice]:
    """What a reviewer should see of a change that is no finding."""
    event, message = one.event, one.message
    what = f"{named(event.after or ())} of {event.app} in {event.environment}"
    if one.kind == "edit" and one.returned:
        yield Notice("returned-by-hand", event.note, f"{what} came back by hand; it had run there before")
    elif one.kind == "edit":
        yield Notice("new-app", event.note, f"{what} is new, and its upstreams run the same")
    elif one.kind == "remove":
        yield Notice("removed", event.note, f"{event.app} left {event.environment}")
    elif message is not None and message.break_glass:
        yield Notice("break-glass", event.note, f"{what} went past the gates by break-glass: {message.break_glass}")
    elif message is not None and message.override_hold:
        yield Notice("hold-overridden", event.note, f"{what} went past a hold: {message.override_hold}")


def _by_commit(found: Sequence[Explained]) -> Iterator[list[Explained]]:
    """The changes of each commit, oldest first."""
    for _, group in groupby(reversed(found), key=lambda one: one.event.index):
        yield list(group)


def _baseline(record: Record) -> _Baseline | None:
    """The first commit whose record.yaml has a baseline; taking it out and adding it again moves nothing."""
    for index, _, text in record.files(FILE):
        data = load(text, FILE) if text else None
        if isinstance(data, dict) and isinstance(data.get("baseline"), dict):
            return _Baseline(
                index=index, commit=record.commit_at(index)[0], reason=str(data["baseline"].get("reason", "no reason"))
            )
    return None


def _begin(record: Record, baseline: _Baseline | None) -> str:
    first, time = record.commit_at(0)
    if baseline is not None and baseline.index:
        note = next((one for one in record.notes() if one.commit == baseline.commit), None)
        by = f" by {note.author}" if note else ""
        where = f"commit {baseline.commit[:7]}{by}, the baseline of {FILE}"
        return f"what ran at {where}, is taken as it was: {baseline.reason}"
    if record.cut is not None:
        return f"this clone is shallow: what ran at commit {first[:7]}, where it is cut, is taken as it was"
    return f"what the history begins with, commit {first[:7]} of {time:%Y-%m-%d}, is taken as it was"


def _accepted(snapshot: Snapshot) -> dict[str, str]:
    """Who answers for which commit, and why."""
    if not snapshot.tree.is_file(FILE):
        return {}
    data = load_valid(snapshot.tree.text(FILE), FILE, json.loads(snapshot.tree.text(SCHEMA))) or {}
    return {one["commit"]: f"{one['by']}: {one['reason']}" for one in data.get("accepted", ())}


def _gate_changes(record: Record, after: int) -> Iterator[Notice]:
    """The commits that changed what an environment asks for."""
    before: dict[str, object] = {}
    for index, path, text in record.files("environment.yaml"):
        try:
            data = load(text, path) if text else None
        except UserError:
            data = None
        asked = (data.get("upstreams"), data.get("gates")) if isinstance(data, dict) else None
        if path in before and before[path] != asked and index > after:
            commit, _ = record.commit_at(index)
            note = next(one for one in record.notes() if one.commit == commit)
            yield Notice("gates-changed", note, f"{path}: upstreams or gates changed")
        before[path] = asked
