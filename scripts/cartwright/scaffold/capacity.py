"""Whether what a repository asks for fits: quotas, and the connections that a database takes."""

from __future__ import annotations

from collections.abc import Sequence

from cartwright.check.cached import check
from cartwright.kernel.findings import Finding
from cartwright.tree.repository import FolderTree

__all__ = ["find_misfits"]

_RULES = frozenset({"connections-fit", "quota-fits"})


def find_misfits(tree: FolderTree) -> Sequence[Finding]:
    """What no longer fits in an environment, each at the number that can be raised and with what it would have to be.

    Raises:
        UserError: the tree can't be judged.
        ToolError: a tool is missing or failed.
    """
    return [one for one in check(tree).findings if one.rule in _RULES]
