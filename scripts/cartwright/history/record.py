"""The record: what ran where and since when, read from Git, for every environment and app.

Content decides what ran: the tree of an overlay's ``release/``, or the images that an overlay without one pins, in the
commits of the branch's first-parent line, which is what Argo CD saw. The messages say why. A merge lands all it brings
at its own time, and what it brings is explained by the newest commit on its side that changed the same overlay.

Times are committers' times. A commit is not taken to be older than those before it (a slow clock shortens no soak),
except than those that lie in the future. A promotion's own date is believed unless commits after it contradict it
(:meth:`Record.moment`).

Reading tens of thousands of commits takes a second or two, so what was read is kept in the cache, by commit id, and the
next call reads the commits since then. Everything in the cache can be read anew from Git at any time.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cartwright.history import trailers
from cartwright.history.pinned import Pinned
from cartwright.history.store import CLUSTER, open_store

__all__ = ["Event", "Note", "Record", "Running", "read_record"]


@dataclass(frozen=True)
class Running:
    """What an environment ran of an app, for a time."""

    app: str
    """``group/name``."""
    environment: str
    pins: tuple[Pinned, ...]
    """Its images, by name; empty where the overlay pins none, or could not be read."""
    since: datetime.datetime
    """When the commit that brought this release landed, in UTC."""
    commit: str
    """That commit, on the branch's first-parent line."""
    author: str
    """``Name <address>`` of who wrote the change."""
    until: datetime.datetime | None = None
    """When another release landed, or the overlay went; None while it runs."""
    problem: str | None = None
    """Why the overlay could not be read."""
    tree: str | None = None
    """Id of its ``release/``; None where the overlay has none."""
    config: str | None = None
    """Id of all of that but the images."""


@dataclass(frozen=True)
class Note:
    """A commit whose message promotion reads: it changed pins, or says something in trailers."""

    commit: str
    landed: int
    """Place of the commit that brought it onto the first-parent line, counted from the oldest."""
    time: datetime.datetime
    """Committer's time as written."""
    author: str
    committer: str
    text: str
    """The whole message."""

    @cached_property
    def messages(self) -> tuple[trailers.Message, ...]:
        """What the trailers say; several where a forge squashed several commits; none where promotion wrote none."""
        return trailers.parse_all(self.text)

    @property
    def message(self) -> trailers.Message | None:
        """What the trailers say last; None where promotion did not write the message."""
        return next(reversed(self.messages), None)

    @property
    def subject(self) -> str:
        """The message's first line."""
        return self.text.partition("\n")[0]


@dataclass(frozen=True)
class Event:
    """A change of an app's release in an environment."""

    app: str
    environment: str
    index: int
    """Place of the commit on the first-parent line, counted from the oldest."""
    commit: str
    """The commit that landed it."""
    time: datetime.datetime
    """When it landed: see :attr:`Running.since`."""
    note: Note
    """The commit that wrote it: the same, or one that a merge brought."""
    before: tuple[Pinned, ...] | None
    """The pins until then; None where there was no overlay."""
    after: tuple[Pinned, ...] | None
    """The pins from then on; None where the overlay went."""
    file: str
    """The overlay's kustomization."""
    problem: str | None
    """Why the overlay can't be read from then on."""
    tree: str | None = None
    """Id of its ``release/`` from then on; None where the overlay has none."""
    config: str | None = None
    """Id of all of that but the images."""
    before_tree: str | None = None
    """``tree`` until then."""
    before_config: str | None = None
    """``config`` until then."""
    merge: Note | None = None
    """The merge that landed it, where that has trailers, too: a forge writes into it who approved."""

    @property
    def message(self) -> trailers.Message | None:
        """The trailers that tell of this change; where none do, the last ones of the commit."""
        return self.told or self.note.message

    @cached_property
    def told(self) -> trailers.Message | None:
        """The trailers that tell of this change; None where the commit tells of other apps, or of nothing."""
        told = [
            (message, claim)
            for note in (self.note, self.merge)
            if note is not None
            for message in note.messages
            for claim in message.moved
            if message.target == self.environment and claim.app == self.app and message.operation in trailers.RELEASES
        ]
        after = {pin.digest for pin in self.after or ()}
        fitting = [one for one in told if {digest.rpartition("@")[2] for digest in one[1].digests} <= after]
        return next((message for message, _ in reversed(fitting or told)), None)


@dataclass(frozen=True)
class _Row:
    index: int
    commit: str
    time: int
    high: int
    environment: str
    app: str
    pins: str | None
    problem: str | None
    tree: str | None
    config: str | None
    file: str
    origin: str


