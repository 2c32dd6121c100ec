"""What a cluster brings along before anybody's manifests: nodes, a storage class, metrics.

A managed cluster has these from its provider; here KWOK simulates nodes and pods.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cartwright.cluster.certificates import Authority
from cartwright.node.layout import LABEL, SIMULATED
from cartwright.node.objects import helper_stage, process_stage
from cartwright.tools import asset

__all__ = ["NODES_PER_ZONE", "ZONES", "cluster_objects", "kwok_configuration"]

ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
"""Availability zones of the simulated nodes."""
NODES_PER_ZONE = 2
"""More than one, so that spreading over hosts and spreading over zones are two things."""

_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast")
_NODE_CAPACITY = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "200Gi", "pods": "110"}
_USAGE: dict[str, Any] = {
    "apiVersion": "kwok.x-k8s.io/v1alpha1",
    "kind": "ClusterResourceUsage",
    "metadata": {"name": "idle"},
    "spec": {
        "usages": [
            {
                # Well below every autoscaler's target: a simulated shop has no customers.
                "usage": {"cpu": {"value": "5m"}, "memory": {"value": "32Mi"}},
            }
        ]
    },
}


def kwok_configuration() -> str:
    """KWOK's configuration: how nodes, pods and volumes come to life, and what they seem to use.

    The stages and metrics are those that KWOK ships in its own module.
    """
    stages = asset("kwok", "kustomize/stage")
    metrics = asset("kwok", "kustomize/metrics")
    documents: list[dict[str, Any]] = []
    for folder in [*(stages / stage for stage in _STAGES), metrics / "resource"]:
        documents += [
            document for document in _documents(folder) if document.get("apiVersion", "").startswith("kwok.x-k8s.io/")
        ]
    documents += [_ready_again(), helper_stage(), process_stage(), _USAGE]
    return yaml.safe_dump_all(documents, sort_keys=False)


def cluster_objects(authority: Authority, *, metrics_port: int, simulated_volumes: bool) -> list[dict[str, Any]]:
    """Everything that is applied to a cluster before Argo CD works on it.

    Args:
        authority: the cluster's own, which vouches for metrics-server.
        metrics_port: where metrics-server listens.
        simulated_volumes: whether KWOK's storage class is there; a cluster with a real node has one of its own.
    """
    stages = asset("kwok", "kustomize/stage")
    provided = [
        *_documents(asset("kwok", "kustomize/rbac")),
        *_documents(stages / "volume" / "rbac"),
        *(
            document
            for document in _documents(stages / "volume" / "fast")
            if document.get("kind") == "StorageClass" and simulated_volumes
        ),
    ]
    return [
        *(document for document in provided if document.get("kind") != "Kustomization"),
        *_nodes(),
        *_metrics_server(authority, metrics_port),
        _cluster_admin("argocd-manager", {"kind": "User", "name": "argocd-manager"}),
        _cluster_admin("kube-apiserver-kubelet-client", {"kind": "Group", "name": "kubeadm:cluster-admins"}),
    ]


def _ready_again() -> dict[str, Any]:
    """The stage that makes running pods ready that lost readiness.

    While nobody renews a node's lease (after a crash, or between `down --keep-data` and the next `up`), the node
    lifecycle controller takes readiness from its pods. A kubelet reports them ready again; the stage that KWOK ships
    looks at pending pods alone and would leave them so for ever. It is no model either: it hands out an address, and
    after a restart of KWOK that is another one, which the API server refuses to add to the first.
    """
    ready = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady")]
    template = yaml.safe_dump({"conditions": ready}, sort_keys=False)
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": "pod-ready-again"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {
                "matchExpressions": [
                    {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                    {"key": ".status.phase", "operator": "In", "values": ["Running"]},
                    {
                        "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
                        "operator": "NotIn",
                        "values": ["True"],
                    },
                ]
            },
            "next": {"statusTemplate": template.replace("status:", "lastTransitionTime: {{ Now | Quote }}\n  status:")},
        },
    }


def _nodes() -> Iterator[dict[str, Any]]:
    for zone in ZONES:
        for number in range(1, NODES_PER_ZONE + 1):
            name = f"{zone}-{number}"
            yield {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "annotations": {
                        "kwok.x-k8s.io/node": "fake",
                        "metrics.k8s.io/resource-metrics-path": f"/metrics/nodes/{name}/metrics/resource",
                    },
                    "labels": {
                        LABEL: SIMULATED,
                        "kubernetes.io/arch": "amd64",
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "topology.kubernetes.io/region": zone[:-1],
                        "topology.kubernetes.io/zone": zone,
                    },
                },
                "status": {"allocatable": _NODE_CAPACITY, "capacity": _NODE_CAPACITY},
            }


def _metrics_server(authority: Authority, port: int) -> Iterator[dict[str, Any]]:
    account = {"kind": "ServiceAccount", "name": "metrics-server", "namespace": "kube-system"}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        },
    }
    yield {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "caBundle": base64.b64encode(authority.certificate.read_bytes()).decode(),
            "service": {"name": "metrics-server", "namespace": "kube-system", "port": port},
        },
    }
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:metrics-server"},
        "rules": [
            {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
        ],
    }
    for name, role in {
        "system:metrics-server": "system:metrics-server",
        "metrics-server:system:auth-delegator": "system:auth-delegator",
    }.items():
        yield {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [account],
        }
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "metrics-server-auth-reader", "namespace": "kube-system"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": "extension-apiserver-authentication-reader",
        },
        "subjects": [account],
    }


def _cluster_admin(name: str, subject: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"cartwright:{name}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", **subject}],
    }


def _documents(folder: Path) -> list[dict[str, Any]]:
    return [
        document
        for file in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
        if document
    ]
