"""The declared dependency map as the single edges that rules hold policies against.

Each is ``{from, to, ports}``. A side is ``{namespace, labels}`` (pods that have these labels), ``{namespaceLabels,
labels}`` (such pods in every namespace that has those labels) or ``{cidr, except}`` (addresses). A port is
``TCP/8080``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cartwright.tree.dependencies import App, DependencyMap, Neighbour
from cartwright.tree.ranges import Range

__all__ = ["edges_of", "resolver_pods"]

_POD_LABEL = "app.kubernetes.io/name"
"""The label that `App.pods` gives the values of."""


def edges_of(dependencies: DependencyMap) -> Iterator[dict[str, Any]]:
    """Every edge between single groups of pods or addresses, so that a policy can be held against them one by one."""
    scraper = dependencies.apps[dependencies.scraper]
    for app in dependencies.apps.values():
        for pods in _pods(app):
            yield from _general(dependencies, app, pods)
            yield from _own(dependencies, app, pods)
    for neighbour in dependencies.neighbours.values():
        if neighbour.metrics is not None:
            for reader in _pods(scraper):
                yield _edge(reader, _neighbour(neighbour), _tcp(neighbour.metrics))


def resolver_pods(dependencies: DependencyMap) -> dict[str, Any]:
    """The pods that resolve names."""
    return {"namespace": dependencies.dns_namespace, "labels": dict(dependencies.dns_labels)}


def _general(dependencies: DependencyMap, app: App, pods: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The edges of pods of the app that lead to no peer with a name: resolvers, and what is outside the cluster."""
    for resolver in (resolver_pods(dependencies), *_addresses(dependencies.dns_node_local)):
        yield _edge(pods, resolver, [f"{protocol}/{dependencies.dns_port}" for protocol in ("UDP", "TCP")])
    for outside in _addresses(dependencies.outside):
        if app.outside:
            yield _edge(outside, pods, _tcp(*app.outside))
        if app.api_server:
            yield _edge(pods, outside, _tcp(*dependencies.api_server_ports))


def _own(dependencies: DependencyMap, app: App, pods: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The edges that the app's entry states: its callers, who reads its metrics, and what it calls."""
    for caller in app.callers:
        for calling in _sides(dependencies, caller.neighbour):
            yield _edge(calling, pods, _tcp(caller.port))
    if app.metrics is not None:
        for reader in _pods(dependencies.apps[dependencies.scraper]):
            yield _edge(reader, pods, _tcp(app.metrics))
    for call in app.calls:
        for called in _sides(dependencies, call.to):
            yield _edge(pods, called, _tcp(call.port))


def _sides(dependencies: DependencyMap, name: str) -> list[dict[str, Any]]:
    """What an app, a neighbour or an external stands for."""
    if name in dependencies.apps:
        return _pods(dependencies.apps[name])
    if name in dependencies.neighbours:
        return [_neighbour(dependencies.neighbours[name])]
    return _addresses(dependencies.external[name].ranges)


def _pods(app: App) -> list[dict[str, Any]]:
    return [{"namespace": app.namespace, "labels": {_POD_LABEL: name}} for name in app.pods]


def _neighbour(neighbour: Neighbour) -> dict[str, Any]:
    labels = dict(neighbour.labels)
    if neighbour.namespace is None:
        return {"namespaceLabels": dict(neighbour.namespaces), "labels": labels}
    return {"namespace": neighbour.namespace, "labels": labels}


def _addresses(ranges: Iterable[Range]) -> list[dict[str, Any]]:
    return [{"cidr": one.cidr, "except": list(one.kept)} for one in ranges]


def _edge(caller: Mapping[str, Any], called: Mapping[str, Any], ports: list[str]) -> dict[str, Any]:
    return {"from": dict(caller), "to": dict(called), "ports": ports}


def _tcp(*ports: int) -> list[str]:
    return [f"TCP/{port}" for port in ports]
