"""Keeping what was read of the history, by commit id, so that a command reads only what is new.

A SQLite file in the cache holds the first-parent line up to some commit. What leads from that line to the asked commit
is read from Git into temporary tables, and the views ``all_…`` show both as one. So a branch that forks off the line,
or a line that was rewritten, costs only its own commits. Nothing here is more than Git says: the file can be deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from functools import cache
from pathlib import Path, PurePosixPath

from cartwright.history import log, pins, trailers
from cartwright.history.git import git
from cartwright.history.log import Commit, FileChange, read_blobs, read_commits
from cartwright.history.pins import read_pins
from cartwright.kernel import atomic
from cartwright.kernel.errors import CartwrightError, ToolError, UserError
from cartwright.kernel.paths import cache_root
from cartwright.tree.closure import KUSTOMIZATION_NAMES

__all__ = ["open_store"]

_TOP = "environments"
_COMPONENT = re.compile(r"^kind:\s*Component\s*$", re.MULTILINE)
_KEEP = 200
"""So many new commits are worth writing to the cache."""
_GONE, _LINK, _MODULE = "000000", "120000", "160000"
_TABLES = {
    "commits": "seq INTEGER PRIMARY KEY, id TEXT UNIQUE, time INTEGER, high INTEGER",
    "messages": "id TEXT PRIMARY KEY, seq INTEGER, time INTEGER, author TEXT, committer TEXT, text TEXT",
    "changes": "environment TEXT, app TEXT, seq INTEGER, pins TEXT, problem TEXT, file TEXT, origin TEXT, "
    "PRIMARY KEY (environment, app, seq)",
    "files": "path TEXT, seq INTEGER, text TEXT, PRIMARY KEY (path, seq)",
}
"""``seq`` counts the commits of the first-parent line from the oldest; ``high`` is the latest time up to there.
A change without pins and problem is the overlay's end; a file without text is the file's."""


def open_store(root: Path, commit: str) -> tuple[sqlite3.Connection, str | None]:
    """The record up to a commit, as views ``all_commits``, ``all_messages``, ``all_changes`` and ``all_files``.

    Returns:
        The connection, and the commit at which a shallow clone's history is cut, None where it is whole.

    Raises:
        ToolError: git can't read the history.
    """
    folder, shallow = _whereabouts(root)
    file = _file(folder, shallow)
    try:
        store = _extend(root, commit, file)
    except sqlite3.DatabaseError:
        # Broken, or no place to write: the cache is a convenience.
        with contextlib.suppress(OSError):
            file.unlink()
        store = _extend(root, commit, None)
    cut = store.execute("SELECT id FROM all_commits ORDER BY seq LIMIT 1").fetchone()[0] if shallow else None
    return store, cut


def _whereabouts(root: Path) -> tuple[Path, tuple[str, ...]]:
    """The Git folder that all work trees share, and the commits at which a shallow clone is cut."""
    folder = root / ".git"
    if not folder.is_dir():  # a linked work tree, or a bare repository
        folder = root / git(root, "rev-parse", "--git-common-dir").stdout.strip()
    try:
        return folder.resolve(), tuple(sorted((folder / "shallow").read_text(encoding="ascii").split()))
    except OSError:
        return folder.resolve(), ()


def _file(folder: Path, shallow: Sequence[str]) -> Path:
    key = hashlib.blake2b(digest_size=20)
    for part in (str(folder), *shallow, _code()):
        key.update(part.encode() + b"\0")
    name = key.hexdigest()
    return cache_root() / "record" / name[:2] / f"{name}.sqlite"


@cache
def _code() -> str:
    """Hash of the code that decides what is stored."""
    total = hashlib.blake2b(digest_size=20)
    for module in (log.__file__, pins.__file__, trailers.__file__, __file__):
        total.update(Path(module).read_bytes())
    return total.hexdigest()


def _extend(root: Path, commit: str, file: Path | None) -> sqlite3.Connection:
    """The stored line and what leads from it to the commit."""
    store = _connect(file if file is not None and file.is_file() else None)
    if file is not None:
        with contextlib.suppress(OSError):
            os.utime(file)  # what is in use is not pruned
    head = store.execute("SELECT id, seq FROM commits ORDER BY seq DESC LIMIT 1").fetchone()
    if head is None:
        new = read_commits(root, commit, below=_TOP)
    else:
        try:
            new = read_commits(root, commit, known=head[0], below=_TOP)
        except ToolError:  # the stored head was rewritten and is gone
            new, head = read_commits(root, commit, below=_TOP), None
    line = _first_parents(new, commit)
    fork = line[-1].parents[0] if line and line[-1].parents else None if line else commit
    row = store.execute("SELECT seq FROM commits WHERE id = ?", (fork,)).fetchone() if head and fork else None
    if row is None and head is not None:
        return _extend_anew(root, commit, file)
    base = int(row[0]) if row else -1
    _overlay(store, base)
    _read(root, store, base, new, line)
    if file is not None and len(line) >= _KEEP:
        _save(store, file)
    return store


def _extend_anew(root: Path, commit: str, file: Path | None) -> sqlite3.Connection:
    """Read all: what is stored shares no commit with the line that is asked for."""
    if file is not None:
        with contextlib.suppress(OSError):
            file.unlink()
    return _extend(root, commit, file)


def _connect(file: Path | None) -> sqlite3.Connection:
    place = f"{file.resolve().as_uri()}?mode=ro" if file else ":memory:"
    store = sqlite3.connect(place, uri=file is not None, timeout=10)
    if file is None:
        for name, columns in _TABLES.items():
            store.execute(f"CREATE TABLE {name} ({columns})")
    return store


def _overlay(store: sqlite3.Connection, base: int) -> None:
    """Temporary tables for what is new, and views over both."""
    for name, columns in _TABLES.items():
        store.execute(f"CREATE TEMP TABLE new_{name} ({columns})")
        store.execute(
            f"CREATE TEMP VIEW all_{name} AS SELECT * FROM main.{name} WHERE seq <= {base} "  # noqa: S608
            f"UNION ALL SELECT * FROM temp.new_{name}"
        )


def _save(store: sqlite3.Connection, file: Path) -> None:
    """Write all that the views show to the cache, in one step; without a place to write, the next call reads again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic.side_file(file, mode=0o600) as side:
            store.commit()
            store.execute("ATTACH DATABASE ? AS kept", (str(side),))
            store.execute("PRAGMA kept.synchronous = OFF")
            for name, columns in _TABLES.items():
                store.execute(f"CREATE TABLE kept.{name} ({columns})")
                store.execute(f"INSERT INTO kept.{name} SELECT * FROM all_{name}")  # noqa: S608
            store.commit()
            store.execute("DETACH DATABASE kept")
    except (OSError, sqlite3.DatabaseError):
        return


