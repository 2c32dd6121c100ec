"""Whether the rendered policies let through what the declared map says, and nothing else.

What is expected follows from the map alone; the code that generates policies plays no part here. What the policies do
is cyclonus's word. Beside the apps' own pods others are tried, because a policy that is too wide shows only there: pods
of no app within a policed namespace, pods in another namespace that carry an app's labels, an address outside the
cluster, and those that nothing may reach.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.network.cyclonus import Endpoint, Flow, Verdict, ask
from cartwright.tools import require
from cartwright.tree.applications import find_applications
from cartwright.tree.dependencies import FILE, App, DependencyMap, load_dependencies
from cartwright.tree.environments import load_environments
from cartwright.tree.render import render
from cartwright.tree.repository import FolderTree

__all__ = ["Proof", "Surroundings", "compare", "expect", "prove", "prove_all", "surroundings"]

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
    """The app of an endpoint, by the endpoint's name; the others belong to no app pods."""
    neighbours: Mapping[str, int]
    """Port that the scraper reads of an endpoint that is a neighbour."""
    resolvers: frozenset[str]
    """Names of the endpoints that resolve names."""
    namespaces: Mapping[str, Mapping[str, str]]
    """Labels of every namespace."""
    ports: tuple[tuple[int, str], ...]
    """Every port that is tried, with its protocol."""
    policed: frozenset[str]
    """Namespaces in which all is denied that no edge opens."""


@dataclass(frozen=True)
class Proof:
    """How the policies of an environment compare with the map."""

    declared: int
    """How many flows the map declares, by pods, port and protocol; several pods of an app count by themselves."""
    tried: int
    """How many flows were tried in all."""
    differences: tuple[str, ...]
    """A line on each flow that is not as the map says."""


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
    resolver = add("name resolution", dependencies.dns_namespace, dependencies.dns_labels)
    add(f"no resolver in {dependencies.dns_namespace}", dependencies.dns_namespace, {"k8s-app": "no-resolver"})
    neighbours = {add(one.name, one.namespace, one.labels): one.metrics for one in dependencies.neighbours}
    endpoints += _no_pods(dependencies)
    return Surroundings(
        endpoints={one.name: one for one in endpoints},
        apps=apps,
        neighbours=neighbours,
        resolvers=frozenset({resolver}),
        namespaces=namespaces,
        ports=tuple(sorted(_ports(dependencies, listed))),
        policed=policed,
    )


def expect(dependencies: DependencyMap, around: Surroundings) -> dict[Flow, Verdict]:
    """What the map says of every flow of which one end at least is a pod, half by half."""
    flows = (
        Flow(source.name, target.name, port, protocol)
        for source in around.endpoints.values()
        for target in around.endpoints.values()
        if source.is_pod or target.is_pod
        for port, protocol in around.ports
    )
    return {
        flow: Verdict(egress=_may_leave(dependencies, around, flow), ingress=_may_enter(dependencies, around, flow))
        for flow in flows
    }


def compare(
    dependencies: DependencyMap, around: Surroundings, told: Mapping[Flow, Verdict], *, environment: str
) -> Proof:
    """Every flow's verdict beside what the map says of it."""
    expected = expect(dependencies, around)
    if expected.keys() != told.keys():
        raise AssertionError("the answer is on other flows than those of the map")
    return Proof(
        declared=sum(_is_declared(dependencies, around, flow) for flow in expected),
        tried=len(told),
        differences=tuple(f"{environment}: {line}" for line in _differences(dependencies, around, expected, told)),
    )


def prove(
    dependencies: DependencyMap, objects: Sequence[Mapping[str, Any]], binary: Path, *, environment: str
) -> Proof:
    """Ask cyclonus about the rendered policies of an environment and compare.

    Raises:
        UserError: see `surroundings`.
        ToolError: see `cartwright.network.cyclonus.ask`.
    """
    around = surroundings(dependencies, objects)
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    told = ask(binary, policies, tuple(around.endpoints.values()), around.namespaces, around.ports)
    return compare(dependencies, around, told, environment=environment)


def prove_all(tree: FolderTree) -> dict[str, Proof]:
    """The proof of every environment, lowest rank first.

    Raises:
        UserError: the map or an environment can't be read, or something can't be rendered.
        ToolError: see `prove`.
    """
    dependencies = load_dependencies(tree)
    environments = load_environments(tree)
    rendered, failures = render(tree, find_applications(tree, environments))
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    objects = {
        name: [
            resource.content
            for one in rendered
            if one.application.environment == name
            for resource in one.resources
            if resource.identity.kind != "CustomResourceDefinition"
        ]
        for name in environments
    }
    binary = require(["cyclonus"])["cyclonus"]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        proofs = pool.map(lambda name: prove(dependencies, objects[name], binary, environment=name), environments)
        return dict(zip(environments, proofs, strict=True))


