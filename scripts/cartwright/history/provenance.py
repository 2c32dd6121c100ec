"""Whether what stands in ``release/`` ever ran upstream: asked of content alone, so no message has to be believed.

A release may stand in an environment if each upstream ran its configuration, or it was there already; the same for its
images; or if the environment ran all of it before. Whether gates were asked is another question, see
``cartwright promote verify``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cartwright.history.baseline import read_accepted, read_baseline
from cartwright.history.followed import Span, ran_in
from cartwright.history.pinned import Pinned
from cartwright.history.record import Event, Record
from cartwright.history.releasetree import ReleaseTree
from cartwright.history.snapshot import read_release_tree
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree

__all__ = ["Configurations", "strangers"]


class Configurations:
    """Since when environments ran the configuration of a release."""

    def __init__(self, root: Path, record: Record) -> None:
        self._root = root
        self._record = record
        self._trees: dict[str, ReleaseTree] = {}
        self._spans: dict[tuple[str, int, str], Span | None] = {}

    def span(self, event: Event, upstream: Event) -> Span | None:
        """When an upstream that follows main had the configuration that an event brought; None for never."""
        if event.tree is None:
            return None
        key = (event.tree, event.index, upstream.file)
        if key not in self._spans:
            tree = self._tree(event.tree)
            self._spans[key] = ran_in(self._record, tree, upstream.file, before=event.index)
        return self._spans[key]

    def strange(self, event: Event, name: str, upstream: Event | None) -> str | None:
        """Why an upstream did not run the configuration that an event brought; None where it did, or none came."""
        if event.config is None or event.config == event.before_config:
            return None
        if upstream is None:
            return f"{name} did not run it then"
        if upstream.tree is not None:
            same = event.config == upstream.config
            return None if same else f"{name} ran another base then, release {upstream.tree[:12]}"
        return None if self.span(event, upstream) else f"{name} never ran it: {self._stranger(event)}"

    def _tree(self, tree: str) -> ReleaseTree:
        if tree not in self._trees:
            self._trees[tree] = read_release_tree(self._root, tree)
        return self._trees[tree]

    def _stranger(self, event: Event) -> str:
        """A file of a release that main never had, or not together with the others."""
        for path, (_, oid) in self._tree(event.tree or "").shared.items():
            if all(known != oid for place, known in self._record.versions(path) if place < event.index):
                return f"main never had this content of {path}"
        return "main never had all of its files and bases at once"


def strangers(
    root: Path, record: Record, tree: Tree, environments: Mapping[str, Environment]
) -> tuple[tuple[Event, str], ...]:
    """The releases that run now and that no upstream ran, each with the event that brought it and why.

    Args:
        root: the repository.
        record: what ran where.
        tree: the files of the newest commit.
        environments: every environment by name.

    Raises:
        UserError: environments/record.yaml does not fit its schema: file and line.
    """
    baseline, accepted = read_baseline(record), read_accepted(tree)
    configurations = Configurations(root, record)
    newest: dict[tuple[str, str], list[Event]] = {}
    for event in record.events():
        newest.setdefault((event.environment, event.app), []).append(event)
    found = []
    for (name, app), events in newest.items():
        event = events[0]
        upstreams = environments[name].upstreams if name in environments else ()
        trusted = event.index <= (baseline.index if baseline else 0) or {event.note.commit, event.commit} & {*accepted}
        if event.tree is None or not upstreams or trusted or (event.told is not None and event.told.break_glass):
            continue
        if any(one.tree == event.tree for one in events[1:]):
            continue
        then = {one: _at(newest.get((one, app), ()), event.index) for one in upstreams}
        if event.before_tree is None and event.before is not None:
            then = {name: events[1] if len(events) > 1 else None}  # it followed main until then
        reasons = (
            configurations.strange(event, one, upstream) or _strange_image(event, one, upstream)
            for one, upstream in then.items()
        )
        why = next((one for one in reasons if one), None)
        if why is not None:
            found.append((event, why))
    return tuple(found)


def _at(events: Sequence[Event], index: int) -> Event | None:
    return next((one for one in events if one.index < index), None)


def _strange_image(event: Event, name: str, upstream: Event | None) -> str | None:
    before = {pin.image: pin for pin in event.before or ()}
    runs: Iterable[Pinned] = (upstream.after or ()) if upstream else ()
    there = {pin.image: pin for pin in runs}
    for pin in event.after or ():
        known = (before.get(pin.image), there.get(pin.image))
        if not any(one is not None and pin.same_content(one) for one in known):
            return f"{name} did not run {pin.image}:{pin} then"
    return None