def _first_parents(new: Sequence[Commit], commit: str) -> list[Commit]:
    """The commits of the first-parent line among the new ones, newest first."""
    by_id = {one.id: one for one in new}
    line: list[Commit] = []
    following: str | None = commit
    while following in by_id:
        line.append(by_id[following])
        following = line[-1].parents[0] if line[-1].parents else None
    return line


def _read(root: Path, store: sqlite3.Connection, base: int, new: Sequence[Commit], line: Sequence[Commit]) -> None:
    """Fill the temporary tables from the new commits."""
    blobs = read_blobs(
        root,
        (
            change.oid
            for one in line
            for change in one.changes
            if change.mode not in {_GONE, _MODULE} and (_overlay_of(change.path) or _is_file(change.path))
        ),
    )
    sides = _sides(new, line)
    read: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    last: dict[tuple[str, str], tuple[str | None, str | None] | None] = {}
    row = store.execute("SELECT high FROM main.commits WHERE seq = ?", (base,)).fetchone()
    high = int(row[0]) if row else 0
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in _TABLES}
    for seq, one in enumerate(reversed(line), start=base + 1):
        high = max(high, one.time)
        rows["commits"].append((seq, one.id, one.time, high))
        wrote: set[str] = set()
        for (environment, app), change in _overlays(one.changes).items():
            state = _state(change, blobs, read)
            key = (environment, app)
            if key not in last:
                last[key] = _stored(store, base, key)
            if last[key] == state or (last[key] is None and state == (None, None)):
                continue
            last[key] = state
            origin = _origin(one, sides.get(one.id, ()), change.path)
            wrote.add(origin.id)
            rows["changes"].append((environment, app, seq, *state, change.path, origin.id))
        for change in one.changes:
            if _is_file(change.path):
                text = blobs[change.oid].decode(errors="replace") if change.oid in blobs else None
                rows["files"].append((change.path, seq, text))
                wrote.add(one.id)
        for note in (*sides.get(one.id, ()), one):
            if note.id in wrote or trailers.parse(note.message) is not None:
                rows["messages"].append((note.id, seq, note.time, note.author, note.committer, note.message))
    for name, columns in _TABLES.items():
        marks = ", ".join("?" * sum(not part.strip().startswith("PRIMARY") for part in _split(columns)))
        store.executemany(f"INSERT OR REPLACE INTO temp.new_{name} VALUES ({marks})", rows[name])  # noqa: S608


