"""What a promotion changes in the cluster: both sides of its overlay rendered and compared, object by object."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from cartwright.kernel.errors import UserError
from cartwright.kernel.identity import Identity
from cartwright.promotion.outlook import with_edits
from cartwright.promotion.plan import Plan
from cartwright.tree.applications import Application
from cartwright.tree.render import render
from cartwright.tree.repository import FolderTree, open_tree

__all__ = ["ObjectDiff", "compare_objects", "preview"]


@dataclass(frozen=True)
class ObjectDiff:
    """One object that is not the same on both sides."""

    identity: Identity
    change: str
    """``added``, ``removed`` or ``changed``."""
    lines: tuple[str, ...]
    """Unified diff of its YAML, without file headers."""


def preview(plan: Plan) -> tuple[ObjectDiff, ...]:
    """Render the overlays of the apps that get another release, before and after, and compare their objects.

    Raises:
        UserError: one of the two can't be rendered: file and line.
    """
    applications = [move.application for move in plan.moves if move.changes]
    if not applications:
        return ()
    tree = open_tree(plan.snapshot.root, plan.snapshot.head.commit)
    # An overlay that the promotion makes has nothing to render before it.
    before, files = _render(tree, [one for one in applications if tree.is_dir(one.path)])
    with with_edits(tree, files, plan.edits, repository=plan.snapshot.root) as outlook:
        after, _ = _render(outlook, applications)
    return compare_objects(before, after)


def compare_objects(before: Mapping[Identity, Any], after: Mapping[Identity, Any]) -> tuple[ObjectDiff, ...]:
    """The objects that differ, by identity."""
    found = []
    for identity in sorted({*before, *after}):
        old, new = (_lines(side.get(identity)) for side in (before, after))
        if old != new:
            change = "added" if not old else "removed" if not new else "changed"
            diff = tuple(difflib.unified_diff(old, new, n=3, lineterm=""))[2:]
            found.append(ObjectDiff(identity=identity, change=change, lines=diff))
    return tuple(found)


def _render(tree: FolderTree, applications: Sequence[Application]) -> tuple[dict[Identity, Any], frozenset[str]]:
    """The objects by identity, and every file that the builds read."""
    rendered, failures = render(tree, applications)
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    objects = {resource.identity: resource.content for one in rendered for resource in one.resources}
    return objects, frozenset(path for one in rendered for path in one.closure.files)


def _lines(content: Any) -> list[str]:
    if content is None:
        return []
    text: str = yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=10_000)
    return text.splitlines()
