"""What the API says of a kind: its version, the name of its resource, whether it has a namespace."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cartwright.policy.model import Kind
from cartwright.policy.schemas import schema_folder

__all__ = ["is_built_in", "is_cluster_wide", "resource_of", "resources_by_group", "version_of"]

_CLUSTER_WIDE = frozenset(
    {
        Kind("", "Namespace"),
        Kind("", "Node"),
        Kind("", "PersistentVolume"),
        Kind("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        Kind("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        Kind("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        Kind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        Kind("apiextensions.k8s.io", "CustomResourceDefinition"),
        Kind("apiregistration.k8s.io", "APIService"),
        Kind("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        Kind("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        Kind("gateway.networking.k8s.io", "GatewayClass"),
        Kind("networking.k8s.io", "IngressClass"),
        Kind("node.k8s.io", "RuntimeClass"),
        Kind("rbac.authorization.k8s.io", "ClusterRole"),
        Kind("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        Kind("scheduling.k8s.io", "PriorityClass"),
        Kind("storage.k8s.io", "CSIDriver"),
        Kind("storage.k8s.io", "CSINode"),
        Kind("storage.k8s.io", "StorageClass"),
        Kind("storage.k8s.io", "VolumeAttachment"),
    }
)
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


def resources_by_group(kinds: Iterable[Kind]) -> dict[str, list[str]]:
    """Names of the kinds' resources by API group, sorted."""
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, []).append(resource_of(kind))
    return {group: sorted(resources) for group, resources in groups.items()}


def version_of(kind: Kind) -> str | None:
    """The newest stable version, else the newest at all; None for a kind that is not installed."""
    return min(_schemas(kind), key=_age, default=None)


def is_built_in(kind: Kind) -> bool:
    """Whether every cluster has it, without a CRD."""
    return any(
        "x-kubernetes-group-version-kind" in file.read_text(encoding="utf-8") for file in _schemas(kind).values()
    )


def is_cluster_wide(kind: Kind) -> bool:
    """Whether its objects stand in no namespace."""
    return kind in _CLUSTER_WIDE


def _age(version: str) -> tuple[bool, bool, int]:
    """The newest of the most stable ones comes first."""
    return "alpha" in version, "beta" in version, -int(re.findall(r"\d+", version)[0])


@cache
def _schemas(kind: Kind) -> dict[str, Path]:
    """The schemas of a kind by version."""
    if not _NAME.fullmatch(kind.kind):
        return {}
    group = f"{kind.group.split('.')[0]}-" if kind.group else ""
    prefix = f"{kind.kind.lower()}-{group}"
    files = {file.stem.removeprefix(prefix): file for file in schema_folder().glob(f"{prefix}v*.json")}
    return {version: file for version, file in files.items() if "-" not in version}
