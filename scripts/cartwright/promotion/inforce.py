"""What is in force in an environment: its gates, holds and freezes, read the strictest way.

What somebody took out without leave stays in force: gates that environment.yaml lost and nobody approved, a hold or a
freeze that ended before its time other than by `release-hold` or `unfreeze`. `promote` judges by it, and so does
`promote verify`, which names the commit.

Leave for weaker gates is given by `promote approve-gates`, by as many people as the stricter gates want approvals of,
and by one where they want none. It counts from where it lands, for these gates alone, and once: gates that come back
are in force again, and the next time that they go, they need leave again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cartwright.history.baseline import read_baseline
from cartwright.history.log import read_blobs
from cartwright.history.record import Note, Record
from cartwright.history.trailers import Message
from cartwright.kernel.errors import CartwrightError, UserError
from cartwright.promotion.approvers import Roster, address_of, parse_roster
from cartwright.promotion.gates.conditions import Approval, approvals_asked, approvers
from cartwright.promotion.signers import signer
from cartwright.promotion.strictness import Gates, stricter
from cartwright.tree.decisions import Freeze, Hold, State, parse_state, state_file
from cartwright.tree.repository import Tree
from cartwright.yaml.read import load

__all__ = ["Asked", "InForce", "Undone"]

_NOTED = frozenset({"release-hold", "unfreeze", "approve-gates"})
"""The decisions that give leave."""


@dataclass(frozen=True)
class Undone:
    """A commit that took something of what an environment asks for, without leave."""

    code: str
    """``gates-weakened``, ``hold-ended`` or ``freeze-ended``."""
    environment: str
    file: str
    index: int
    """Place of the commit on the first-parent line."""
    commit: str
    sentence: str


@dataclass(frozen=True)
class Asked:
    """What is in force from some commit on."""

    gates: Gates
    state: State
    """Holds and freezes that stand in the file, and those that were taken out."""
    undone: tuple[Undone, ...] = ()
    """What keeps more in force than the files say."""

    taken: tuple[Hold | Freeze, ...] = ()
    """The decisions that the file has lost."""


class InForce:
    """What was in force at each commit of a record."""

    def __init__(self, record: Record, tree: Tree, root: Path) -> None:
        self._record, self._tree, self._root = record, tree, root
        self._steps: dict[str, tuple[list[int], list[Asked]]] = {}
        self._undone: dict[str, list[Undone]] = {}

    def asked(self, environment: str, *, before: int | None = None) -> Asked | None:
        """What was in force before the commit at a place of the first-parent line; now by default.

        Returns:
            None where the environment did not exist.
        """
        places, asked = self._read(environment)
        number = len(places) if before is None else bisect_left(places, before)
        return asked[number - 1] if number else None

    def undone(self, environment: str) -> tuple[Undone, ...]:
        """Every commit that took something without leave, oldest first."""
        self._read(environment)
        return tuple(self._undone[environment])

    def _read(self, environment: str) -> tuple[list[int], list[Asked]]:
        if environment not in self._steps:
            self._undone[environment] = []
            steps = list(self._walk(environment))
            self._steps[environment] = [place for place, _ in steps], [asked for _, asked in steps]
        return self._steps[environment]

    @cached_property
    def _begin(self) -> int:
        baseline = read_baseline(self._record)
        return baseline.index if baseline else 0

    @cached_property
    def _notes(self) -> Mapping[tuple[str, int], Sequence[Note]]:
        """The commits that end decisions or approve gates, by environment and place."""
        found: dict[tuple[str, int], list[Note]] = {}
        for note in self._record.notes_with("Decision"):
            message = note.message
            if message is not None and message.target and message.decision in _NOTED:
                found.setdefault((message.target, note.landed), []).append(note)
        return found

    def _walk(self, environment: str) -> Iterator[tuple[int, Asked]]:
        """What is in force from each commit on that changes it, oldest first."""
        settings, decisions = (f"environments/{environment}/environment.yaml", state_file(environment))
        texts = {
            name: {place: text for place, path, text in self._record.files(name.rpartition("/")[2]) if path == name}
            for name in (settings, decisions)
        }
        noted = {place for name, place in self._notes if name == environment}
        asked: Asked | None = None
        written = Gates(upstreams=(), gates={})
        for place in sorted({*texts[settings], *texts[decisions], *noted}):
            if place in texts[settings]:
                # While the file is gone or can't be read, nothing is promoted: what it asked for waits for its return.
                written = _gates(texts[settings][place], settings) or written
            state = self._state(environment, texts[decisions][place]) if place in texts[decisions] else None
            if asked is None or place <= self._begin:
                held = state or (asked.state if asked else State(environment=environment))
                asked = Asked(gates=written, state=held)
            else:
                notes = self._notes.get((environment, place), ())
                asked = self._weaken(asked, written, place, settings)
                asked = self._allow(asked, written, place, environment)
                asked = self._end(asked, state, notes, place)
            yield place, asked

    # --- gates ---

    def _weaken(self, asked: Asked, written: Gates, place: int, file: str) -> Asked:
        """The gates as they are written from a commit on, and what they lost."""
        gates, words = stricter(asked.gates, written)
        kept = [one for one in asked.undone if one.code != "gates-weakened"]
        earlier = [one for one in asked.undone if one.code == "gates-weakened"]
        if not words:
            return replace(asked, gates=written, undone=tuple(kept))
        if earlier and gates == asked.gates:
            return asked
        commit = self._record.commit_at(place)[0]
        environment = asked.state.environment
        one = Undone(
            code="gates-weakened",
            environment=environment,
            file=file,
            index=place,
            commit=commit,
            sentence=f"{environment} was asked for less from then on, and nobody approved that: {', '.join(words)}",
        )
        return replace(asked, gates=gates, undone=(*asked.undone, one))

    def _allow(self, asked: Asked, written: Gates, place: int, environment: str) -> Asked:
        """The gates as written, where enough people have approved them by this commit."""
        weakened = [one for one in asked.undone if one.code == "gates-weakened"]
        if weakened and self._is_approved(asked.gates, written, weakened[-1], place, environment):
            kept = tuple(one for one in asked.undone if one.code != "gates-weakened")
            self._undone[environment] = [one for one in self._undone[environment] if one not in weakened]
            return replace(asked, gates=written, undone=kept)
        self._note(environment, weakened)
        return asked

    def _note(self, environment: str, undone: Sequence[Undone]) -> None:
        self._undone[environment] += [one for one in undone if one not in self._undone[environment]]

    def _is_approved(self, strict: Gates, written: Gates, weakened: Undone, place: int, environment: str) -> bool:
        count, settings = approvals_asked(strict.gates)
        # By the dates alone, not by now: what was approved once stays so.
        moment = self._record.landed(place, as_of=self._record.written(place))
        notes = [
            note
            for landed in range(weakened.index, place + 1)
            for note in self._notes.get((environment, landed), ())
            if note.message is not None and note.message.asked == written.digest
        ]
        if not notes:
            return False
        keys, roster = (self._then(weakened.commit, settings.get(name)) for name in ("signers", "from"))
        change = next((one for one in self._record.notes() if one.commit == weakened.commit), None)
        try:
            found = approvers(
                [
                    Approval.of(
                        note,
                        address_of(note.committer) if keys is None else signer(self._root, note.commit, keys=keys),
                        signed=keys is not None,
                        at=self._record.landed(note.landed, as_of=moment),
                    )
                    for note in notes
                ],
                "",
                roster=None if roster is None else _everyone(parse_roster(roster.decode(), str(settings["from"]))),
                settings=settings,
                moment=moment,
                promoters={address_of(change.committer), address_of(change.author)} if change else (),
            )
        except (UserError, UnicodeDecodeError):
            return False
        return len(found) >= max(1, count)

    def _then(self, commit: str, path: object) -> bytes | None:
        """A file as it was before a commit."""
        if not isinstance(path, str):
            return None
        name = f"{commit}^:{path}"
        return read_blobs(self._root, [name]).get(name, b"\0")

    # --- holds and freezes ---

    def _end(self, asked: Asked, state: State | None, notes: Sequence[Note], place: int) -> Asked:
        """The decisions that stand from a commit on: those of the file, and those that it lost without leave."""
        environment = asked.state.environment
        commit = self._record.commit_at(place)[0]
        file = state or State(environment=environment)
        if state is None:  # the file did not change
            taken = set(asked.taken)
            file = replace(
                asked.state,
                holds=tuple(one for one in asked.state.holds if one not in taken),
                freezes=tuple(one for one in asked.state.freezes if one not in taken),
            )
        there: tuple[Hold | Freeze, ...] = (*file.holds, *file.freezes)
        stood: tuple[Hold | Freeze, ...] = (*asked.state.holds, *asked.state.freezes)
        # Those that had ended, too: they stop nothing, and no date of this commit decides what the file may lose.
        lost = [
            one for one in stood if not any(_stands_for(other, one) for other in there) and not _is_ended(one, notes)
        ]
        made = self._record.moment(place)
        new = [
            Undone(
                code="hold-ended" if isinstance(one, Hold) else "freeze-ended",
                environment=environment,
                file=file.file,
                index=place,
                commit=commit,
                sentence=_lost(one, environment),
            )
            for one in lost
            if one not in asked.taken and made < one.until
        ]
        self._note(environment, new)
        kept = [one for one in asked.undone if one.code == "gates-weakened" or lost]
        return replace(
            asked,
            state=replace(
                file,
                holds=(*file.holds, *(one for one in lost if isinstance(one, Hold))),
                freezes=(*file.freezes, *(one for one in lost if isinstance(one, Freeze))),
            ),
            undone=(*kept, *new),
            taken=tuple(lost),
        )

    def _state(self, environment: str, text: str | None) -> State:
        """The decisions of a file; none where it is gone or can't be read: what it held is lost then."""
        with suppress(CartwrightError):
            return parse_state(text or "", environment, self._tree)
        return State(environment=environment)


