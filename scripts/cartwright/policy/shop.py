"""The shop's own objects as every environment gets them: what the policy suite is proved on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from cartwright.applications import find_applications
from cartwright.environments import load_environments
from cartwright.errors import UserError
from cartwright.render import render
from cartwright.repository import Tree

__all__ = ["rendered_shop"]


def rendered_shop(tree: Tree) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
    """Every rendered object, by environment and ``group/name`` of its app (what a cluster needs: the cluster's name).

    Raises:
        UserError: an overlay can't be rendered.
    """
    environments = load_environments(tree)
    rendered, failures = render(tree, find_applications(tree, environments), use_cache=True)
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(dict)
    for one in rendered:
        found[one.application.environment][one.application.app] = [resource.content for resource in one.resources]
    return dict(found)
