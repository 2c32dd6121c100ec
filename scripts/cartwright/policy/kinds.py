"""What the API calls a kind: its version, and the name of its resource."""

from __future__ import annotations

import re
from functools import cache

from cartwright.policy.model import Kind
from cartwright.schemas import schema_folder

__all__ = ["resource_of", "version_of"]

_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")


def resource_of(kind: Kind) -> str:
    """The plural that the API's paths and RBAC use, by the API machinery's own rule of thumb.

    >>> [resource_of(Kind("", name)) for name in ("Pod", "NetworkPolicy", "Ingress", "Endpoints", "Gateway")]
    ['pods', 'networkpolicies', 'ingresses', 'endpoints', 'gateways']
    """
    name = kind.kind.lower()
    if name.endswith("endpoints"):
        return name
    if name.endswith("s"):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"


@cache
def version_of(kind: Kind) -> str | None:
    """The version that is served, the most stable one first; None for a kind that is not installed."""
    if not _NAME.fullmatch(kind.kind):
        return None
    group = f"{kind.group.split('.')[0]}-" if kind.group else ""
    prefix = f"{kind.kind.lower()}-{group}"
    versions = [
        version
        for file in schema_folder().glob(f"{prefix}v*.json")
        for version in [file.stem.removeprefix(prefix)]
        if "-" not in version
    ]
    return min(versions, key=lambda version: ("alpha" in version, "beta" in version, version), default=None)