def _gates(text: str | None, file: str) -> Gates | None:
    with suppress(UserError):
        data = load(text, file) if text else None
        return Gates.of(data) if isinstance(data, dict) else None
    return None


def _everyone(roster: Roster) -> Roster:
    """The same people for gates as for apps: whoever may approve any of them."""
    people = frozenset[str]().union(*(who for _, who in roster.lines))
    return replace(roster, lines=(("*", people),))


def _stands_for(there: Hold | Freeze, lost: Hold | Freeze) -> bool:
    """Whether a decision keeps out at least what another one did."""
    if isinstance(there, Hold) and isinstance(lost, Hold):
        return (
            there.app == lost.app
            and there.until >= lost.until
            and (there.release is None or there.release == lost.release)
        )
    if isinstance(there, Freeze) and isinstance(lost, Freeze):
        return there.begin <= lost.begin and there.until >= lost.until
    return False


def _is_ended(one: Hold | Freeze, notes: Sequence[Note]) -> bool:
    """Whether one of these commits says that the decision ends."""
    for note in notes:
        message = note.message
        if message is None:
            continue
        if message.decision == "unfreeze" and isinstance(one, Freeze):
            return True
        if message.decision == "release-hold" and isinstance(one, Hold) and one.app in _apps(message):
            return True
    return False


def _apps(message: Message) -> set[str]:
    return {moved.app for moved in message.moved}


def _lost(one: Hold | Freeze, environment: str) -> str:
    until = f"{one.until:%Y-%m-%d %H:%M} UTC"
    if isinstance(one, Hold):
        return (
            f"it took away the hold of {one.app} in {environment} until {until} by {one.by}: {one.reason}; "
            "`cartwright promote release-hold` ends a hold"
        )
    return (
        f"it took away the freeze of {environment} until {until} by {one.by}: {one.reason}; "
        "`cartwright promote unfreeze` ends a freeze"
    )
