"""The gates asked again about a change that has landed: from Git alone, as they stood before it.

What is asked is asked by :mod:`cartwright.promotion.gates.conditions` and ``freeze``, as before a promotion.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path

from cartwright.history.log import read_blobs
from cartwright.history.pinned import Pinned, short_digest
from cartwright.history.provenance import Configurations
from cartwright.history.record import Event, Note, Record
from cartwright.history.release import digests_of
from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import say_duration
from cartwright.promotion.approvers import address_of, parse_roster
from cartwright.promotion.audit.changes import Explained, named
from cartwright.promotion.audit.past import PastEnvironment
from cartwright.promotion.audit.reviewed import Reason, Reviewed
from cartwright.promotion.gates.conditions import (
    Approval,
    approvals_asked,
    approvers,
    approves_itself,
    approving,
    asks_forge,
    is_soaked,
    keeps,
    not_run,
    other_config,
    rolled_back,
    soak_asked,
    standing_hold,
    unproved,
)
from cartwright.promotion.signers import signer

__all__ = ["PastGates", "Reason"]


class PastGates:
    """The gates over one record."""

    def __init__(self, root: Path, record: Record, reviewed: Reviewed) -> None:
        self._root = root
        self._record = record
        self._timelines: dict[tuple[str, str], tuple[Event, ...]] = {}
        self._reviewed = reviewed
        self._signers: dict[tuple[str, bytes], str | None] = {}
        self._configurations = Configurations(root, record)

    def content(self, change: Explained, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        """Every upstream ran these digests and this configuration. Codes: ``no-digest``, ``upstream-other``."""
        other = list(self._images(change, upstreams))
        yield from other
        if not other and change.config is not None:
            yield from self.configuration(change, upstreams)

    def configuration(self, change: Explained, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        """Every upstream ran this configuration. Code: ``upstream-other``."""
        for name, upstream in upstreams.items():
            why = self._configurations.strange(change.event, name, upstream)
            if why is not None:
                yield Reason("upstream-other", why)

    @staticmethod
    def _images(change: Explained, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        for pin in change.release:
            if pin.digest is None and pin not in (change.event.before or ()):
                yield Reason("no-digest", f"{pin.image}:{pin} has no digest, so nobody can say what ran")
                continue
            for name, upstream in upstreams.items():
                pins = _ran(upstream)
                if not_run([pin], pins):
                    runs = f"ran {named(pins)}" if pins else "did not run it"
                    yield Reason("upstream-other", f"{name} {runs} then, not {pin} ({short_digest(pin)})")

    def soak(self, change: Explained, past: PastEnvironment, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        """Every upstream that ran it had run it long enough. Codes: ``soak-short``, ``gates-unreadable``."""
        try:
            wanted = soak_asked(past.gates)
        except UserError as error:
            yield Reason("gates-unreadable", f"the soak that was asked for can't be read: {error}")
            return
        moment = self._record.moment(change.event.index)
        for name, upstream in upstreams.items():
            if upstream is None or not_run(change.release, _ran(upstream)):
                continue
            since = self._since(change, upstream, moment)
            if not is_soaked(wanted, since=since, now=moment):
                yield Reason(
                    "soak-short",
                    f"{name} had run it for {say_duration(moment - since)} of the {say_duration(wanted)} that "
                    f"{change.event.environment} asked for",
                )

    def _since(self, change: Explained, upstream: Event, moment: datetime.datetime) -> datetime.datetime:
        """Since when an upstream had run what moved."""
        begin = upstream
        for one in self._record.events(environment=upstream.environment, app=upstream.app):
            if one.index > upstream.index:
                continue
            if not_run(change.release, one.after or ()) or (one.tree and other_config(change.config, one.config)):
                break
            if upstream.tree and not one.tree and change.config:
                break
            begin = one
        since = self._record.landed(begin.index, as_of=moment)
        if upstream.tree is None and change.config is not None:
            span = self._configurations.span(change.event, upstream)
            since = max(since, self._record.landed(span.begin, as_of=moment)) if span else since
        return since

    def freeze(self, event: Event, past: PastEnvironment) -> Iterator[Reason]:
        """No freeze stood at that moment. Codes: ``frozen``, ``gates-unreadable``."""
        try:
            until = past.freezes.until(self._record.moment(event.index))
        except UserError as error:
            yield Reason("gates-unreadable", f"the freezes of then can't be read: {error}")
            return
        if until is not None:
            yield Reason("frozen", f"{event.environment} was frozen until {until:%Y-%m-%d %H:%M} UTC")

    def hold(self, change: Explained, past: PastEnvironment) -> Iterator[Reason]:
        """Nothing held the app. Code: ``held``."""
        hold = standing_hold(past.state.holds, change.event.app, self._record.moment(change.event.index))
        if hold is not None and not keeps(hold, digests_of(change.release), moves_config=change.config is not None):
            yield Reason("held", f"it was held until {hold.until:%Y-%m-%d %H:%M} UTC by {hold.by}: {hold.reason}")

    def was_rolled_back(self, change: Explained) -> bool:
        """Whether a release comes back that a rollback took away the last time that it ran there."""
        event = change.event
        before = [one for one in self._events(event) if one.index < event.index]
        left = [
            one.index
            for one in before
            if (one.before or one.before_tree)
            and not not_run(change.release, one.before or ())
            and not (one.before_config and other_config(event.config, one.before_config))
        ]
        return bool(left) and rolled_back(before, change.release, event.config) == max(left)

    @staticmethod
    def unproved(change: Explained, past: PastEnvironment) -> Iterator[Reason]:
        """Its trailers tell of every gate that was asked and that Git can't answer. Code: ``gate-not-asked``."""
        event, message = change.event, change.message
        for gate in unproved(past.gates, event.app, message.gates if message else {}):
            yield Reason(
                "gate-not-asked", f"{event.environment} asked for the gate '{gate}', and no trailer says that it passed"
            )

    def approvals(self, change: Explained, past: PastEnvironment) -> Iterator[Reason]:
        """Enough people who might approve had done so. Codes: ``approvals-missing``, ``gates-unreadable``."""
        event = change.event
        count, settings = approvals_asked(past.gates)
        if not count:
            return
        if asks_forge(settings):
            yield from self._reviewed.judge(change, count, settings)
            return
        keys, text = (self._then(event, settings.get(name)) for name in ("signers", "from"))
        try:
            roster = None if text is None else parse_roster(text.decode(), str(settings["from"]))
            found = approvers(
                self._said(change, keys),
                event.app,
                roster=roster,
                settings=settings,
                moment=self._record.moment(event.index),
                promoters=self._promoters(event, keys),
            )
        except (UserError, UnicodeDecodeError) as error:
            yield Reason("gates-unreadable", f"who might approve can't be read: {error}")
            return
        if len(found) < count:
            who = f" ({', '.join(sorted(found))})" if found else ""
            yield Reason("approvals-missing", f"{len(found)} of the {count} approvals that were asked for{who}")

    def _said(self, change: Explained, keys: bytes | None) -> Iterator[Approval]:
        """What approvers had said of the release, in the order of the history; last what its own commit says."""
        event, record = change.event, self._record
        moment = record.moment(event.index)
        before = [one for one in self._events(event) if one.index < event.index]
        notes = [note for note in record.approvals(event.environment, event.app) if note.landed <= event.index]
        whole = event.tree is not None
        pins = (event.after or ()) if whole else change.release
        after = rolled_back(before, pins, event.config)
        for note in approving(notes, event.app, digests_of(pins), tree=event.tree, after=after):
            at = record.landed(note.landed, as_of=moment)
            yield Approval.of(note, self._proved(note, keys), signed=keys is not None, at=at)
        if change.message is not None and approves_itself(event.note.committer, change.message.approved_by):
            yield Approval.of(event.note, self._proved(event.note, keys), signed=keys is not None, at=moment)

    def _events(self, event: Event) -> tuple[Event, ...]:
        """All changes of an app in an environment, newest first."""
        key = (event.environment, event.app)
        if key not in self._timelines:
            self._timelines[key] = self._record.events(environment=event.environment, app=event.app)
        return self._timelines[key]

    def _promoters(self, event: Event, keys: bytes | None) -> set[str]:
        """The addresses of whoever promoted: a forge that squashes commits names itself as the committer."""
        note = event.note
        return {address_of(note.author), address_of(note.committer), self._proved(note, keys) or ""}

    def _then(self, event: Event, path: object) -> bytes | None:
        """A file as it was before the commit that landed an event."""
        if not isinstance(path, str):
            return None
        name = f"{event.commit}^:{path}"
        return read_blobs(self._root, [name]).get(name, b"\0")

    def _proved(self, note: Note, keys: bytes | None) -> str | None:
        """The address that a commit comes from: its signer's where signatures were asked for."""
        if keys is None:
            return address_of(note.committer)
        if (note.commit, keys) not in self._signers:
            self._signers[note.commit, keys] = signer(self._root, note.commit, keys=keys)
        return self._signers[note.commit, keys]


def _ran(upstream: Event | None) -> tuple[Pinned, ...]:
    return (upstream.after if upstream else None) or ()
