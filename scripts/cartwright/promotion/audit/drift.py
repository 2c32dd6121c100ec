"""Configuration drift: how the objects of two environments differ, and which of that nobody has declared.

Both sides are rendered and compared field by field. A field that differs is of another *release* (an image at another
version, or what goes away once the target has the source's release), *owned* (declared to belong to each environment),
or drift.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from cartwright.history.carry import carried_release
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError
from cartwright.kernel.identity import Identity
from cartwright.promotion.moves import FileEdit, make_move
from cartwright.promotion.outlook import with_edits
from cartwright.registry.reference import split_reference
from cartwright.tree.owned import Owned, read_owned
from cartwright.tree.render import Rendered, render
from cartwright.tree.repository import FolderTree, open_tree
from cartwright.tree.sources import SourceMap

__all__ = ["ABSENT", "AppDrift", "Difference", "Drift", "find_drift"]

_GENERATED = re.compile(r"(.+)-[2456789bcdfghkmt]{10}")
"""A name with the suffix that kustomize makes of the content, in the letters that it uses."""


class _Absent:
    """What stands on one side alone is this on the other."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()
_Step = str | int


@dataclass(frozen=True)
class Difference:
    """One field that is not the same on both sides, or an object that one side lacks."""

    identity: Identity
    """The object, without a generated suffix."""
    path: str
    """The field, such as ``spec/replicas``; list entries by their name. Empty for a whole object."""
    source: Any
    """Its value in the source, or :data:`ABSENT`."""
    target: Any
    kind: str
    """``release``, ``owned`` or ``drift``."""
    reason: str | None
    """Why it may differ, where that is declared."""
    file: str
    """Where the side that sets it does so: the target, or the source for what the target lacks."""
    line: int


@dataclass(frozen=True)
class AppDrift:
    """What differs of one app."""

    app: str
    differences: tuple[Difference, ...]

    @property
    def drift(self) -> tuple[Difference, ...]:
        """What nobody has declared."""
        return tuple(one for one in self.differences if one.kind == "drift")


@dataclass(frozen=True)
class Drift:
    """What differs between two environments."""

    source: str
    target: str
    apps: tuple[AppDrift, ...]
    only: tuple[tuple[str, str], ...]
    """Apps that one of the two does not have, and the one that has them. They may be new, so they are no drift."""


@dataclass(frozen=True)
class _Object:
    """An object as it was rendered, and without generated suffixes."""

    raw: Mapping[str, Any]
    content: Any


@dataclass(frozen=True)
class _Leaf:
    """A field that differs."""

    path: tuple[str, ...]
    """Its path by names."""
    field: tuple[_Step, ...]
    """Its place in the side that has it."""
    source: Any
    target: Any


def find_drift(snapshot: Snapshot, source: str, target: str, apps: Sequence[str]) -> Drift:
    """Compare two environments.

    Args:
        apps: ``group/name`` of those to compare; every one by default.

    Raises:
        UserError: an overlay can't be rendered, or a declaration can't be read: file and line.
    """
    here, there = (snapshot.applications[name] for name in (source, target))
    wanted = sorted(apps or {*here, *there})
    common = [app for app in wanted if app in here and app in there]
    tree = open_tree(snapshot.root, snapshot.head.commit)
    rendered, failures = render(tree, [side[app] for app in common for side in (here, there)])
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    sources = SourceMap(tree)
    pairs = dict(zip(common, zip(rendered[::2], rendered[1::2], strict=True), strict=True))
    promoted = _promoted(snapshot, tree, target, pairs)
    owned = read_owned(tree)
    return Drift(
        source=source,
        target=target,
        apps=tuple(
            AppDrift(app=app, differences=tuple(_compare(sources, app, sides, promoted=promoted.get(app), owned=owned)))
            for app, sides in pairs.items()
        ),
        only=tuple((app, source if app in here else target) for app in wanted if app not in common),
    )


def _promoted(
    snapshot: Snapshot, tree: FolderTree, target: str, pairs: Mapping[str, tuple[Rendered, Rendered]]
) -> dict[str, Rendered]:
    """The target's objects as they were with the source's release, by app; of apps whose release differs."""
    edits: list[FileEdit] = []
    behind = {}
    for app, (here, there) in pairs.items():
        if snapshot.release_folder(target, app) is not None:
            move, files = make_move(snapshot, target, app, carried_release(snapshot, here.application.environment, app))
            if move.changes:
                behind[app] = there.application
                edits += files
    if not behind:
        return {}
    read = {path for app in behind for path in pairs[app][1].closure.files}
    with with_edits(tree, read, edits, repository=snapshot.root) as outlook:
        rendered, failures = render(outlook, list(behind.values()))
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    return dict(zip(behind, rendered, strict=True))


