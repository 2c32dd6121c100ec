"""The gates asked again about a change that has landed: from Git alone, as they stood before it.

What is asked is asked by :mod:`cartwright.promotion.gates.conditions` and ``freeze``, as before a promotion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cartwright.history.log import read_blobs
from cartwright.history.record import Event, Note, Record
from cartwright.history.release import Pinned, digests_of, short_digest
from cartwright.kernel.errors import UserError
from cartwright.kernel.moments import say_duration
from cartwright.promotion.approvers import address_of, parse_roster
from cartwright.promotion.audit.changes import Explained, named
from cartwright.promotion.audit.past import PastEnvironment
from cartwright.promotion.audit.reviewed import Reason, Reviewed
from cartwright.promotion.gates.conditions import (
    approvals_asked,
    approvers,
    approves,
    approves_itself,
    asks_forge,
    is_soaked,
    keeps,
    not_run,
    soak_asked,
    standing_hold,
)
from cartwright.promotion.signers import signer

__all__ = ["PastGates", "Reason"]


class PastGates:
    """The gates over one record."""

    def __init__(self, root: Path, record: Record, reviewed: Reviewed) -> None:
        self._root = root
        self._record = record
        self._reviewed = reviewed
        self._signers: dict[tuple[str, bytes], str | None] = {}

    @staticmethod
    def content(change: Explained, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        """Every upstream ran these digests when the change landed. Codes: ``no-digest``, ``upstream-other``."""
        for pin in change.release:
            if pin.digest is None:
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
        moment = self._record.written(change.event.index)
        for name, upstream in upstreams.items():
            if upstream is None or not_run(change.release, _ran(upstream)):
                continue
            since = self._record.landed(upstream.index, as_of=moment)
            if not is_soaked(wanted, since=since, now=moment):
                yield Reason(
                    "soak-short",
                    f"{name} had run it for {say_duration(moment - since)} of the {say_duration(wanted)} that "
                    f"{change.event.environment} asked for",
                )

    def freeze(self, event: Event, past: PastEnvironment) -> Iterator[Reason]:
        """No freeze stood at that moment. Codes: ``frozen``, ``gates-unreadable``."""
        try:
            until = past.freezes.until(self._record.written(event.index))
        except UserError as error:
            yield Reason("gates-unreadable", f"the freezes of then can't be read: {error}")
            return
        if until is not None:
            yield Reason("frozen", f"{event.environment} was frozen until {until:%Y-%m-%d %H:%M} UTC")

    def hold(self, change: Explained, past: PastEnvironment) -> Iterator[Reason]:
        """Nothing held the app. Code: ``held``."""
        hold = standing_hold(past.state.holds, change.event.app, self._record.written(change.event.index))
        if hold is not None and not keeps(hold, digests_of(change.release)):
            yield Reason("held", f"it was held until {hold.until:%Y-%m-%d %H:%M} UTC by {hold.by}: {hold.reason}")

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
            proved = ((note.committer, self._proved(note, keys)) for note in self._approving(change))
            found = approvers(proved, event.app, roster=roster, group=settings.get("group"))
        except (UserError, UnicodeDecodeError) as error:
            yield Reason("gates-unreadable", f"who might approve can't be read: {error}")
            return
        if len(found) < count:
            who = f" ({', '.join(sorted(found))})" if found else ""
            yield Reason("approvals-missing", f"{len(found)} of the {count} approvals that were asked for{who}")

    def _approving(self, change: Explained) -> Iterator[Note]:
        """The commits that approve the change: those before it, and its own where its committer names themself."""
        event, digests = change.event, digests_of(change.release)
        for note in self._record.approvals(event.environment, event.app):
            if note.landed <= event.index and approves(note, event.app, digests):
                yield note
        if change.message is not None and approves_itself(event.note.committer, change.message.approved_by):
            yield event.note

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
