"""What the policies of an environment are tried with: endpoints, namespaces and ports.

Beside the apps' own pods others are tried, because a policy that is too wide shows only there: pods of no app within a
policed namespace, pods in another namespace that carry an app's or a neighbour's labels, addresses outside the cluster,
addresses beside those of what is external, and those that nothing may reach.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.network.cyclonus import Endpoint
from cartwright.tree.dependencies import FILE, NAMESPACE_LABEL, App, DependencyMap

__all__ = ["Surroundings", "surroundings"]

_LABEL = "app.kubernetes.io/name"
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_UNUSED_PORT = 9
"""A port that nothing listens on or calls. A rule that lets it through names no ports."""
_ELSEWHERE = "elsewhere"
"""A namespace without policies."""
_PODS = ipaddress.ip_network("10.244.0.0/16")


@dataclass(frozen=True)
class Surroundings:
    """Everything that an environment's policies are tried with."""

    endpoints: Mapping[str, Endpoint]
    """By name."""
    apps: Mapping[str, App]
    """The app of an endpoint, by the endpoint's name; no other endpoint is a pod of an app."""
    namespaces: Mapping[str, Mapping[str, str]]
    """Labels of every namespace."""
    ports: tuple[tuple[int, str], ...]
    """Every port that is tried, with its protocol."""
    policed: frozenset[str]
    """Namespaces in which all is denied that no edge opens."""


def surroundings(dependencies: DependencyMap, objects: Iterable[Mapping[str, Any]]) -> Surroundings:
    """What to try an environment's policies with: pods by the map, labelled as the rendered workloads label them.

    Args:
        dependencies: the map.
        objects: all that is rendered for the environment.

    Raises:
        UserError: a rendered workload's pods belong to no app of the map.
    """
    listed = list(objects)
    addresses = map(str, _PODS.hosts())
    namespaces = {
        one["metadata"]["name"]: {**one["metadata"].get("labels", {}), **_own_label(one["metadata"]["name"])}
        for one in listed
        if one["kind"] == "Namespace"
    }
    templates = dict(_templates(dependencies, listed))
    endpoints: list[Endpoint] = []
    apps: dict[str, App] = {}

    def add(name: str, namespace: str, labels: Mapping[str, str]) -> str:
        namespaces.setdefault(namespace, _own_label(namespace))
        endpoints.append(Endpoint(name=name, address=next(addresses), namespace=namespace, labels=labels))
        return name

    for app in dependencies.apps.values():
        for pod in app.pods:
            labels = templates.get((app.namespace, pod), {_LABEL: pod})
            apps[add(app.key if app.pods == (pod,) else f"{app.key} ({pod})", app.namespace, labels)] = app
        add(f"the labels of {app.key} in another namespace", _ELSEWHERE, labels)
    policed = frozenset(app.namespace for app in dependencies.apps.values())
    for namespace in sorted(policed):
        add(f"no app in {namespace}", namespace, {_LABEL: "no-app"})
    add("name resolution", dependencies.dns_namespace, dependencies.dns_labels)
    add(f"no resolver in {dependencies.dns_namespace}", dependencies.dns_namespace, {"k8s-app": "no-resolver"})
    for number, neighbour in enumerate(dependencies.neighbours.values()):
        namespace = neighbour.namespace or f"labelled-{number}"
        namespaces.setdefault(namespace, {**_own_label(namespace), **neighbour.namespaces})
        add(neighbour.name, namespace, neighbour.labels)
        add(f"the labels of {neighbour.name} in another namespace", _ELSEWHERE, neighbour.labels)
        if neighbour.labels:
            add(f"other pods beside {neighbour.name}", namespace, dict.fromkeys(neighbour.labels, "other"))
    endpoints += _no_pods(dependencies)
    return Surroundings(
        endpoints={one.name: one for one in endpoints},
        apps=apps,
        namespaces=namespaces,
        ports=tuple(sorted(_ports(dependencies, listed))),
        policed=policed,
    )


def _no_pods(dependencies: DependencyMap) -> Iterator[Endpoint]:
    """Addresses outside, some of each external and some beside them, and those that nothing may reach."""
    yield Endpoint(name="outside the cluster", address="203.0.113.7")
    yield Endpoint(name="outside the cluster over IPv6", address="2001:db8::7")
    for one in dependencies.never:
        address = str(ipaddress.ip_network(one).network_address)
        yield Endpoint(name=f"{address}, which nothing may reach", address=address)
    named = {"name resolution": dependencies.dns_node_local}
    named |= {external.name: external.ranges for external in dependencies.external.values()}
    for name, ranges in named.items():
        for network in (one.network for one in ranges):
            for address in sorted({str(network[0]), str(network[-1])}):
                yield Endpoint(name=f"{name} at {address}", address=address)
            for number in (int(network[0]) - 1, int(network[-1]) + 1):
                if 0 <= number < 2**network.max_prefixlen:
                    address = str(type(network[0])(number))
                    yield Endpoint(name=f"{address}, beside {name}", address=address)


def _ports(dependencies: DependencyMap, objects: Sequence[Mapping[str, Any]]) -> set[tuple[int, str]]:
    """What to try: over TCP every port of the map and of a rendered container, then whatever the policies name.

    Any other pair of port and protocol can only be open to a rule without ports, or to a range, whose ends are named:
    the unused port and the ends stand for all of those.
    """
    numbers = set(dependencies.api_server_ports)
    numbers |= {one.metrics for one in dependencies.neighbours.values() if one.metrics}
    for app in dependencies.apps.values():
        numbers |= {*app.outside, *(call.port for call in app.calls), *(caller.port for caller in app.callers)}
        numbers |= {app.metrics} if app.metrics else set()
    for one in objects:
        for container in _pod_of(one).get("spec", {}).get("containers", []):
            numbers |= {port["containerPort"] for port in container.get("ports", [])}
    found = {(number, "TCP") for number in numbers}
    found |= {(port, protocol) for port in (_UNUSED_PORT, dependencies.dns_port) for protocol in _PROTOCOLS}
    for one in objects:
        if one["kind"] == "NetworkPolicy":
            found |= set(_named(one["spec"]))
    return found


def _named(spec: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Every port that a policy states by number, and the end of every range."""
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports", []):
            for number in (port.get("port"), port.get("endPort")):
                if isinstance(number, int):
                    yield number, port.get("protocol", "TCP")


def _templates(
    dependencies: DependencyMap, objects: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, str], Mapping[str, str]]]:
    """Labels of the pods of every rendered workload in an app's namespace, by namespace and name label."""
    known = {(app.namespace, pod) for app in dependencies.apps.values() for pod in app.pods}
    policed = {namespace for namespace, _ in known}
    for one in objects:
        labels = _pod_of(one).get("metadata", {}).get("labels", {})
        namespace = one["metadata"].get("namespace", "")
        if not _pod_of(one) or namespace not in policed:
            continue
        place = (namespace, labels.get(_LABEL, ""))
        if place not in known:
            raise UserError(
                f"pods of {one['kind']} {namespace}/{one['metadata']['name']} belong to no app: "
                f"their label {_LABEL} is '{place[1]}'",
                file=FILE,
                hint="name it under the app's 'pods'",
            )
        yield place, labels


def _pod_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod template of a workload; nothing for every other kind."""
    spec = content.get("spec", {})
    if content["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template = spec.get("template", {}) if content["kind"] in _WORKLOADS else {}
    return template if isinstance(template, dict) else {}


_WORKLOADS = frozenset({"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"})


def _own_label(namespace: str) -> dict[str, str]:
    """The label that the API server itself gives every namespace."""
    return {NAMESPACE_LABEL: namespace}
