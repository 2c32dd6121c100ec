"""What a gate says of a promotion."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.moments import instant

__all__ = ["Verdict"]


@dataclass(frozen=True)
class Verdict:
    """One gate's word on one app."""

    gate: str
    """Name of the gate: ``soak``."""
    code: str
    """What programs read: ``passed``, ``not-asked`` where the environment does not ask, or why it does not pass
    (``soak-short``). Stable; docs/promotion.md lists them all."""
    passed: bool
    """Whether the promotion may go on, as far as this gate is concerned."""
    sentence: str
    """What people read: the facts, and what to wait for or to do."""
    until: datetime.datetime | None = None
    """When the gate opens by itself, with its time zone; None where it is open, or where only an event opens it."""
    app: str | None = None
    """The app that it is about; None where it is about the environment."""
    approved_by: tuple[str, ...] = ()
    """Each person whose approval counted, as the trailer ``Approved-By`` says it."""

    def to_json(self) -> dict[str, Any]:
        """As every command writes it."""
        return {
            "gate": self.gate,
            "code": self.code,
            "sentence": self.sentence,
            "until": instant(self.until) if self.until else None,
        }
