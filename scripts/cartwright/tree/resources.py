"""Objects of a rendered application: what they are, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cartwright.kernel.identity import Identity

__all__ = ["Resource"]


@dataclass(frozen=True)
class Resource:
    """One object that kustomize rendered."""

    identity: Identity
    index: int
    """Position in the rendered output, from 0."""
    content: Mapping[str, Any] = field(repr=False)
    """The object itself."""
