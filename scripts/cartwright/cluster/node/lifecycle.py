"""The real node as `up` and `down` see it: what it adds to a cluster, and when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from cartwright.cluster.blueprint import Component, Phase
from cartwright.cluster.certificates import Authority
from cartwright.cluster.identities import write_kubeconfig
from cartwright.cluster.node import firewall, machine, nodeplan
from cartwright.cluster.node.layout import NodeLayout
from cartwright.cluster.node.objects import node_objects, placement
from cartwright.cluster.node.requirements import lacks, programs
from cartwright.cluster.state import Layout
from cartwright.images import push
from cartwright.kernel.ports import LOOPBACK
from cartwright.tools import require

__all__ = ["ENTRANCE", "NAMESPACES", "PORTS", "RealNode", "open_node"]

NAMESPACES = ("data", "shop")
"""Namespaces of the hub's cluster whose pods are containers."""

ENTRANCE = ("gateway.shop", 80)
"""The Service that this machine reaches, ``name.namespace`` and port."""

REGISTRY = "registry"
PORTS = (REGISTRY, *nodeplan.PORTS)
"""Names of the listeners that a real node adds."""

_ZONE = {"zone": "eu-central-1a", "region": "eu-central-1"}


@dataclass(frozen=True)
class RealNode:
    """The node of one cluster, with all that it needs."""

    layout: Layout
    node: NodeLayout
    programs: Mapping[str, Path]
    """The pinned tools, the system's containerd, and docker-registry."""
    enforces: bool
    """Whether NetworkPolicies are enforced on it."""

    def components(
        self,
        *,
        cluster: str,
        authority: Authority,
        services: IPv4Network,
        ports: Mapping[str, int],
        sandbox_image: str,
        registries: Collection[str],
    ) -> list[Component]:
        """Its processes; writes their certificates and configuration.

        Args:
            cluster: name of the cluster that it joins.
            authority: that cluster's own.
            services: the Service addresses of that cluster.
            ports: port of every listener.
            sandbox_image: see `cartwright.cluster.node.nodeplan.NodePlan`.
            registries: those in the names of the images that it takes from this machine.
        """
        kubeconfigs = {}
        for name, (user, groups) in nodeplan.CLIENTS.items():
            kubeconfigs[name] = self.layout.pki / cluster / f"{name}.kubeconfig"
            write_kubeconfig(
                kubeconfigs[name],
                cluster=f"cartwright-{cluster}",
                server=f"https://{LOOPBACK}:{ports[f'kube-apiserver-{cluster}']}",
                authority=authority.certificate,
                client=authority.issue(name, common_name=user, organizations=groups),
            )
        plan = nodeplan.NodePlan(
            node=self.node,
            **_ZONE,
            dns=str(services[10]),
            services=services,
            enforces=self.enforces,
            ports=ports,
            programs=self.programs,
            authority=authority,
            serving=authority.issue("kubelet-serving", common_name="kubelet", hosts=(str(self.node.address),)),
            kubeconfigs=kubeconfigs,
            sandbox_image=sandbox_image,
            mirrors=registries,
            registry_port=ports[REGISTRY],
            entrance=ENTRANCE,
        )
        machine.prepare(self.node)
        nodeplan.write_configuration(plan)
        return nodeplan.plan_node(plan)

    def registry(self, ports: Mapping[str, int]) -> Component:
        """The local registry, which must answer before images are pushed."""
        folder = self.layout.data / "registry"
        folder.mkdir(parents=True, exist_ok=True)
        file = self.layout.config / "registry.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(push.configuration(folder=folder, port=ports[REGISTRY]), encoding="utf-8")
        return Component(
            name=REGISTRY,
            phase=Phase.STORES,
            command=(str(self.programs["docker-registry"]), "serve", str(file)),
            environment={"GOMEMLIMIT": "64MiB", "OTEL_TRACES_EXPORTER": "none"},
            ports=(REGISTRY,),
        )

    def objects(self, *, services: IPv4Network, helper_image: str) -> list[dict[str, Any]]:
        """What the cluster must hold before the node joins it."""
        dns = str(services[10])
        return [*placement(NAMESPACES), *node_objects(self.node, dns=dns, helper_image=helper_image)]


def open_node(layout: Layout, *, say: Callable[[str], None]) -> RealNode | None:
    """The node for this cluster; None, with one line that says why, where this machine can't have it."""
    node = NodeLayout.of(layout)
    reason = lacks() or (machine.is_claimed(node) and "another embedded cluster has the real node of this machine")
    if reason:
        say(f"node: every pod is simulated: {reason}")
        return None
    lacking = firewall.refusal()
    if lacking:
        say(f"node: NetworkPolicies are not enforced: {lacking}")
    return RealNode(layout, node, {**require(nodeplan.TOOLS), **programs()}, enforces=not lacking)
