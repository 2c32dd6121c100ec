"""What a cluster brings along before anybody's manifests: nodes, a storage class, metrics.

A managed cluster has these from its provider; here KWOK simulates nodes and pods.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from cartwright.cluster.certificates import Authority
from cartwright.cluster.kwok import shipped_objects
from cartwright.cluster.node.layout import LABEL, SIMULATED

__all__ = ["NODES_PER_ZONE", "ZONES", "cluster_objects"]

ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
"""Availability zones of the simulated nodes."""
NODES_PER_ZONE = 2
"""More than one, so that spreading over hosts and spreading over zones are two things."""

_NODE_CAPACITY = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "200Gi", "pods": "110"}


def cluster_objects(authority: Authority, *, metrics_port: int, simulated_volumes: bool) -> list[dict[str, Any]]:
    """Everything that is applied to a cluster before Argo CD works on it.

    Args:
        authority: the cluster's own, which vouches for metrics-server.
        metrics_port: where metrics-server listens.
        simulated_volumes: whether KWOK's storage class is there; a cluster with a real node has one of its own.
    """
    return [
        *shipped_objects(simulated_volumes=simulated_volumes),
        *_nodes(),
        *_metrics_server(authority, metrics_port),
        _cluster_admin("argocd-manager", {"kind": "User", "name": "argocd-manager"}),
        _cluster_admin("kube-apiserver-kubelet-client", {"kind": "Group", "name": "kubeadm:cluster-admins"}),
    ]


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
