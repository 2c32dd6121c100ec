"""What rules are told about an environment: what its file says, and what follows from the rest of the repository.

A fact that stands somewhere already is not written a second time under ``policies:``; it is derived here:

- ``declared-edges.edges``: ``apps/dependencies.yaml`` as single edges, each ``{from, to, ports}``. A side is either
  ``{namespace, labels}`` (pods that have these labels) or ``{cidr, except}`` (addresses); a port is ``TCP/8080``.
- ``dns-egress-allowed.resolvers``: where that file says that names are resolved, ``{namespace, labels, port}``.
- ``removed-api.kubernetes`` and ``deprecated-api.kubernetes``: major and minor version of the pinned API server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.tools import load_catalogue
from cartwright.tree.dependencies import FILE, SCHEMA, App, DependencyMap, parse_dependencies
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree

__all__ = ["derived_parameters", "kubernetes_version", "own_parameters", "parameters_of"]

_POD_LABEL = "app.kubernetes.io/name"
"""The label that `App.pods` gives the values of."""


def parameters_of(tree: Tree, environment: Environment) -> dict[str, dict[str, Any]]:
    """Values of rules' parameters by rule id and name; a parameter that is not here keeps its default.

    Raises:
        UserError: as `own_parameters`.
    """
    values = own_parameters(tree, environment)
    for rule, derived in derived_parameters(tree).items():
        values.setdefault(rule, {}).update(derived)
    return values


def own_parameters(tree: Tree, environment: Environment) -> dict[str, dict[str, Any]]:
    """The values that the environment itself sets, by rule id and name.

    Raises:
        UserError: ``apps/dependencies.yaml`` is wrong, or environment.yaml sets a parameter that is derived.
    """
    derived = derived_parameters(tree)
    for rule, given in environment.parameters.items():
        for name in given.keys() & derived.get(rule, {}).keys():
            raise UserError(
                f"parameter {name} of {rule} is derived from the repository",
                file=environment.file,
                hint=f"remove policies.{rule}.{name}",
            )
    return {rule: dict(given) for rule, given in environment.parameters.items()}


def derived_parameters(tree: Tree) -> dict[str, dict[str, Any]]:
    """The values that follow from the rest of the repository, by rule id and name: the same in every environment.

    What is derived is left out for a rule that the tree does not have, or whose source it does not have.

    Raises:
        UserError: ``apps/dependencies.yaml`` is wrong.
    """
    found = {
        rule: derive(tree) for rule, derive in _DERIVED.items() if tree.is_file(f"policies/rules/{rule}/rule.rego")
    }
    return {rule: values for rule, values in found.items() if values}


def kubernetes_version() -> str:
    """Major and minor version of the pinned API server, for example ``1.36``."""
    return ".".join(load_catalogue()["kube-apiserver"].version.lstrip("v").split(".")[:2])


def _map(tree: Tree) -> DependencyMap | None:
    if not tree.is_file(FILE):
        return None
    return parse_dependencies(tree.text(FILE), FILE, json.loads(tree.text(SCHEMA)))


def _edges(tree: Tree) -> dict[str, Any]:
    dependencies = _map(tree)
    return {"edges": list(_edges_of(dependencies))} if dependencies else {}


def _resolvers(tree: Tree) -> dict[str, Any]:
    dependencies = _map(tree)
    if dependencies is None:
        return {}
    return {"resolvers": {**_resolver_pods(dependencies), "port": dependencies.dns_port}}


def _kubernetes(_tree: Tree) -> dict[str, Any]:
    return {"kubernetes": kubernetes_version()}


_DERIVED: Mapping[str, Callable[[Tree], dict[str, Any]]] = {
    "declared-edges": _edges,
    "deprecated-api": _kubernetes,
    "dns-egress-allowed": _resolvers,
    "removed-api": _kubernetes,
}
"""What is derived, by rule."""


def _edges_of(dependencies: DependencyMap) -> Iterator[dict[str, Any]]:
    """Every edge between single groups of pods, so that a policy can be held against them one by one."""
    outside = {"cidr": dependencies.outside_cidr, "except": list(dependencies.outside_except)}
    resolvers = _resolver_pods(dependencies)
    scraper = dependencies.apps[dependencies.scraper]
    for app in dependencies.apps.values():
        for pods in _pods(app):
            yield _edge(pods, resolvers, [f"{protocol}/{dependencies.dns_port}" for protocol in ("UDP", "TCP")])
            if app.outside:
                yield _edge(outside, pods, _tcp(*app.outside))
            if app.api_server:
                yield _edge(pods, outside, _tcp(*dependencies.api_server_ports))
            if app.metrics is not None:
                for reader in _pods(scraper):
                    yield _edge(reader, pods, _tcp(app.metrics))
            for call in app.calls:
                for called in _pods(dependencies.apps[call.to]):
                    yield _edge(pods, called, _tcp(call.port))
    for neighbour in dependencies.neighbours:
        read = {"namespace": neighbour.namespace, "labels": dict(neighbour.labels)}
        for reader in _pods(scraper):
            yield _edge(reader, read, _tcp(neighbour.metrics))


def _edge(caller: Mapping[str, Any], called: Mapping[str, Any], ports: list[str]) -> dict[str, Any]:
    return {"from": dict(caller), "to": dict(called), "ports": ports}


def _pods(app: App) -> list[dict[str, Any]]:
    return [{"namespace": app.namespace, "labels": {_POD_LABEL: name}} for name in app.pods]


def _resolver_pods(dependencies: DependencyMap) -> dict[str, Any]:
    return {"namespace": dependencies.dns_namespace, "labels": dict(dependencies.dns_labels)}


def _tcp(*ports: int) -> list[str]:
    return [f"TCP/{port}" for port in ports]