def _left(
    source: Mapping[Identity, _Object], promoted: Mapping[Identity, _Object]
) -> set[tuple[Identity, tuple[str, ...]]]:
    """Every field that still differs."""
    found: set[tuple[Identity, tuple[str, ...]]] = set()
    for identity in {*source, *promoted}:
        here, there = source.get(identity), promoted.get(identity)
        if here is None or there is None:
            found.add((identity, ()))
        else:
            found.update((identity, leaf.path) for leaf in _differing(here.content, there.content))
    return found


def _compare(
    sources: SourceMap,
    app: str,
    sides: tuple[Rendered, Rendered],
    *,
    promoted: Rendered | None,
    owned: tuple[Owned, ...],
) -> Iterator[Difference]:
    if sides[0].key == sides[1].key:
        return
    declared = tuple(one for one in owned if fnmatchcase(app, one.app))
    source, target = (_objects(side) for side in sides)
    # What is alike once the target has the source's release differs by the release alone.
    left = None if promoted is None else _left(source, _objects(promoted))
    for identity in sorted({*source, *target}):
        here, there = source.get(identity), target.get(identity)
        if here is None or there is None:
            found: Iterable[_Leaf] = [_Leaf((), (), "present" if here else ABSENT, "present" if there else ABSENT)]
        else:
            found = _differing(here.content, there.content)
        for leaf in found:
            setter, side = (here, sides[0]) if there is None or leaf.target is ABSENT else (there, sides[1])
            kind, reason = _classify(identity, leaf, declared=declared)
            if left is not None and (identity, leaf.path) not in left:
                kind, reason = "release", None
            file, line = sources.locate(side.closure, setter.raw if setter else {}, leaf.field)
            yield Difference(
                identity=identity,
                path="/".join(leaf.path),
                source=leaf.source,
                target=leaf.target,
                kind=kind,
                reason=reason,
                file=file,
                line=line,
            )


def _objects(rendered: Rendered) -> dict[Identity, _Object]:
    names = {
        one.identity.name: match[1]
        for one in rendered.resources
        if one.identity.kind in {"ConfigMap", "Secret"} and (match := _GENERATED.fullmatch(one.identity.name))
    }

    def bare(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: bare(one) for key, one in value.items()}
        if isinstance(value, list):
            return [bare(one) for one in value]
        return names.get(value, value) if isinstance(value, str) else value

    found = {}
    for one in rendered.resources:
        who = one.identity
        name = names.get(who.name, who.name) if who.kind in {"ConfigMap", "Secret"} else who.name
        found[replace(who, name=name)] = _Object(raw=one.content, content=bare(one.content))
    return found


def _differing(one: Any, other: Any, path: tuple[str, ...] = (), field: tuple[_Step, ...] = ()) -> Iterator[_Leaf]:
    """Every field that differs; of what one side lacks, the topmost."""
    if one == other and type(one) is type(other):
        return
    left, right = _parts(one), _parts(other)
    if left is None or right is None or type(one) is not type(other):
        yield _Leaf(path, field, one, other)
        return
    for name in dict.fromkeys([*left, *right]):
        step = (right if name in right else left)[name][0]
        old, new = (side[name][1] if name in side else ABSENT for side in (left, right))
        yield from _differing(old, new, (*path, name), (*field, step))


def _parts(value: Any) -> dict[str, tuple[_Step, Any]] | None:
    """The parts of a mapping or a list, list entries by their name if all have one; None for a single value."""
    if isinstance(value, Mapping):
        return {str(key): (str(key), one) for key, one in value.items()}
    if isinstance(value, list):
        names = [str(one["name"]) for one in value if isinstance(one, Mapping) and "name" in one]
        if len(set(names)) != len(value):
            names = [str(index) for index in range(len(value))]
        return {name: (index, one) for index, (name, one) in enumerate(zip(names, value, strict=True))}
    return None


def _classify(
    identity: Identity,
    leaf: _Leaf,
    *,
    declared: Iterable[Owned],
) -> tuple[str, str | None]:
    path, repository = leaf.path, _repository(leaf.source)
    if path[-1:] == ("image",) and repository is not None and repository == _repository(leaf.target):
        return "release", None
    for one in declared:
        if not (fnmatchcase(identity.kind, one.kind) and fnmatchcase(identity.name, one.name)):
            continue
        # What belongs to the environment does so with all that is below it.
        if any(fnmatchcase("/".join(path[:depth]), one.path) for depth in range(1, len(path) + 1)) or (
            not path and one.path == "*"
        ):
            return "owned", one.reason
    return "drift", None


def _repository(image: Any) -> str | None:
    return split_reference(image).name if isinstance(image, str) else None
