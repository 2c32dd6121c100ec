"""Objects of a rendered application: what they are, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Identity", "Resource", "identity_of"]


@dataclass(frozen=True, order=True)
class Identity:
    """What makes two objects of one cluster the same object. The version of the API is not part of it."""

    group: str
    """API group; empty for the core."""
    kind: str
    namespace: str
    """Empty for cluster-wide objects."""
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


@dataclass(frozen=True)
class Resource:
    """One object that kustomize rendered."""

    identity: Identity
    index: int
    """Position in the rendered output, from 0."""
    content: Mapping[str, Any] = field(repr=False)
    """The object itself."""


def identity_of(content: Mapping[str, Any]) -> Identity:
    """The identity of an object; parts that it lacks are empty."""
    metadata = content.get("metadata")
    if not isinstance(metadata, Mapping):
        metadata = {}
    group, slash, _ = str(content.get("apiVersion", "")).partition("/")
    return Identity(
        group=group if slash else "",
        kind=str(content.get("kind", "")),
        namespace=str(metadata.get("namespace") or ""),
        name=str(metadata.get("name") or ""),
    )
