"""One edit of an object: how a case differs from its base, and how a mutation breaks the shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CHANGE_SCHEMA", "Change"]

CHANGE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["op", "path"],
    "properties": {
        "op": {"enum": ["set", "add", "remove"]},
        "path": {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
        "value": {},
    },
}


@dataclass(frozen=True)
class Change:
    """One edit."""

    op: str
    """``set`` or ``remove`` a field that is there, ``add`` one that is not (to a list: the index past its end)."""
    path: tuple[str | int, ...]
    value: Any

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> Change:
        """A change as `CHANGE_SCHEMA` has it."""
        return cls(entry["op"], tuple(entry["path"]), entry.get("value"))

    def make(self, content: Any) -> None:
        """Edit the content in place.

        Raises:
            ValueError: the path leads nowhere, or what it leads to is there already, or is not there.
        """
        *parents, last = self.path
        place = content
        try:
            for step in parents:
                place = place[step]
            there = int(last) < len(place) if isinstance(place, list) else last in place
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{_spelled(self.path)} does not lead anywhere") from error
        if there != (self.op != "add"):
            raise ValueError(f"{_spelled(self.path)} is {'there already' if there else 'not there'}")
        if self.op == "remove":
            del place[last]
        elif isinstance(place, list) and not there:
            place.append(self.value)
        else:
            place[last] = self.value


def _spelled(path: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in path)