def _differences(
    dependencies: DependencyMap, around: Surroundings, expected: Mapping[Flow, Verdict], told: Mapping[Flow, Verdict]
) -> Iterator[str]:
    for flow, wanted in expected.items():
        got = told[flow]
        declared = _is_declared(dependencies, around, flow)
        both_policed = all(around.endpoints[name].namespace in around.policed for name in (flow.source, flow.target))
        if got.through and (not wanted.through or (both_policed and not declared)):
            yield f"{flow} gets through, and no edge of {FILE} says so"
        elif wanted.through and not got.through:
            halves = [
                half
                for half, is_open in (
                    (f"egress of {flow.source}", got.egress),
                    (f"ingress of {flow.target}", got.ingress),
                )
                if not is_open
            ]
            yield f"{flow} is refused by the {' and the '.join(halves)}, but {FILE} declares it"
        elif got.egress and not wanted.egress:
            yield f"{flow} may leave {flow.source}, and no edge of {FILE} says so"
        elif got.ingress and not wanted.ingress:
            yield f"{flow} may enter {flow.target}, and no edge of {FILE} says so"
        elif got != wanted:
            half = f"leave {flow.source}" if wanted.egress and not got.egress else f"enter {flow.target}"
            yield f"{flow} may not {half}, but {FILE} opens that half"


def _may_leave(dependencies: DependencyMap, around: Surroundings, flow: Flow) -> bool:
    if around.endpoints[flow.source].namespace not in around.policed:
        return True
    app = around.apps.get(flow.source)
    if app is None:
        return False
    to_api_server = app.api_server and flow.protocol == "TCP" and flow.port in dependencies.api_server_ports
    outside = to_api_server and _is_outside(dependencies, around.endpoints[flow.target].address)
    return outside or _is_declared(dependencies, around, flow)


def _may_enter(dependencies: DependencyMap, around: Surroundings, flow: Flow) -> bool:
    if around.endpoints[flow.target].namespace not in around.policed:
        return True
    app = around.apps.get(flow.target)
    if app is None:
        return False
    is_open = flow.protocol == "TCP" and flow.port in app.outside
    outside = is_open and _is_outside(dependencies, around.endpoints[flow.source].address)
    return outside or _is_declared(dependencies, around, flow)


def _is_declared(dependencies: DependencyMap, around: Surroundings, flow: Flow) -> bool:
    """Whether an edge of the map leads from pod to pod: a call, a read of metrics, or name resolution."""
    source = around.apps.get(flow.source)
    if source is None:
        return False
    if flow.target in around.resolvers:
        return flow.port == dependencies.dns_port and flow.protocol in {"TCP", "UDP"}
    if flow.protocol != "TCP":
        return False
    scrapes = source.key == dependencies.scraper
    if flow.target in around.neighbours:
        return scrapes and flow.port == around.neighbours[flow.target]
    target = around.apps.get(flow.target)
    if target is None:
        return False
    called = any(call.to == target.key and call.port == flow.port for call in source.calls)
    return called or (scrapes and target.metrics == flow.port)


def _is_outside(dependencies: DependencyMap, address: str) -> bool:
    """Whether the map's "outside" holds an address. Pods' may be among them: a policy can't tell them apart."""
    place = ipaddress.ip_address(address)
    return place in ipaddress.ip_network(dependencies.outside_cidr) and not any(
        place in ipaddress.ip_network(one) for one in dependencies.outside_except
    )


def _no_pods(dependencies: DependencyMap) -> Iterator[Endpoint]:
    yield Endpoint(name="outside the cluster", address="203.0.113.7")
    for one in dependencies.outside_except:
        address = str(ipaddress.ip_network(one).network_address)
        yield Endpoint(name=f"{address}, which nothing may reach", address=address)


def _ports(dependencies: DependencyMap, objects: Sequence[Mapping[str, Any]]) -> set[tuple[int, str]]:
    """What to try: over TCP every port of the map and of a rendered container, then whatever the policies name.

    Any other pair of port and protocol can only be open to a rule without ports, or to a range, whose ends are named:
    the unused port and the ends stand for all of those.
    """
    numbers = {*dependencies.api_server_ports, *(neighbour.metrics for neighbour in dependencies.neighbours)}
    for app in dependencies.apps.values():
        numbers |= {*app.outside, *(call.port for call in app.calls)} | ({app.metrics} if app.metrics else set())
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
    return {"kubernetes.io/metadata.name": namespace}
