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
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cartwright.history import bases, log, pins, releasetree, trailers
from cartwright.history.bases import bases_of
from cartwright.history.git import git
from cartwright.history.log import Commit, FileChange, read_commits, read_objects
from cartwright.history.pins import read_pins
from cartwright.history.releasetree import FILE, FOLDER, config_id
from cartwright.history.trees import parse_tree, tree_id
from cartwright.kernel import atomic
from cartwright.kernel.errors import CartwrightError, ToolError, UserError
from cartwright.kernel.paths import cache_root
from cartwright.tree.closure import KUSTOMIZATION_NAMES

__all__ = ["BASES", "CLUSTER", "TOPS", "open_store"]

TOPS = ("apps", "clusters", "environments")
"""Folders whose files an environment can run; the record reads no others."""
BASES = "#bases"
"""What follows the path of an overlay's kustomization where its bases are meant."""
CLUSTER = "cluster"
"""The app that is what a cluster needs before all others: ``clusters/<cluster>``."""
_IMAGES = re.compile(r"^images:.*?(?=^[^\s-]|\Z)", re.MULTILINE | re.DOTALL)
_COMPONENT = re.compile(r"^kind:\s*Component\s*$", re.MULTILINE)
_KEEP, _MANY = 200, 2000
"""So many new commits, or changes in them, are worth writing to the cache."""
_GONE, _LINK, _MODULE = "000000", "120000", "160000"
_PLAIN = frozenset({"100644", "100755"})
_TABLES = {
    "commits": "seq INTEGER PRIMARY KEY, id TEXT UNIQUE, time INTEGER, high INTEGER",
    "messages": "id TEXT PRIMARY KEY, seq INTEGER, time INTEGER, author TEXT, committer TEXT, text TEXT",
    "changes": "environment TEXT, app TEXT, seq INTEGER, pins TEXT, problem TEXT, tree TEXT, config TEXT, file TEXT, "
    "origin TEXT, PRIMARY KEY (environment, app, seq)",
    "shared": "path TEXT, seq INTEGER, oid TEXT, PRIMARY KEY (path, seq)",
    "files": "path TEXT, seq INTEGER, text TEXT, PRIMARY KEY (path, seq)",
}
"""``seq`` counts the commits of the first-parent line from the oldest; ``high`` is the latest time up to there.
A change without pins and problem is the overlay's end; a file without text is the file's. ``tree`` and ``config`` are
ids of the overlay's ``release/``, where it has one; the environment ``@prod`` stands for the cluster ``prod``.
``shared`` has the files that releases are made of, and after ``#bases`` the bases that overlays name, as JSON."""


