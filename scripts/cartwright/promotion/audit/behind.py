"""How far the release of an environment is behind main: the commits that changed its base or components since."""

from __future__ import annotations

from cartwright.history.bases import bases_of
from cartwright.history.followed import listed_bases
from cartwright.history.record import Record
from cartwright.history.releasetree import ReleaseTree
from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError

__all__ = ["commits_behind", "has_other_config"]


def commits_behind(snapshot: Snapshot, record: Record, tree: ReleaseTree) -> tuple[str, ...]:
    """The commits on main that changed a file of a release after the release took it, newest first."""
    places: set[int] = set()
    for path, entry in tree.shared.items():
        if snapshot.tree.entry(path) != entry:
            for place, oid in record.versions(path):
                if oid == entry[1]:
                    break
                places.add(place)
    return tuple(record.commit_at(place)[0] for place in sorted(places, reverse=True))


def has_other_config(snapshot: Snapshot, source: str, app: str, tree: ReleaseTree) -> bool:
    """Whether an environment that follows main has another configuration of an app than a release.

    What a new base or component brings is named in a file of the release, so its own files are all that is compared.
    """
    if any(snapshot.tree.entry(path) != entry for path, entry in tree.shared.items()):
        return True
    file = snapshot.overlay_file(source, app)
    try:
        return bases_of(snapshot.tree.text(file), file) != listed_bases(tree)
    except UserError:
        return True