def _split(columns: str) -> list[str]:
    """The column definitions of a table."""
    return columns.partition(", PRIMARY KEY (")[0].split(",")


def _stored(store: sqlite3.Connection, base: int, key: tuple[str, str]) -> tuple[str | None, str | None] | None:
    row = store.execute(
        "SELECT pins, problem FROM main.changes WHERE environment = ? AND app = ? AND seq <= ? "
        "ORDER BY seq DESC LIMIT 1",
        (*key, base),
    ).fetchone()
    return (row[0], row[1]) if row else None


def _overlays(changes: Iterable[FileChange]) -> dict[tuple[str, str], FileChange]:
    """The changed kustomizations by environment and app; where one is renamed in its folder, the new one."""
    found: dict[tuple[str, str], FileChange] = {}
    for change in changes:
        key = _overlay_of(change.path)
        if key and (key not in found or change.mode != _GONE):
            found[key] = change
    return found


def _overlay_of(path: str) -> tuple[str, str] | None:
    """Environment and app of a kustomization below an environment."""
    top, _, rest = path.partition("/")
    environment, _, below = rest.partition("/")
    app, _, name = below.rpartition("/")
    return (environment, app) if top == _TOP and app and name in KUSTOMIZATION_NAMES else None


def _is_file(path: str) -> bool:
    """Whether it is a file of an environment itself, or of all of them."""
    return len(PurePosixPath(path).parts) <= 3 and not path.endswith(".schema.json")


def _state(
    change: FileChange, blobs: Mapping[str, bytes], read: dict[tuple[str, str], tuple[str | None, str | None]]
) -> tuple[str | None, str | None]:
    """Pins and problem of an overlay's new content, each blob read once."""
    if change.mode == _GONE:
        return None, None
    if change.mode in {_LINK, _MODULE}:
        return None, f"{change.path}: is a {'symbolic link' if change.mode == _LINK else 'submodule'}"
    key = (change.oid, change.path)
    if key not in read:
        try:
            text = blobs[change.oid].decode()
            found = read_pins(text, change.path)
            pinned = json.dumps([astuple(pin) for pin in found], separators=(",", ":"))
            # A component is a part of the overlay beside it, and no app; only one that pins images must not go unseen.
            read[key] = (None if not found and _COMPONENT.search(text) else pinned), None
        except UnicodeDecodeError:
            read[key] = None, f"{change.path}: is not UTF-8"
        except (UserError, CartwrightError) as error:
            read[key] = None, str(error)
    return read[key]


def _origin(commit: Commit, side: Sequence[Commit], path: str) -> Commit:
    """The commit that wrote a change: for a merge the newest on its side that changed the file."""
    return next((one for one in side if any(change.path == path for change in one.changes)), commit)


def _sides(new: Sequence[Commit], line: Sequence[Commit]) -> dict[str, tuple[Commit, ...]]:
    """What each merge of the line brought that the line did not have, newest first."""
    if all(len(one.parents) < 2 for one in line):
        return {}
    by_id = {one.id: one for one in new}
    order = {one.id: place for place, one in enumerate(new)}
    seen = {one.id for one in line}
    found: dict[str, tuple[Commit, ...]] = {}
    for merge in reversed(line):
        pending = [parent for parent in merge.parents[1:] if parent in by_id and parent not in seen]
        brought: list[Commit] = []
        while pending:
            one = pending.pop()
            if one in seen:
                continue
            seen.add(one)
            brought.append(by_id[one])
            pending += [parent for parent in by_id[one].parents if parent in by_id and parent not in seen]
        if brought:
            found[merge.id] = tuple(sorted(brought, key=lambda commit: order[commit.id]))
    return found
