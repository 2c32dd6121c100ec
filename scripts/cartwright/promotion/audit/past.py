"""What an environment asked for at a moment of its history: its gates, holds and freezes as they stood then."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cartwright.history.git import Head
from cartwright.history.record import Record
from cartwright.history.snapshot import CommitTree, Snapshot
from cartwright.kernel.errors import CartwrightError, UserError
from cartwright.promotion.gates.freeze import frozen_until
from cartwright.tree.decisions import State
from cartwright.tree.environments import Environment
from cartwright.yaml.read import load

__all__ = ["Past", "PastEnvironment"]


@dataclass(frozen=True)
class _PastTree(CommitTree):
    """Some files as they stood, over the tree of today for the schemas."""

    today: CommitTree | None = None
    texts: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        if path in self.texts:
            return self.texts[path].encode()
        if self.today is None:
            raise UserError("is not known of then", file=path)
        return self.today.read(path)

    def is_file(self, path: str) -> bool:
        return path in self.texts


@dataclass(frozen=True)
class PastEnvironment:
    """An environment as it stood."""

    environment: Environment
    snapshot: Snapshot
    """What the gates read; it knows of this environment alone."""
    state: State
    problem: str | None
    """Why its decisions could not be read; there are none then."""

    @property
    def gates(self) -> Mapping[str, Any]:
        """What its environment.yaml asked for."""
        gates = self.environment.content.get("gates")
        return gates if isinstance(gates, dict) else {}

    def frozen_until(self, moment: datetime.datetime) -> datetime.datetime | None:
        """When a freeze that covers the moment ended; None where there was none."""
        return frozen_until(self.snapshot, self.environment, moment)


class Past:
    """The environments through time. What was the same is read once."""

    def __init__(self, record: Record, today: CommitTree) -> None:
        self._record = record
        self._today = today
        self._read = lru_cache(maxsize=4096)(self._read_texts)

    def environment(self, name: str, *, before: int) -> PastEnvironment | None:
        """An environment as it stood before the commit at a place of the first-parent line.

        Returns:
            None where it did not exist, or where its environment.yaml could not be read.
        """
        folder = f"environments/{name}"
        content = self._record.file(f"{folder}/environment.yaml", before=before)
        if content is None:
            return None
        return self._read(name, content, self._record.file(f"{folder}/promotion.yaml", before=before))

    def _read_texts(self, name: str, content: str, decisions: str | None) -> PastEnvironment | None:
        try:
            data = load(content, f"environments/{name}/environment.yaml")
        except UserError:
            return None
        if not isinstance(data, dict):
            return None
        environment = Environment(
            name=name,
            cluster=str(data.get("cluster", "")),
            rank=data["rank"] if isinstance(data.get("rank"), int) else 0,
            upstreams=tuple(map(str, data.get("upstreams") or ())),
            parameters={},
            content={**data, "gates": data.get("gates") or {}},
        )
        texts = {environment.file: content}
        if decisions is not None:
            texts[f"environments/{name}/promotion.yaml"] = decisions
        snapshot = self._snapshot(environment, texts)
        try:
            state, problem = snapshot.state(name), None
        except CartwrightError as error:
            state, problem = State(environment=name), str(error)
            snapshot = self._snapshot(environment, {environment.file: content})
        return PastEnvironment(environment=environment, snapshot=snapshot, state=state, problem=problem)

    def _snapshot(self, environment: Environment, texts: Mapping[str, str]) -> Snapshot:
        today = self._today
        return Snapshot(
            root=today.repository,
            head=Head(branch=None, commit=today.commit),
            tree=_PastTree(repository=today.repository, commit=today.commit, today=today, texts=texts),
            environments={environment.name: environment},
        )
