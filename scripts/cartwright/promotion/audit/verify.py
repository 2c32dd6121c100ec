"""Proving from Git alone that what every environment ran came through its gates.

For each change of a release in an environment with upstreams: every upstream ran these digests and this configuration
when it landed, and had for the soak; no freeze and no hold stood in its way; its trailers tell of it, or its tree is
the one that upstream ran; enough people approved who might; a rollback goes to a release that ran there; break-glass
names somebody and a reason. Gates, freezes and holds are read as they stood before the commit, so that nobody lowers a
gate and passes it at once. What only a cluster knew then (health, verification Jobs) and what only a registry knows
can't be recomputed: the trailers' word stands for it.

What the history begins with is trusted, and what ran at the baseline of ``environments/record.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from cartwright.history.baseline import FILE, Baseline, read_accepted, read_baseline
from cartwright.history.record import Event, Note, Record
from cartwright.history.snapshot import Snapshot
from cartwright.history.trailers import NOT_ASKED, PASSED, Message
from cartwright.kernel.errors import UserError
from cartwright.promotion.audit.changes import Explained, explain, named, same_content
from cartwright.promotion.audit.past import Past, PastEnvironment
from cartwright.promotion.audit.pastgates import PastGates
from cartwright.promotion.audit.reviewed import Merged, Reason, Reviewed
from cartwright.promotion.gates.conditions import FORGE_REVIEWS
from cartwright.promotion.inforce import InForce
from cartwright.yaml.read import load

__all__ = ["Finding", "Notice", "Reason", "Verification", "verify"]


_STOPPED_BY = {"hold-ended": {"held"}, "freeze-ended": {"frozen"}, "gates-weakened": set[str]()}
"""What a change is found to be that would have met a decision; it may be anything that would have met gates."""


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
    undone: tuple[Notice, ...]
    """Commits that took gates, holds or freezes away without leave, oldest first: findings, too."""
    notices: tuple[Notice, ...]


def verify(snapshot: Snapshot, record: Record, *, reviewed: Reviewed | None = None) -> Verification:
    """Judge every change of the record.

    Args:
        reviewed: where reviews are looked up that count as approvals; by default nowhere, and a notice says so.

    Raises:
        UserError: the clone is shallow, so nobody can tell what came before its cut; or environments/record.yaml does
            not fit its schema: file and line.
    """
    if record.cut is not None:
        raise UserError(
            f"this clone is shallow: its history is cut at commit {record.cut[:7]}, "
            "and nothing before it can be judged",
            hint="git fetch --unshallow; in CI fetch all of it (fetch-depth: 0)",
        )
    baseline = read_baseline(record)
    accepted = read_accepted(snapshot.tree)
    reviewed = reviewed or Reviewed(_no_forge)
    judge = _Judge(snapshot.root, record, Past(record, snapshot.tree, snapshot.root), reviewed)
    findings: list[Finding] = []
    notices: list[Notice] = []
    judged = trusted = 0
    environments: set[str] = set()
    for changes in _by_commit(explain(record)):
        for change in changes:
            if _is_empty(change.event):
                continue
            past = judge.past(change.event)
            if past is not None and not past.environment.upstreams:
                continue
            environments.add(change.event.environment)
            if change.event.index <= (baseline.index if baseline else 0):
                trusted += 1
                continue
            judged += 1
            reasons = tuple(judge.all_reasons(change, past, changes))
            if reasons:
                who = accepted.get(change.event.note.commit) or accepted.get(change.event.commit)
                findings.append(Finding(change=change, reasons=reasons, accepted=who))
                if who is None and any(reason.code == "hand-edit" for reason in reasons):
                    judge.blame(change.event)
            else:
                notices += notices_of(change)
        judge.land(changes)
    findings.sort(key=lambda one: one.event.index)
    undone = list(_undone(judge.in_force, record, snapshot))
    notices += [
        replace(one, sentence=f"{one.sentence}; accepted by {accepted[one.note.commit]}")
        for one in undone
        if one.note.commit in accepted
    ]
    found_already = {one.note.commit for one in undone if one.code == "gates-weakened"}
    changed = _gate_changes(record, baseline.index if baseline else 0)
    notices += [one for one in changed if one.note.commit not in found_already]
    notices += [Notice("reviews-unverified", one.event.note, words) for one, words in reviewed.unverified]
    return Verification(
        head=record.head,
        environments=tuple(name for name in snapshot.environments if name in environments),
        judged=judged,
        trusted=trusted,
        begin=_begin(record, baseline),
        findings=tuple(one for one in findings if one.accepted is None),
        accepted=tuple(one for one in findings if one.accepted is not None),
        undone=tuple(one for one in undone if one.note.commit not in accepted),
        notices=tuple(sorted(notices, key=lambda one: one.note.landed)),
    )


def _no_forge() -> Merged:
    raise UserError("no forge was named")


class _Judge:
    """Walks the history from its beginning and knows what ran where at each step."""

    def __init__(self, root: Path, record: Record, past: Past, reviewed: Reviewed) -> None:
        self._past = past
        self.in_force = past.in_force
        self._gates = PastGates(root, record, reviewed)
        self._running: dict[tuple[str, str], Event] = {}
        self._by_hand: set[tuple[str, str, int]] = set()

    def past(self, event: Event) -> PastEnvironment | None:
        """The environment as it stood before an event; where it came with it, as it came."""
        before = self._past.environment(event.environment, before=event.index)
        return before or self._past.environment(event.environment, before=event.index + 1)

    def blame(self, event: Event) -> None:
        """A release was written by hand, and nobody answers for it: it is no source for others."""
        if event.tree is not None:
            self._by_hand.add((event.environment, event.app, event.index))

    def land(self, changes: Sequence[Explained]) -> None:
        """All changes of a commit have landed."""
        for one in changes:
            self._running[one.event.environment, one.event.app] = one.event

    def all_reasons(
        self, one: Explained, past: PastEnvironment | None, beside: Sequence[Explained]
    ) -> Iterator[Reason]:
        """The same, and the commits without whose doing it had been stopped."""
        reasons = tuple(self.reasons(one, past, beside))
        yield from reasons
        if past is not None and past.written is not None:
            written = tuple(self.reasons(one, past.written, beside))
            codes = {reason.code for reason in reasons if reason not in written}
            for undone in past.undone:
                if codes & _STOPPED_BY[undone.code] or (codes and undone.code == "gates-weakened"):
                    yield Reason(undone.code, f"commit {undone.commit[:12]} let it pass: {undone.sentence}")

    def reasons(self, one: Explained, past: PastEnvironment | None, beside: Sequence[Explained]) -> Iterator[Reason]:
        """Why a change did not come through the gates; none where it did."""
        event, message = one.event, one.message
        if past is None or event.problem:
            yield _unreadable(event)
        elif one.kind in {"start", "move", "remove"} or self._is_introduced(one, past, beside):
            return
        elif event.before_tree is not None and event.tree is None:
            yield Reason("release-left", f"{event.app} follows main in {event.environment} since then, past every gate")
        elif one.adopts:
            yield from self._gates.content(one, {event.environment: self._running.get((event.environment, event.app))})
        elif one.kind == "edit":
            if one.returned and not self._gates.was_rolled_back(one):
                yield from self._gates.freeze(event, past)
                yield from self._gates.hold(one, past)
                return
            found = list(self._all_gates(one, past, None))
            if event.tree is None or found:  # the same tree as upstream is a promotion, whatever its message says
                yield Reason("hand-edit", f"it was made by hand: {one.doubt}")
                yield from found
        elif message is not None and message.break_glass is not None:
            name, _, why = message.break_glass.partition(":")
            if not name.strip() or not why.strip():
                yield Reason("break-glass-unnamed", f"break-glass names nobody or no reason: '{message.break_glass}'")
        elif one.kind == "rollback":
            if not one.returned:
                yield Reason(
                    "rollback-unknown", f"{event.environment} had never run {named(event.after or (), event.tree)}"
                )
            yield from self._gates.freeze(event, past)
        else:
            yield from self._all_gates(one, past, message)

    def _all_gates(self, one: Explained, past: PastEnvironment, message: Message | None) -> Iterator[Reason]:
        upstreams = {name: self._running.get((name, one.event.app)) for name in past.environment.upstreams}
        yield from self._gates.content(one, upstreams)
        for name, upstream in upstreams.items():
            if upstream is not None and (name, upstream.app, upstream.index) in self._by_hand:
                yield Reason(
                    "upstream-unproven", f"what {name} ran had come by hand, with commit {upstream.commit[:7]}"
                )
        yield from self._gates.soak(one, past, upstreams)
        yield from self._gates.freeze(one.event, past)
        if message is None or not message.override_hold:
            yield from self._gates.hold(one, past)
        if message is None and one.event.tree is None:
            return
        yield from self._gates.approvals(one, past)
        yield from self._gates.unproved(one, past)
        for gate, code in (message.gates if message else {}).items():
            # What the forge's reviews came to is asked above, of the forge.
            known = {PASSED, NOT_ASKED, FORGE_REVIEWS}
            if code not in known and not (gate == "hold" and message and message.override_hold):
                yield Reason("gate-not-passed", f"its own trailers say of the gate '{gate}': {code}")

    def _is_introduced(self, one: Explained, past: PastEnvironment, beside: Sequence[Explained]) -> bool:
        """Whether an app came together with its environment, and every upstream runs the same of it.

        That is how an environment begins: it asked for nothing before. An app that comes later passes the gates.
        """
        event = one.event
        if self._past.environment(event.environment, before=event.index) is not None:
            return False
        if event.before is not None or one.returned or (event.environment, event.app) in self._running:
            return False
        fresh = {other.event.environment: other.event for other in beside if other.event.app == event.app}
        upstreams = {
            name: fresh.get(name) or self._running.get((name, event.app)) for name in past.environment.upstreams
        }
        same = (other and same_content(other.after or (), event.after or ()) for other in upstreams.values())
        return all(same) and not any(self._gates.configuration(one, upstreams))


def _unreadable(event: Event) -> Reason:
    """What keeps a change from being judged: its overlay, or the environment's gates of then."""
    if event.problem:
        return Reason("unreadable", f"the overlay can't be read: {event.problem}")
    file = f"environments/{event.environment}/environment.yaml"
    return Reason("gates-unreadable", f"{file} could not be read then")


