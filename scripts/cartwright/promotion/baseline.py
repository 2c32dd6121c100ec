"""The baseline of ``environments/record.yaml``: up to it, what ran and what was asked for is taken as it was."""

from __future__ import annotations

from dataclasses import dataclass

from cartwright.history.record import Record
from cartwright.yaml.read import load

__all__ = ["RECORD_FILE", "Baseline", "baseline_of"]

RECORD_FILE = "environments/record.yaml"


@dataclass(frozen=True)
class Baseline:
    """A commit that is taken as the beginning."""

    index: int
    """Its place on the first-parent line."""
    commit: str
    reason: str


def baseline_of(record: Record) -> Baseline | None:
    """The first commit whose record.yaml has a baseline; taking it out and adding it again moves nothing.

    Raises:
        UserError: a version of the file is not YAML.
    """
    for index, _, text in record.files(RECORD_FILE):
        data = load(text, RECORD_FILE) if text else None
        if isinstance(data, dict) and isinstance(data.get("baseline"), dict):
            return Baseline(
                index=index, commit=record.commit_at(index)[0], reason=str(data["baseline"].get("reason", "no reason"))
            )
    return None
