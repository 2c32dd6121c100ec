"""The node's programs: their certificates, configuration files and command lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from cartwright.cluster.blueprint import Component, Phase
from cartwright.cluster.certificates import Authority, KeyPair
from cartwright.cluster.node import configuration, firewall
from cartwright.cluster.node.layout import LABEL, NAME, REAL, NodeLayout
from cartwright.cluster.node.objects import COREDNS, FIREWALL, PROVISIONER, STORAGE_NAMESPACE
from cartwright.cluster.node.requirements import overlays

__all__ = ["CLIENTS", "DOOR", "PORTS", "TOOLS", "NodePlan", "plan_node", "write_configuration"]

TOOLS = ("coredns", "kube-proxy", "kube-router", "kubelet", "local-path-provisioner")
"""The pinned tools that the node is made of."""

DOOR = "door"
PORTS = (
    *("coredns-health", "coredns-ready", "kube-proxy-health", "kube-proxy-metrics", "kubelet", "kubelet-health"),
    DOOR,
)
"""Names of its listeners; kubelet's own is on the node's address, the others on the loopback address."""

CLIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "kubelet": (f"system:node:{NAME}", ("system:nodes",)),
    "kube-proxy": ("system:kube-proxy", ()),
    "coredns": (f"system:serviceaccount:{COREDNS}", ("system:serviceaccounts",)),
    "kube-router": (FIREWALL, ()),
    "local-path-provisioner": (PROVISIONER, ()),
}
"""User and groups of each program that talks to the API server."""


@dataclass(frozen=True)
class NodePlan:
    """All that the node's command lines are made from."""

    node: NodeLayout
    zone: str
    """Availability zone that it says it is in."""
    region: str
    dns: str
    """Address of the Service that pods ask for names."""
    services: IPv4Network
    """Addresses of Services."""
    enforces: bool
    """Whether NetworkPolicies are enforced here."""
    ports: Mapping[str, int]
    """Port of each of `PORTS`."""
    programs: Mapping[str, Path]
    """Where `TOOLS` and the system's containerd are."""
    authority: Authority
    """The cluster's own."""
    serving: KeyPair
    """kubelet's serving certificate."""
    kubeconfigs: Mapping[str, Path]
    """By name of `CLIENTS`."""
    sandbox_image: str
    """Image of the process that holds a pod's namespaces."""
    mirrors: Iterable[str]
    """Registries whose images come from the local one."""
    registry_port: int
    """The local registry's."""
    entrance: tuple[str, int]
    """The Service that is reached from outside: ``name.namespace`` and port."""


def write_configuration(plan: NodePlan) -> None:
    """Write every configuration file; what runs keeps the one it started with."""
    node, ports = plan.node, plan.ports
    files = {
        "containerd.toml": configuration.containerd(
            node,
            sandbox_image=plan.sandbox_image,
            snapshotter="overlayfs" if overlays(node.containerd) else "native",
        ),
        "cni/10-cartwright.conflist": configuration.cni(node),
        "local-path.json": configuration.local_path(node),
        "resolv.conf": "",
        "kubelet.yaml": configuration.kubelet(
            node,
            port=ports["kubelet"],
            health_port=ports["kubelet-health"],
            authority=plan.authority.certificate,
            certificate=plan.serving.certificate,
            key=plan.serving.key,
            dns=plan.dns,
        ),
        "kube-proxy.yaml": configuration.kube_proxy(
            node,
            kubeconfig=plan.kubeconfigs["kube-proxy"],
            health_port=ports["kube-proxy-health"],
            metrics_port=ports["kube-proxy-metrics"],
        ),
        "haproxy.cfg": configuration.door(node, service=plan.entrance[0], port=plan.entrance[1], listen=ports[DOOR]),
        "Corefile": configuration.coredns(
            node,
            kubeconfig=plan.kubeconfigs["coredns"],
            health_port=ports["coredns-health"],
            ready_port=ports["coredns-ready"],
        ),
        **{
            f"registries/{registry}/hosts.toml": configuration.mirror(registry, port=plan.registry_port)
            for registry in plan.mirrors
        },
    }
    for name, text in files.items():
        file = node.config / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def plan_node(plan: NodePlan) -> list[Component]:
    """The node's components."""
    node, config, programs = plan.node, plan.node.config, plan.programs
    labels = {
        LABEL: REAL,
        "topology.kubernetes.io/zone": plan.zone,
        "topology.kubernetes.io/region": plan.region,
    }
    listed = ",".join(f"{key}={value}" for key, value in labels.items())
    commands: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "containerd": ((str(programs["containerd"]), f"--config={config / 'containerd.toml'}"), ()),
        "kubelet": (
            (
                str(programs["kubelet"]),
                f"--config={config / 'kubelet.yaml'}",
                f"--kubeconfig={plan.kubeconfigs['kubelet']}",
                f"--hostname-override={NAME}",
                f"--node-ip={node.address}",
                f"--root-dir={node.kubelet}",
                f"--cert-dir={node.root / 'pki'}",
                f"--node-labels={listed}",
            ),
            ("kubelet-health",),
        ),
        "kube-proxy": (
            (str(programs["kube-proxy"]), f"--config={config / 'kube-proxy.yaml'}"),
            ("kube-proxy-health", "kube-proxy-metrics"),
        ),
        "coredns": (
            (str(programs["coredns"]), f"-conf={config / 'Corefile'}"),
            ("coredns-health", "coredns-ready"),
        ),
        DOOR: ((str(programs["haproxy"]), "-db", "-f", str(config / "haproxy.cfg")), (DOOR,)),
        "local-path-provisioner": (
            (
                str(programs["local-path-provisioner"]),
                "start",
                f"--kubeconfig={plan.kubeconfigs['local-path-provisioner']}",
                f"--namespace={STORAGE_NAMESPACE}",
                f"--helper-image={plan.sandbox_image}",
                "--configmap-name=local-path-config",
                f"--config={config / 'local-path.json'}",
            ),
            (),
        ),
    }
    if plan.enforces:
        kubeconfig = plan.kubeconfigs["kube-router"]
        commands["kube-router"] = (
            firewall.command(programs["kube-router"], kubeconfig=kubeconfig, services=plan.services),
            (),
        )
    return [
        Component(
            name=name,
            # kube-router ends where its node is not registered yet; no pod of ours is there before Argo CD is.
            phase=Phase.ARGOCD if name == "kube-router" else Phase.CONTROLLERS,
            command=command,
            # containerd and kubelet hold no memory limit: they would slow down all pods with themselves.
            environment={} if name in {"containerd", "kubelet"} else {"GOMEMLIMIT": "96MiB"},
            ports=listens,
        )
        for name, (command, listens) in commands.items()
    ]
