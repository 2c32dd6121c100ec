"""Named sets of apps that move together: ``environments/sets.yaml``."""

from __future__ import annotations

import json

from cartwright.history.snapshot import Snapshot
from cartwright.kernel.errors import UserError, nearest
from cartwright.tree.environments import SETS, SETS_SCHEMA
from cartwright.yaml.validate import load_valid

__all__ = ["FILE", "read_set"]

FILE = SETS


def read_set(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    """The apps of a set, as written.

    Raises:
        UserError: there is no such set, or the file does not fit its schema: file and line.
    """
    tree = snapshot.tree
    if not tree.is_file(FILE):
        raise UserError(f"no set '{name}'", file=FILE, hint="the file that names the sets is missing")
    sets = load_valid(tree.text(FILE), FILE, json.loads(tree.text(SETS_SCHEMA)))["sets"]
    if name not in sets:
        raise UserError(f"no set '{name}'", file=FILE, hint=nearest(name, sets))
    return tuple(sets[name])
