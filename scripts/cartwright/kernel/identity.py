"""What makes an object of a cluster that object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Identity", "identity_of"]


@dataclass(frozen=True, order=True)
class Identity:
    """An object of a cluster; parts that it lacks, or that don't apply, are empty.

    Two with the same parts are the same object, at whatever version of the API they are written.
    """

    group: str = ""
    """API group; empty for the core."""
    kind: str = ""
    namespace: str = ""
    """Empty for cluster-wide objects."""
    name: str = ""
    version: str = field(default="", compare=False)
    """Of the API, as the object was written."""

    @classmethod
    def of(cls, api_version: str, kind: str, namespace: str, name: str) -> Identity:
        """The identity by the words of a manifest: ``apps/v1``, or ``v1`` for the core."""
        group, _, version = api_version.rpartition("/")
        return cls(group=group, kind=kind, namespace=namespace, name=name, version=version)

    @property
    def api_version(self) -> str:
        """As a manifest has it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def short(self) -> str:
        """For people who see the object beside it: without the group."""
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}".strip()

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


def identity_of(content: Mapping[str, Any]) -> Identity:
    """The identity of an object; parts that it lacks are empty."""
    metadata = content.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    return Identity.of(
        str(content.get("apiVersion", "")),
        str(content.get("kind", "")),
        str(named.get("namespace") or ""),
        str(named.get("name") or ""),
    )
