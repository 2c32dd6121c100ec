"""The order of promotion: environments and their upstreams as a directed graph without circles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cartwright.kernel.errors import UserError, nearest
from cartwright.yaml.read import line_of, nodes

if TYPE_CHECKING:
    from cartwright.tree.environments import Environment
    from cartwright.tree.repository import Tree

__all__ = ["check_order", "require_edge"]


def check_order(tree: Tree, environments: Mapping[str, Environment]) -> None:
    """Prove that upstreams exist and that following them ends.

    Raises:
        UserError: an unknown upstream (the nearest is named), a circle, or an upstream whose rank is not lower:
            file and line.
    """
    for environment in environments.values():
        for place, upstream in enumerate(environment.upstreams):
            if upstream not in environments:
                raise _error(tree, environment, place, f"no environment '{upstream}'", nearest(upstream, environments))
    for environment in environments.values():
        circle = _circle(environments, environment.name)
        if circle:
            place = environment.upstreams.index(circle[1])
            raise _error(tree, environment, place, f"the upstreams run in a circle: {' ← '.join(circle)}", None)
    for environment in environments.values():
        for place, upstream in enumerate(environment.upstreams):
            rank = environments[upstream].rank
            if rank >= environment.rank:
                message = f"upstream '{upstream}' has rank {rank}, which is not below {environment.rank}"
                raise _error(tree, environment, place, message, "an upstream comes before")


def require_edge(environments: Mapping[str, Environment], source: str, target: str) -> None:
    """Prove that both environments exist and that the target takes releases from the source.

    Raises:
        UserError: they do not, or it takes them from elsewhere.
    """
    for name in (source, target):
        if name not in environments:
            raise UserError(f"no environment '{name}'", hint=nearest(name, environments))
    upstreams = environments[target].upstreams
    if source not in upstreams:
        order = f"{target} takes releases from {' and '.join(upstreams)}" if upstreams else f"{target} has no upstream"
        raise UserError(f"can't promote from {source} to {target}", file=environments[target].file, hint=order)


def _circle(environments: Mapping[str, Environment], start: str) -> list[str] | None:
    """The way from an environment over its upstreams back to it, if there is one."""
    pending, seen = [[start]], set[str]()
    while pending:
        way = pending.pop()
        for upstream in environments[way[-1]].upstreams:
            if upstream == start:
                return [*way, start]
            if upstream not in seen:
                seen.add(upstream)
                pending.append([*way, upstream])
    return None


def _error(tree: Tree, environment: Environment, place: int, message: str, hint: str | None) -> UserError:
    root = next(nodes(tree.text(environment.file), environment.file))
    return UserError(message, file=environment.file, line=line_of(root, ["upstreams", place])[0], hint=hint)
