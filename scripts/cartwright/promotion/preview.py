"""What a promotion changes in the cluster: both sides of its overlay rendered and compared, object by object."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cartwright.errors import UserError
from cartwright.promotion.plan import Plan
from cartwright.render import render
from cartwright.repository import Tree
from cartwright.resources import Identity

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
    """Render the target's overlay before and after the promotion and compare the objects.

    Raises:
        UserError: one of the two can't be rendered: file and line.
    """
    before, files = _render(plan, plan.tree)
    with tempfile.TemporaryDirectory(prefix="cartwright-preview-") as folder:
        root = Path(folder)
        for path in files:
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(plan.tree.root / path, target)
        (root / plan.file).write_bytes(plan.after.encode())
        after, _ = _render(plan, Tree(root=root))
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


def _render(plan: Plan, tree: Tree) -> tuple[dict[Identity, Any], tuple[str, ...]]:
    rendered, failures = render(tree, [plan.application])
    for failure in failures:
        raise UserError(failure.message, file=failure.file, line=failure.line)
    return {one.identity: one.content for one in rendered[0].resources}, rendered[0].closure.files


def _lines(content: Any) -> list[str]:
    if content is None:
        return []
    text: str = yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=10_000)
    return text.splitlines()
