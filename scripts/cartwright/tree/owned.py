"""What belongs to each environment and not to a release: fields that ``environments/owned.yaml`` names."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cartwright.tree.repository import Tree
from cartwright.yaml.validate import load_valid

__all__ = ["FILE", "SCHEMA", "Owned", "read_owned"]

FILE = "environments/owned.yaml"
SCHEMA = "environments/owned.schema.json"


@dataclass(frozen=True)
class Owned:
    """Fields that belong to each environment; patterns as of :mod:`fnmatch`."""

    app: str
    kind: str
    name: str
    path: str
    reason: str


def read_owned(tree: Tree) -> tuple[Owned, ...]:
    """The fields that are declared to belong to each environment; none where there is no such file.

    Raises:
        UserError: the file does not fit its schema (a typo names the nearest key): file and line.
    """
    if not tree.is_file(FILE):
        return ()
    data = load_valid(tree.text(FILE), FILE, json.loads(tree.text(SCHEMA))) or {}
    return tuple(
        Owned(
            app=one.get("app", "*"),
            kind=one.get("kind", "*"),
            name=one.get("name", "*"),
            path=one["path"],
            reason=one["reason"],
        )
        for one in data.get("owned") or ()
    )
