"""The environments: ``environments/<env>/environment.yaml`` as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cartwright.kernel.errors import UserError, nearest
from cartwright.tree.repository import Tree
from cartwright.yaml.validate import load_valid

__all__ = ["Environment", "load_environments", "pick_environment"]

SCHEMA = "environments/environment.schema.json"
SETS = "environments/sets.yaml"
SETS_SCHEMA = "environments/sets.schema.json"


@dataclass(frozen=True)
class Environment:
    """One environment of the promotion order."""

    name: str
    """Its name, and that of its folder below ``environments/``."""
    cluster: str
    """Name of its cluster as Argo CD knows it, and of the folder below ``clusters/``."""
    rank: int
    """Place in the order: a higher rank is nearer to the customers."""
    upstreams: tuple[str, ...]
    """Environments that a version must have run in before it may come here."""
    parameters: Mapping[str, Mapping[str, Any]]
    """Policy parameters by rule id."""
    content: Mapping[str, Any]
    """All that the file says: gates, quotas and the rest."""

    @property
    def file(self) -> str:
        """Path of its environment.yaml."""
        return f"environments/{self.name}/environment.yaml"


def load_environments(tree: Tree) -> dict[str, Environment]:
    """Every environment by name, lowest rank first.

    Raises:
        UserError: a file is missing or does not fit the schema (a typo names the nearest key), a name that is not its
            folder's, an upstream that is none or that does not come before, or upstreams in a circle; a freeze window
            that Argo CD would not read; or the holds, freezes and sets of promotion can't be read.
    """
    from cartwright.tree.upstreams import check_order
    from cartwright.tree.windows import check_windows

    schema = json.loads(tree.text(SCHEMA))
    found = []
    for folder in tree.folders("environments"):
        file = f"environments/{folder}/environment.yaml"
        text = tree.text(file)
        data = load_valid(text, file, schema)
        check_windows(text, file, data["gates"])
        if data["name"] != folder:
            raise UserError(f"name is '{data['name']}', its folder is '{folder}'", file=file, hint="make them the same")
        found.append(
            Environment(
                name=folder,
                cluster=data["cluster"],
                rank=data["rank"],
                upstreams=tuple(data.get("upstreams", ())),
                parameters=data.get("policies", {}),
                content=data,
            )
        )
    by_name = {environment.name: environment for environment in sorted(found, key=lambda one: (one.rank, one.name))}
    check_order(tree, by_name)
    _check_decisions(tree, by_name)
    return by_name


def _check_decisions(tree: Tree, environments: Mapping[str, Environment]) -> None:
    """Prove that what people decided can be read: a freeze with a typo would freeze nothing."""
    decided = [name for name in environments if tree.is_file(f"environments/{name}/promotion.yaml")]
    if decided:
        from cartwright.tree.decisions import read_state

        for name in decided:
            read_state(tree, name)
    if tree.is_file(SETS):
        load_valid(tree.text(SETS), SETS, json.loads(tree.text(SETS_SCHEMA)))


def pick_environment(environments: Mapping[str, Environment], name: str) -> Environment:
    """The environment of that name.

    Raises:
        UserError: there is none; names the nearest.
    """
    if name not in environments:
        raise UserError(f"no environment '{name}'", hint=nearest(name, environments))
    return environments[name]