def open_store(root: Path, commit: str) -> tuple[sqlite3.Connection, str | None]:
    """The record up to a commit, as views ``all_commits``, ``all_changes`` and one for each other table.

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
    for module in (log.__file__, bases.__file__, pins.__file__, releasetree.__file__, trailers.__file__, __file__):
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
        new = read_commits(root, commit, below=TOPS)
    else:
        try:
            new = read_commits(root, commit, known=head[0], below=TOPS)
        except ToolError:  # the stored head was rewritten and is gone
            new, head = read_commits(root, commit, below=TOPS), None
    line = _first_parents(new, commit)
    fork = line[-1].parents[0] if line and line[-1].parents else None if line else commit
    row = store.execute("SELECT seq FROM commits WHERE id = ?", (fork,)).fetchone() if head and fork else None
    if row is None and head is not None:
        return _extend_anew(root, commit, file)
    base = int(row[0]) if row else -1
    _overlay(store, base)
    count = _read(root, store, base, new, line)
    if file is not None and (len(line) >= _KEEP or count >= _MANY):
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


def _read(root: Path, store: sqlite3.Connection, base: int, new: Sequence[Commit], line: Sequence[Commit]) -> int:
    """Fill the temporary tables from the new commits, and return the number of rows."""
    touched = {one.id: _overlays(one.changes) for one in line}
    contents = _Contents(root, line, touched)
    sides = _sides(new, line)
    last: dict[tuple[str, str], _State | None] = {}
    shared: dict[str, str | None] = {}
    row = store.execute("SELECT high FROM main.commits WHERE seq = ?", (base,)).fetchone()
    high = int(row[0]) if row else 0
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in _TABLES}
    for seq, one in enumerate(reversed(line), start=base + 1):
        high = max(high, one.time)
        rows["commits"].append((seq, one.id, one.time, high))
        wrote: set[str] = set()
        for key, overlay in touched[one.id].items():
            if key not in last:
                last[key] = _stored(store, base, key)
            known = last[key]
            state = contents.state(one.id, overlay, known)
            if known == state or (known is None and state == _NOTHING):
                continue
            last[key] = state
            origin = _origin(one, sides.get(one.id, ()), overlay.paths)
            wrote.add(origin.id)
            rows["changes"].append((*key, seq, *state, overlay.file(state), origin.id))
        for change in one.changes:
            if _is_shared(change.path):
                rows["shared"].append((change.path, seq, change.oid if change.mode != _GONE else None))
            if _is_own(change.path):
                name, value = change.path + BASES, contents.bases(change)
                if name not in shared or shared[name] != value:
                    shared[name] = value
                    rows["shared"].append((name, seq, value))
            if _is_file(change.path):
                rows["files"].append((change.path, seq, contents.text(change.oid)))
                wrote.add(one.id)
        for note in (*sides.get(one.id, ()), one):
            if note.id in wrote or trailers.parse(note.message) is not None:
                rows["messages"].append((note.id, seq, note.time, note.author, note.committer, note.message))
    for name, columns in _TABLES.items():
        marks = ", ".join("?" * sum(not part.strip().startswith("PRIMARY") for part in _split(columns)))
        store.executemany(f"INSERT OR REPLACE INTO temp.new_{name} VALUES ({marks})", rows[name])  # noqa: S608
    return sum(map(len, rows.values()))


def _split(columns: str) -> list[str]:
    """The column definitions of a table."""
    return columns.partition(", PRIMARY KEY (")[0].split(",")


def _stored(store: sqlite3.Connection, base: int, key: tuple[str, str]) -> _State | None:
    row = store.execute(
        "SELECT pins, problem, tree, config FROM main.changes WHERE environment = ? AND app = ? AND seq <= ? "
        "ORDER BY seq DESC LIMIT 1",
        (*key, base),
    ).fetchone()
    return _State(*row) if row else None


class _State(NamedTuple):
    """What an overlay says from a commit on."""

    pins: str | None = None
    problem: str | None = None
    tree: str | None = None
    config: str | None = None


_NOTHING = _State()


@dataclass
class _Touched:
    """What a commit changes of an overlay."""

    folder: str
    own: FileChange | None = None
    """Its kustomization; where one is renamed in its folder, the new one."""
    release: list[str] = field(default_factory=list)
    """Files below ``release/``."""

    @property
    def paths(self) -> frozenset[str]:
        """What explains a change of the overlay: the files that decide it."""
        return frozenset([*([self.own.path] if self.own else []), *self.release])

    def file(self, state: _State) -> str:
        """The kustomization that pins the images."""
        if state.tree is not None:
            return f"{self.folder}/{FOLDER}/{FILE}"
        return self.own.path if self.own else f"{self.folder}/{FILE}"


def _overlays(changes: Iterable[FileChange]) -> dict[tuple[str, str], _Touched]:
    """What is changed of overlays, by environment and app."""
    found: dict[tuple[str, str], _Touched] = {}
    for change in changes:
        place = _overlay_of(change.path) or _replaced(change)
        if place is None:
            continue
        key, folder, is_release = place
        touched = found.setdefault(key, _Touched(folder))
        if is_release:
            touched.release.append(change.path)
        elif touched.own is None or change.mode != _GONE:
            touched.own = change
    return {key: one for key, one in found.items() if one.own or one.release}


def _replaced(change: FileChange) -> tuple[tuple[str, str], str, bool] | None:
    """As :func:`_overlay_of`, for a link or another repository in the place of an overlay's folder."""
    parts = change.path.split("/")
    if change.mode not in {_LINK, _MODULE} or parts[0] != "environments" or len(parts) != 4:
        return None
    return (parts[1], "/".join(parts[2:])), change.path, False


def _overlay_of(path: str) -> tuple[tuple[str, str], str, bool] | None:
    """Environment and app that a file decides, the overlay's folder, and whether the file is part of its release."""
    top, _, rest = path.partition("/")
    place, _, below = rest.partition("/")
    if top == "clusters":
        key, inner, folder = (f"@{place}", CLUSTER), below, f"{top}/{place}"
        if inner.startswith(f"{FOLDER}/"):
            return key, folder, True
        return (key, folder, False) if inner in KUSTOMIZATION_NAMES else None
    if top != "environments":
        return None
    app, inside, _ = below.partition(f"/{FOLDER}/")
    if inside:
        return (place, app), f"{top}/{place}/{app}", True
    app, _, name = below.rpartition("/")
    return ((place, app), f"{top}/{place}/{app}", False) if app and name in KUSTOMIZATION_NAMES else None


def _is_shared(path: str) -> bool:
    """Whether releases are made of it."""
    return path.startswith("apps/") or (path.startswith("clusters/") and path.split("/")[2:3] != [FOLDER])


def _is_file(path: str) -> bool:
    """Whether it is a file of an environment itself, or of all of them."""
    return path.startswith("environments/") and path.count("/") <= 2 and not path.endswith(".schema.json")