def notices_of(one: Explained) -> Iterator[Notice]:
    """What a reviewer should see of a change that is no finding."""
    event, message = one.event, one.message
    what = f"{named(event.after or (), event.tree)} of {event.app} in {event.environment}"
    if one.kind == "edit" and event.before is not None and event.tree is not None and not one.returned:
        yield Notice(
            "no-trailers", event.note, f"{what} is what its upstreams ran; the message does not tell: {one.doubt}"
        )
    elif one.adopts:
        yield Notice("adopted", event.note, f"{what} stands in release/ since then, as main had it")
    elif one.kind == "edit" and one.returned:
        yield Notice("returned-by-hand", event.note, f"{what} came back by hand; it had run there before")
    elif one.kind == "edit":
        yield Notice("new-app", event.note, f"{what} is new, and its upstreams run the same")
    elif one.kind == "remove":
        yield Notice("removed", event.note, f"{event.app} left {event.environment}")
    elif message is not None and message.break_glass:
        yield Notice("break-glass", event.note, f"{what} went past the gates by break-glass: {message.break_glass}")
    elif message is not None and message.override_hold:
        yield Notice("hold-overridden", event.note, f"{what} went past a hold: {message.override_hold}")


def _is_empty(event: Event) -> bool:
    """Whether there is nothing to judge: a cluster's or app's overlay without images and without a release."""
    return not (event.before or event.after or event.tree or event.before_tree or event.problem)


