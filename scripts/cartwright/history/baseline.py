"""What is trusted of the history, as ``environments/record.yaml`` says: a baseline, and accepted commits."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cartwright.history.record import Record
from cartwright.tree.repository import Tree
from cartwright.yaml.read import load
from cartwright.yaml.validate import load_valid

__all__ = ["FILE", "Baseline", "read_accepted", "read_baseline"]

FILE = "environments/record.yaml"
SCHEMA = "environments/record.schema.json"


@dataclass(frozen=True)
class Baseline:
    """The commit that the record is judged from; what ran there is taken as it was."""

    index: int
    """Its place on the first-parent line."""
    commit: str
    reason: str


def read_baseline(record: Record) -> Baseline | None:
    """The first commit whose record.yaml has a baseline; taking it out and adding it again moves nothing."""
    for index, _, text in record.files(FILE):
        data = load(text, FILE) if text else None
        if isinstance(data, dict) and isinstance(data.get("baseline"), dict):
            reason = str(data["baseline"].get("reason", "no reason"))
            return Baseline(index=index, commit=record.commit_at(index)[0], reason=reason)
    return None


def read_accepted(tree: Tree) -> dict[str, str]:
    """Who answers for which commit that did not come through the gates, and why.

    Raises:
        UserError: the file does not fit its schema: file and line.
    """
    if not tree.is_file(FILE):
        return {}
    data = load_valid(tree.text(FILE), FILE, json.loads(tree.text(SCHEMA))) or {}
    return {one["commit"]: f"{one['by']}: {one['reason']}" for one in data.get("accepted", ())}