class _Contents:
    """What the changed files hold, read by two programs however many they are."""

    def __init__(self, root: Path, line: Sequence[Commit], touched: Mapping[str, Mapping[tuple[str, str], _Touched]]):
        wanted = {
            change.oid
            for one in line
            for change in one.changes
            if change.mode not in {_GONE, _MODULE}
            and (_is_file(change.path) or _is_own(change.path) or _is_pins(change.path))
        }
        released = {(one.id, change.folder) for one in line for change in touched[one.id].values() if change.release}
        trees = {f"{commit}:{folder}/{FOLDER}" for commit, folder in released}
        # A release that goes leaves the overlay's own kustomization, which may have been there for long.
        own = {f"{commit}:{folder}/{name}" for commit, folder in released for name in KUSTOMIZATION_NAMES}
        self._objects = read_objects(root, {*wanted, *trees, *own})
        self._entries = {
            name: parse_tree(self._objects[name][1], like=line[0].id)
            for name in trees
            if self._objects.get(name, ("", b""))[0] == "tree"
        }
        kustomizations = {found[FILE][1] for found in self._entries.values() if FILE in found}
        self._objects |= read_objects(root, kustomizations - self._objects.keys())
        self._read: dict[tuple[str, str], _State] = {}
        self._bases: dict[str, str] = {}

    def text(self, name: str) -> str | None:
        """Content of a file."""
        found = self._objects.get(name)
        return found[1].decode(errors="replace") if found else None

    def bases(self, change: FileChange) -> str | None:
        """The bases that an overlay names, as JSON; None where it goes."""
        if change.mode == _GONE:
            return None
        text = self.text(change.oid) or ""
        plain = f"{change.path}\0{_IMAGES.sub('', text)}"
        if plain not in self._bases:  # most changes are of images alone
            try:
                self._bases[plain] = json.dumps(bases_of(text, change.path))
            except UserError:
                self._bases[plain] = "unreadable"
        return self._bases[plain]

    def state(self, commit: str, change: _Touched, known: _State | None) -> _State:
        """What an overlay says from a commit on."""
        if change.release:
            entries = self._entries.get(f"{commit}:{change.folder}/{FOLDER}")
            if entries is not None:
                return self._released(commit, change.folder, entries)
        elif known is not None and known.tree is not None:
            return _NOTHING if change.own and change.own.mode == _GONE else known
        if change.own is not None:
            return self._own(change.own.mode, change.own.oid, change.own.path)
        for name in KUSTOMIZATION_NAMES:
            path = f"{change.folder}/{name}"
            if f"{commit}:{path}" in self._objects:
                return self._own("100644", f"{commit}:{path}", path)
        return _NOTHING

    def _released(self, commit: str, folder: str, entries: Mapping[str, tuple[str, str]]) -> _State:
        file = f"{folder}/{FOLDER}/{FILE}"
        mode, oid = entries.get(FILE, (_GONE, ""))
        tree = tree_id(entries, like=commit)
        if mode not in _PLAIN:
            what = "is missing" if mode == _GONE else "is not a plain file"
            return _State(problem=f"{file}: {what}", tree=tree)
        state = self._own(mode, oid, file)
        return state._replace(tree=tree, config=config_id(entries, self.text(oid) or "", like=commit))

    def _own(self, mode: str, oid: str, path: str) -> _State:
        """Pins and problem of a kustomization, each content read once."""
        if mode == _GONE:
            return _NOTHING
        if mode in {_LINK, _MODULE}:
            return _State(problem=f"{path}: is a {'symbolic link' if mode == _LINK else 'submodule'}")
        key = (oid, path)
        if key not in self._read:
            try:
                text = self._objects[oid][1].decode()
                found = read_pins(text, path)
                pinned = json.dumps([astuple(pin) for pin in found], separators=(",", ":"))
                # A component of an overlay is not an overlay: nothing is deployed of it alone.
                self._read[key] = _State(pins=pinned) if found or not _COMPONENT.search(text) else _NOTHING
            except UnicodeDecodeError:
                self._read[key] = _State(problem=f"{path}: is not UTF-8")
            except (UserError, CartwrightError) as error:
                self._read[key] = _State(problem=str(error))
        return self._read[key]


def _is_own(path: str) -> bool:
    """Whether it is an overlay's own kustomization."""
    place = _overlay_of(path)
    return place is not None and not place[2]


def _is_pins(path: str) -> bool:
    """Whether it is the kustomization of a release."""
    return path.endswith(f"/{FOLDER}/{FILE}") and _overlay_of(path) is not None


def _origin(commit: Commit, side: Sequence[Commit], paths: Collection[str]) -> Commit:
    """The commit that wrote a change: for a merge the newest on its side that changed one of the files."""
    return next((one for one in side if any(change.path in paths for change in one.changes)), commit)


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
