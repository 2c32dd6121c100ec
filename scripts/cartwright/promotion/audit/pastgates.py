"""The gates asked again about a change that has landed: from Git alone, as they stood before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.history.log import read_blobs
from cartwright.history.pins import Pinned
from cartwright.history.record import Event, Note, Record
from cartwright.history.trailers import Message
from cartwright.kernel.errors import UserError
from cartwright.promotion.approvers import address_of, parse_roster
from cartwright.promotion.audit.changes import named
from cartwright.promotion.audit.past import PastEnvironment
from cartwright.promotion.gates.case import parse_duration, say_duration
from cartwright.promotion.signers import signer

__all__ = ["PastGates", "Reason"]


@dataclass(frozen=True)
class Reason:
    """One way in which a change went past the gates."""

    code: str
    """What programs read; docs/promotion.md lists them all."""
    sentence: str


class PastGates:
    """The gates over one record."""

    def __init__(self, root: Path, record: Record) -> None:
        self._root = root
        self._record = record
        self._signers: dict[tuple[str, bytes], str | None] = {}

    @staticmethod
    def content(event: Event, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        """Every upstream ran these digests when the change landed. Codes: ``no-digest``, ``upstream-other``."""
        before = {pin.image: pin for pin in event.before or ()}
        for pin in event.after or ():
            if pin == before.get(pin.image):
                continue
            if pin.digest is None:
                yield Reason("no-digest", f"{pin.image}:{pin} has no digest, so nobody can say what ran")
                continue
            for name, upstream in upstreams.items():
                pins = (upstream.after if upstream else None) or ()
                if not _runs(pins, pin):
                    runs = f"ran {named(pins)}" if pins else "did not run it"
                    yield Reason("upstream-other", f"{name} {runs} then, not {pin} ({_short(pin.digest)})")

    def soak(self, event: Event, past: PastEnvironment, upstreams: Mapping[str, Event | None]) -> Iterator[Reason]:
        """Every upstream that ran it had run it long enough. Code: ``soak-short``."""
        try:
            wanted = parse_duration(str(past.gates.get("soak", "0s")))
        except UserError as error:
            yield Reason("gates-unreadable", f"the soak that was asked for can't be read: {error}")
            return
        for name, upstream in upstreams.items():
            if upstream is None or not all(_runs(upstream.after or (), pin) for pin in event.after or ()):
                continue
            moment = self._record.written(event.index)
            age = moment - self._record.landed(upstream.index, as_of=moment)
            if age < wanted:
                yield Reason(
                    "soak-short",
                    f"{name} had run it for {say_duration(age)} of the {say_duration(wanted)} that "
                    f"{event.environment} asked for",
                )

    def freeze(self, event: Event, past: PastEnvironment) -> Iterator[Reason]:
        """No freeze stood at that moment. Codes: ``frozen``, ``gates-unreadable``."""
        try:
            until = past.frozen_until(self._record.written(event.index))
        except UserError as error:
            yield Reason("gates-unreadable", f"the freezes of then can't be read: {error}")
            return
        if until is not None:
            yield Reason("frozen", f"{event.environment} was frozen until {until:%Y-%m-%d %H:%M} UTC")

    def hold(self, event: Event, past: PastEnvironment, message: Message | None) -> Iterator[Reason]:
        """Nothing held the app. Code: ``held``."""
        if message is not None and message.override_hold:
            return
        digests = {pin.digest for pin in event.after or ()}
        for hold in past.state.holds:
            keeps = hold.release is not None and set(hold.release.digest.split()) == digests
            if hold.app == event.app and hold.is_active(self._record.written(event.index)) and not keeps:
                yield Reason("held", f"it was held until {hold.until:%Y-%m-%d %H:%M} UTC by {hold.by}: {hold.reason}")

    def approvals(self, event: Event, past: PastEnvironment, message: Message) -> Iterator[Reason]:
        """Enough people who might approve had done so. Codes: ``approvals-missing``, ``gates-unreadable``."""
        asked = past.gates.get("approvals", 0)
        settings: dict[str, Any] = asked if isinstance(asked, dict) else {"count": asked}
        count = settings.get("count", 0)
        if not isinstance(count, int) or not count:
            return
        keys, roster = (self._then(event, settings.get(name)) for name in ("signers", "from"))
        try:
            allowed = None
            if roster is not None:
                parsed = parse_roster(roster.decode(), str(settings["from"]))
                allowed = parsed.approvers(event.app, group=settings.get("group"))
        except (UserError, UnicodeDecodeError) as error:
            yield Reason("gates-unreadable", f"who might approve can't be read: {error}")
            return
        found: set[str] = set()
        for note in self._approving(event, message):
            address = self._signer(note.commit, keys) if keys is not None else address_of(note.committer)
            if address and (allowed is None or address in allowed):
                found.add(address)
        if len(found) < count:
            who = f" ({', '.join(sorted(found))})" if found else ""
            yield Reason("approvals-missing", f"{len(found)} of the {count} approvals that were asked for{who}")

    def _approving(self, event: Event, message: Message) -> Iterator[Note]:
        """The commits that approve the change: those before it, and its own where its committer names themself."""
        claim = next((one for one in message.moved if one.app == event.app), None)
        digests = frozenset(claim.digests) if claim else frozenset()
        for note in self._record.approvals(event.environment, event.app):
            said = next((one for one in note.message.moved if one.app == event.app), None) if note.message else None
            if note.landed <= event.index and said is not None and frozenset(said.digests) == digests:
                yield note
        if address_of(event.note.committer) in {address_of(who) for who in message.approved_by}:
            yield event.note

    def _then(self, event: Event, path: object) -> bytes | None:
        """A file as it was before the commit that landed an event."""
        if not isinstance(path, str):
            return None
        name = f"{event.commit}^:{path}"
        return read_blobs(self._root, [name]).get(name, b"\0")

    def _signer(self, commit: str, keys: bytes) -> str | None:
        if (commit, keys) not in self._signers:
            self._signers[commit, keys] = signer(self._root, commit, keys=keys)
        return self._signers[commit, keys]


def _runs(pins: Iterable[Pinned], wanted: Pinned) -> bool:
    """Whether an image is among those that ran, at the same content."""
    return any(pin.image == wanted.image and pin.same_content(wanted) for pin in pins)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
