"""Since when an environment that follows main has run the configuration of a release, read from the record.

Such an environment has no ``release/``. It runs a release's configuration while main has each of its files with the
same content, and the overlay names the same bases: the time in which all of that holds is when it ran.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cartwright.history.record import Record
from cartwright.history.releasetree import FILE, STAND_IN, ReleaseTree, masked
from cartwright.history.store import BASES
from cartwright.yaml.read import load

__all__ = ["Span", "listed_bases", "ran_in"]


@dataclass(frozen=True)
class Span:
    """A stretch of the first-parent line, in places of its commits."""

    begin: int
    """The commit with which it began."""
    end: int | None
    """The commit that ended it; None while it lasts."""


def ran_in(record: Record, tree: ReleaseTree, overlay: str, *, before: int | None = None) -> Span | None:
    """When an overlay that follows main had the configuration of a release last.

    Args:
        record: what ran where.
        tree: the release.
        overlay: path of the overlay's kustomization.
        before: as the record was before the commit at this place; as it is now by default.

    Returns:
        The stretch; None where it never had all of it at once.
    """
    wanted = {path: oid for path, (_, oid) in tree.shared.items()} | {overlay + BASES: json.dumps(listed_bases(tree))}
    begin, end = -1, None
    for path, content in wanted.items():
        versions = [one for one in record.versions(path) if before is None or one[0] < before]
        span = _latest(versions, content)
        if span is None:
            return None
        begin, end = max(begin, span.begin), _earlier(end, span.end)
    return None if end is not None and end <= begin else Span(begin, end)


def listed_bases(tree: ReleaseTree) -> tuple[str, ...]:
    """The bases that a release names, by their path in the repository."""
    found = _listed(masked(tree.text))
    return _listed(tree.text) if any(STAND_IN in one for one in found) else found


@functools.lru_cache(maxsize=10_000)
def _listed(text: str) -> tuple[str, ...]:
    data = load(text, FILE)
    return tuple(map(str, data.get("resources") or ())) if isinstance(data, dict) else ()


def _latest(versions: Sequence[tuple[int, str | None]], wanted: str) -> Span | None:
    """The last stretch in which a file had a content; versions are newest first."""
    end = None
    for place, oid in versions:
        if oid == wanted:
            return Span(place, end)
        end = place
    return None


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