_ROWS = """
    SELECT changes.seq, commits.id, commits.time, commits.high, environment, app, pins, problem, tree, config, file,
        origin
    FROM all_changes AS changes JOIN all_commits AS commits ON commits.seq = changes.seq
"""
_NOTES = "SELECT id, seq, time, author, committer, text FROM all_messages"
_NEWEST = _ROWS.replace("all_changes", "(SELECT *, max(seq) FROM all_changes GROUP BY environment, app)")
"""The last change of each app in each environment: SQLite takes the other columns from the row of the maximum."""

_WITNESSES = 9
"""So many commits before one say what time it was."""
_TOLERANCE = 3600
"""Seconds by which clocks of honest people differ at most."""


class Record:
    """The record up to one commit. Cheap to make: what is asked for is what is read."""

    def __init__(
        self,
        store: sqlite3.Connection,
        *,
        head: str,
        cut: str | None,
        now: datetime.datetime,
        environments: Collection[str] | None,
        apps: Collection[str] | None,
        clusters: Mapping[str, str] | None = None,
    ) -> None:
        self.head = head
        """The newest commit that was read."""
        self.cut = cut
        """Where the history of a shallow clone begins; None where all of it is there."""
        self.now = now
        self._store = store
        self._environments = None if environments is None else frozenset(environments)
        self._apps = None if apps is None else frozenset(apps)
        self._clusters = clusters or {}
        self._timelines: dict[tuple[str, str], tuple[Running, ...]] = {}

    def only(self, app: str) -> Record:
        """The record of one app alone, from what was read already."""
        return Record(
            self._store,
            head=self.head,
            cut=self.cut,
            now=self.now,
            environments=self._environments,
            apps=[app],
            clusters=self._clusters,
        )

    def running(self, environment: str, app: str) -> Running | None:
        """What the environment runs now; None where it has no overlay of the app."""
        place = self._place(environment, app)
        rows = self._rows("WHERE environment = ? AND app = ? ORDER BY changes.seq DESC LIMIT 1", place, app)
        return self._running(rows[0], None) if rows and self._present(rows[0]) else None

    def running_all(self) -> dict[tuple[str, str], Running]:
        """What every environment runs of every app now, by environment and app."""
        # One question for all authors: thousands of small ones take longer than everything else here.
        authors = dict(self._store.execute("SELECT id, author FROM all_messages"))
        rows = self._picked(_Row(*row) for row in self._store.execute(_NEWEST))
        return {
            (row.environment, row.app): self._running(row, None, author=authors[row.origin])
            for row in rows
            if self._present(row)
        }

    def timeline(self, environment: str, app: str) -> tuple[Running, ...]:
        """Everything that ran there, newest first."""
        if (environment, app) not in self._timelines:
            self._timelines[environment, app] = self._timeline(environment, app)
        return self._timelines[environment, app]

    def _timeline(self, environment: str, app: str) -> tuple[Running, ...]:
        rows = self._rows("WHERE environment = ? AND app = ? ORDER BY changes.seq", self._place(environment, app), app)
        found = []
        for row, following in zip_longest(rows, rows[1:]):
            if self._present(row):
                found.append(self._running(row, self._landed(following) if following else None))
        return tuple(reversed(found))

    def events(self, *, environment: str | None = None, app: str | None = None) -> tuple[Event, ...]:
        """Every change of pins, newest first; those of one environment or app where named."""
        where, values = ["1"], list[str]()
        if environment is not None:
            where.append("environment IN (?, ?)")
            values += [environment, self._place(environment, CLUSTER)]
        if app is not None:
            where.append("app = ?")
            values.append(app)
        rows = self._rows(f"WHERE {' AND '.join(where)} ORDER BY changes.seq, environment, app", *values)
        return tuple(reversed(self._events(rows)))

    def newest(self, environment: str, app: str) -> Event | None:
        """The last change of an app in an environment; None where there was none."""
        words = "WHERE environment = ? AND app = ? ORDER BY changes.seq DESC LIMIT 2"
        rows = self._rows(words, self._place(environment, app), app)
        return self._events(rows[::-1])[-1] if rows else None

    def _events(self, rows: Sequence[_Row]) -> list[Event]:
        """The changes, oldest first; what was before the first one of an app is taken to be nothing."""
        notes = {note.commit: note for note in self.notes()} if len(rows) > 50 else None
        landing: Callable[[str], Note | None] = self._note_or_none if notes is None else notes.get
        before: dict[tuple[str, str], Event] = {}
        found = []
        for row in rows:
            after = _unpack(row.pins) if self._present(row) else None
            earlier = before.get((row.environment, row.app))
            found.append(
                Event(
                    app=row.app,
                    environment=row.environment,
                    index=row.index,
                    commit=row.commit,
                    time=self._landed(row),
                    note=notes[row.origin] if notes is not None else self._note(row.origin),
                    before=earlier.after if earlier else None,
                    after=after,
                    file=row.file,
                    problem=row.problem,
                    tree=row.tree,
                    config=row.config,
                    before_tree=earlier.tree if earlier else None,
                    before_config=earlier.config if earlier else None,
                    merge=None if row.commit == row.origin else landing(row.commit),
                )
            )
            before[row.environment, row.app] = found[-1]
        return found

    def notes(self) -> tuple[Note, ...]:
        """Every commit whose message promotion reads, oldest first."""
        return self._notes

    def notes_with(self, *words: str) -> tuple[Note, ...]:
        """Those of them whose text has one of these words, oldest first: reading the trailers of all takes long."""
        found = " OR ".join("instr(text, ?)" for _ in words)
        rows = self._store.execute(f"{_NOTES} WHERE {found} ORDER BY seq, time", words)
        return tuple(map(_as_note, rows))

    @cached_property
    def _notes(self) -> tuple[Note, ...]:
        return tuple(map(_as_note, self._store.execute(f"{_NOTES} ORDER BY seq, time")))

    def approvals(self, environment: str, app: str) -> tuple[Note, ...]:
        """The commits that approve a release of an app for an environment, or withdraw approvals, oldest first."""
        return tuple(self._approvals.get((environment, app), ()))

    @cached_property
    def _approvals(self) -> dict[tuple[str, str], list[Note]]:
        found: dict[tuple[str, str], list[Note]] = {}
        for note in self.notes_with("Approves", "Decision"):
            places = {
                (message.target, moved.app)
                for message in note.messages
                if message.operation in {"approve", "withdraw"} and message.target is not None
                for moved in message.moved
            }
            for target, app in places:
                found.setdefault((target, app), []).append(note)
        return found

    def index(self, commit: str) -> int | None:
        """Place of a commit on the first-parent line, counted from the oldest; None where it is not on it."""
        row = self._store.execute("SELECT seq FROM all_commits WHERE id = ?", (commit,)).fetchone()
        return int(row[0]) if row else None

    def file(self, path: str, *, before: int | None = None) -> str | None:
        """Content of a file of an environment itself (``environments/<env>/environment.yaml``), or of all of them.

        Args:
            before: as it was before the commit at this place; as it is now by default.
        """
        row = self._store.execute(
            "SELECT text FROM all_files WHERE path = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
            (path, before if before is not None else 1 << 62),
        ).fetchone()
        return row[0] if row else None

    def files(self, name: str) -> tuple[tuple[int, str, str | None], ...]:
        """Every version of the files of that name, oldest first: place of the commit, path, content (None: removed)."""
        rows = self._store.execute(
            "SELECT seq, path, text FROM all_files WHERE path = ? OR path LIKE '%/' || ? ORDER BY seq, path",
            (name, name),
        )
        return tuple((int(seq), path, text) for seq, path, text in rows)

    def commit_at(self, index: int) -> tuple[str, datetime.datetime]:
        """Id and time of the commit at a place of the first-parent line."""
        row = self._store.execute("SELECT id, time, high FROM all_commits WHERE seq = ?", (index,)).fetchone()
        return row[0], self._time(index, row[1], row[2], self.now)

    def written(self, index: int) -> datetime.datetime:
        """The committer's time, as written, of the commit at a place of the first-parent line."""
        row = self._store.execute("SELECT time FROM all_commits WHERE seq = ?", (index,)).fetchone()
        return datetime.datetime.fromtimestamp(row[0], datetime.UTC)

    def moment(self, index: int) -> datetime.datetime:
        """When the commit at a place of the first-parent line was made: its own date, unless that can't be true.

        A commit is not made after those that follow it, nor in the future. Where one that follows is dated more than an
        hour earlier, one of both clocks is wrong: the later one's, where the commits before this one are dated after
        it, too; else this one's, and the earlier date counts.
        """
        time = int(self.written(index).timestamp())
        rows = self._store.execute(
            "SELECT time FROM all_commits WHERE seq < ? ORDER BY seq DESC LIMIT ?", (index, _WITNESSES)
        )
        before = sorted(row[0] for row in rows)
        # The one in the middle: a few wrong clocks do not move it.
        middle = before[len(before) // 2] if before else 0
        (later,) = self._store.execute(
            "SELECT min(time) FROM all_commits WHERE seq > ? AND time >= ? AND time < ?",
            (index, middle, time - _TOLERANCE),
        ).fetchone()
        possible = min(time, int(self.now.timestamp()), *([later] if later is not None else []))
        return datetime.datetime.fromtimestamp(possible, datetime.UTC)

    def landed(self, index: int, *, as_of: datetime.datetime) -> datetime.datetime:
        """When the commit at a place of the first-parent line landed, as far as one could say at some moment."""
        row = self._store.execute("SELECT time, high FROM all_commits WHERE seq = ?", (index,)).fetchone()
        return self._time(index, row[0], row[1], as_of)

    def shared(self, paths: Iterable[str], *, before: int | None = None) -> dict[str, tuple[str, int]]:
        """Object id of files that releases are made of, and the place of the commit that wrote it; by path.

        Args:
            paths: their paths in the repository; those that are not there are left out.
            before: as it was before the commit at this place; as it is now by default.
        """
        found = {}
        for path in paths:
            row = self._store.execute(
                "SELECT oid, seq FROM all_shared WHERE path = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
                (path, before if before is not None else 1 << 62),
            ).fetchone()
            if row is not None and row[0] is not None:
                found[path] = (str(row[0]), int(row[1]))
        return found

    def versions(self, path: str) -> tuple[tuple[int, str | None], ...]:
        """Every version of a file that releases are made of, newest first: place of the commit, and object id.

        The bases that an overlay names have a path of their own, see :data:`cartwright.history.store.BASES`.
        """
        rows = self._store.execute("SELECT seq, oid FROM all_shared WHERE path = ? ORDER BY seq DESC", (path,))
        return tuple((int(seq), oid) for seq, oid in rows)

    def _place(self, environment: str, app: str) -> str:
        """What the store calls the place of an app: the cluster for what a cluster needs."""
        if app != CLUSTER:
            return environment
        return "@" + next((name for name, one in self._clusters.items() if one == environment), environment)

    def _rows(self, rest: str, *values: str) -> list[_Row]:
        return self._picked(_Row(*row) for row in self._store.execute(_ROWS + rest, values))

    def _picked(self, found: Iterable[_Row]) -> list[_Row]:
        rows = (self._named(row) for row in found)
        return [
            row
            for row in rows
            if (self._environments is None or row.environment in self._environments)
            and (self._apps is None or row.app in self._apps)
        ]

    def _named(self, row: _Row) -> _Row:
        if not row.environment.startswith("@"):
            return row
        cluster = row.environment[1:]
        return replace(row, environment=self._clusters.get(cluster, cluster))

    @staticmethod
    def _present(row: _Row) -> bool:
        return row.pins is not None or row.problem is not None

    def _running(self, row: _Row, until: datetime.datetime | None, *, author: str | None = None) -> Running:
        return Running(
            app=row.app,
            environment=row.environment,
            pins=_unpack(row.pins),
            since=self._landed(row),
            commit=row.commit,
            author=author or self._note(row.origin).author,
            until=until,
            problem=row.problem,
            tree=row.tree,
            config=row.config,
        )

    def _note(self, commit: str) -> Note:
        found = self._note_or_none(commit)
        if found is None:
            raise KeyError(commit)
        return found

    def _note_or_none(self, commit: str) -> Note | None:
        row = self._store.execute(f"{_NOTES} WHERE id = ?", (commit,)).fetchone()
        return _as_note(row) if row else None

    def _landed(self, row: _Row) -> datetime.datetime:
        return self._time(row.index, row.time, row.high, self.now)

    def _time(self, index: int, time: int, high: int, as_of: datetime.datetime) -> datetime.datetime:
        """When a commit landed: its own time, or the latest before it on the line that is not in the future."""
        now = int(as_of.timestamp())
        if high > max(time, now):
            rows = self._store.execute("SELECT max(time) FROM all_commits WHERE seq <= ? AND time <= ?", (index, now))
            high = rows.fetchone()[0] or time
        return datetime.datetime.fromtimestamp(max(time, high), datetime.UTC)


def read_record(
    root: Path,
    commit: str,
    *,
    environments: Collection[str] | None = None,
    apps: Collection[str] | None = None,
    clusters: Mapping[str, str] | None = None,
    now: datetime.datetime | None = None,
) -> Record:
    """Read the record up to a commit.

    Args:
        root: the repository.
        commit: full id of the newest commit to read.
        environments: leave out all others.
        apps: leave out all others, ``group/name`` each.
        clusters: environment by cluster; one of the same name by default.
        now: the moment that tells which times lie in the future; that of the call by default.

    Raises:
        ToolError: git can't read the history.
    """
    store, cut = open_store(root, commit)
    return Record(
        store,
        head=commit,
        cut=cut,
        now=now or datetime.datetime.now(datetime.UTC),
        environments=environments,
        apps=apps,
        clusters=clusters,
    )


def _unpack(pins: str | None) -> tuple[Pinned, ...]:
    return tuple(Pinned(*one) for one in json.loads(pins)) if pins else ()


def _as_note(row: Sequence[Any]) -> Note:
    commit, landed, time, author, committer, text = row
    return Note(
        commit=commit,
        landed=int(landed),
        time=datetime.datetime.fromtimestamp(time, datetime.UTC),
        author=author,
        committer=committer,
        text=text,
    )
