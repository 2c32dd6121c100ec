"""What an environment asked for at a moment of its history: its gates, holds and freezes as they stood then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cartwright.history.record import Record
from cartwright.history.snapshot import CommitTree
from cartwright.kernel.errors import CartwrightError, UserError
from cartwright.promotion.gates.freeze import Freezes
from cartwright.promotion.inforce import InForce, Undone
from cartwright.tree.decisions import State, parse_state
from cartwright.tree.environments import Environment
from cartwright.yaml.read import load

__all__ = ["Past", "PastEnvironment"]


@dataclass(frozen=True)
class PastEnvironment:
    """An environment as it stood."""

    environment: Environment
    state: State
    """Its decisions; none where they could not be read."""
    text: str
    """Its environment.yaml."""
    undone: tuple[Undone, ...] = ()
    """Commits without which it had asked for less: what they took out is in force."""
    written: PastEnvironment | None = None
    """The same by its files alone, where they say less."""

    @property
    def gates(self) -> Mapping[str, Any]:
        """What its environment.yaml asked for."""
        gates = self.environment.content.get("gates")
        return gates if isinstance(gates, dict) else {}

    @property
    def freezes(self) -> Freezes:
        """What froze it."""
        return Freezes(self.environment, decided=self.state.freezes, text=self.text)


class Past:
    """The environments through time. What was the same is read once."""

    def __init__(self, record: Record, today: CommitTree, root: Path) -> None:
        self.in_force = InForce(record, today, root)
        self._record = record
        self._today = today
        self._read = lru_cache(maxsize=4096)(self._read_texts)

    def environment(self, name: str, *, before: int) -> PastEnvironment | None:
        """An environment as it stood before the commit at a place of the first-parent line, read the strictest way.

        Returns:
            None where it did not exist, or where its environment.yaml could not be read.
        """
        folder = f"environments/{name}"
        content = self._record.file(f"{folder}/environment.yaml", before=before)
        if content is None:
            return None
        written = self._read(name, content, self._record.file(f"{folder}/promotion.yaml", before=before))
        asked = self.in_force.asked(name, before=before)
        if written is None or asked is None or not (asked.undone or asked.taken):
            return written
        gates = {**written.gates, **asked.gates.gates}
        environment = replace(
            written.environment,
            upstreams=asked.gates.upstreams,
            content={**written.environment.content, "gates": gates},
        )
        return replace(written, environment=environment, state=asked.state, undone=asked.undone, written=written)

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
        state = State(environment=name)
        if decisions is not None:
            with suppress(CartwrightError):
                state = parse_state(decisions, name, self._today)
        return PastEnvironment(environment=environment, state=state, text=content)
