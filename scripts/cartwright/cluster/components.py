"""The programs that make up the embedded cluster.

Everything listens on the loopback address, speaks TLS and authenticates its callers.
"""

from __future__ import annotations

from cartwright.cluster.argocdprocesses import argocd_processes, redis
from cartwright.cluster.blueprint import Component, Plan
from cartwright.cluster.controlplane import control_plane, etcd
from cartwright.cluster.platform import gatekeeper, prometheus_operator

__all__ = ["TOOLS", "plan_components", "port_names"]

TOOLS = (
    "argocd",
    "etcd",
    "gatekeeper",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kustomize",
    "kwok",
    "metrics-server",
    "prometheus-operator",
)
"""The pinned tools that the embedded cluster is made of."""


def port_names(environments: tuple[str, ...]) -> tuple[str, ...]:
    """The name of every listener."""
    per_cluster = ("kube-apiserver", "kwok", "metrics-server", "prometheus-operator", "gatekeeper", "gatekeeper-health")
    return (
        "etcd",
        "etcd-peer",
        "redis",
        "argocd-repo-server",
        "argocd-repo-server-metrics",
        "argocd-application-controller-metrics",
        "argocd-applicationset-controller-metrics",
        "argocd-applicationset-controller-probe",
        "argocd-applicationset-controller-webhook",
        *(f"{name}-{environment}" for environment in environments for name in per_cluster),
    )


def plan_components(plan: Plan) -> list[Component]:
    """Every component of the plan, in starting order."""
    per_cluster = [
        component
        for index, environment in enumerate(plan.environments)
        for component in (
            *control_plane(plan, environment, index),
            prometheus_operator(plan, environment),
            gatekeeper(plan, environment),
        )
    ]
    components = [etcd(plan), redis(plan), *per_cluster, *argocd_processes(plan)]
    return sorted(components, key=lambda component: component.phase)