def _by_commit(found: Sequence[Explained]) -> Iterator[list[Explained]]:
    """The changes of each commit, oldest first."""
    for _, group in groupby(reversed(found), key=lambda one: one.event.index):
        yield list(group)


def _begin(record: Record, baseline: Baseline | None) -> str:
    first, time = record.commit_at(0)
    if baseline is not None and baseline.index:
        note = next((one for one in record.notes() if one.commit == baseline.commit), None)
        by = f" by {note.author}" if note else ""
        where = f"commit {baseline.commit[:7]}{by}, the baseline of {FILE}"
        return f"what ran at {where}, is taken as it was: {baseline.reason}"
    return f"what the history begins with, commit {first[:7]} of {time:%Y-%m-%d}, is taken as it was"


def _undone(in_force: InForce, record: Record, snapshot: Snapshot) -> Iterator[Notice]:
    """The commits that took something of what environments ask for without leave."""
    notes = {one.commit: one for one in record.notes()}
    # Upstreams that were taken away without leave are in force, too.
    names = [name for name in snapshot.environments if (asked := in_force.asked(name)) and asked.gates.upstreams]
    found = [one for name in names for one in in_force.undone(name)]
    for one in sorted(found, key=lambda one: one.index):
        yield Notice(one.code, notes[one.commit], f"{one.file}: {one.sentence}")


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
