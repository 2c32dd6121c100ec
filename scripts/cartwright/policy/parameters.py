"""What rules are told about an environment: what its file says, and what follows from the rest of the repository.

A fact that stands somewhere already is not written a second time under ``policies:``; it is derived here:

- ``declared-edges.edges``: ``apps/dependencies.yaml`` as single edges (`edges`).
- ``dns-egress-allowed.resolvers``: where that file says that names are resolved, ``{namespace, labels, port}``.
- ``removed-api.kubernetes`` and ``deprecated-api.kubernetes``: major and minor version of the pinned API server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cartwright.kernel.errors import UserError
from cartwright.policy.edges import edges_of, resolver_pods
from cartwright.tools import load_catalogue
from cartwright.tree.dependencies import FILE, SCHEMA, DependencyMap, parse_dependencies
from cartwright.tree.environments import Environment
from cartwright.tree.repository import Tree

__all__ = ["derived_parameters", "kubernetes_version", "own_parameters", "parameters_of"]


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
    return {"edges": list(edges_of(dependencies))} if dependencies else {}


def _resolvers(tree: Tree) -> dict[str, Any]:
    dependencies = _map(tree)
    if dependencies is None:
        return {}
    return {"resolvers": {**resolver_pods(dependencies), "port": dependencies.dns_port}}


def _kubernetes(_tree: Tree) -> dict[str, Any]:
    return {"kubernetes": kubernetes_version()}


_DERIVED: Mapping[str, Callable[[Tree], dict[str, Any]]] = {
    "declared-edges": _edges,
    "deprecated-api": _kubernetes,
    "dns-egress-allowed": _resolvers,
    "removed-api": _kubernetes,
}
"""What is derived, by rule."""
