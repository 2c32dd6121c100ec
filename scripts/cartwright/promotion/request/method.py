"""How a request gets merged: what the repository allows, and what the request needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cartwright.kernel.errors import UserError

__all__ = ["Rules", "pick_method"]

_KEEPS_COMMIT = ("fast-forward", "merge")
"""Methods that leave the request's commit as it is, with its committer and its signature."""
_TAKES_MESSAGE = ("merge", "squash")
"""Methods that write a message of their own, so that who approved can stand in it."""
_ALL = ("rebase", "fast-forward", "merge", "squash")
"""The first one keeps history a line and lands the commit's own message, whose trailers are the record."""


@dataclass(frozen=True)
class Rules:
    """What a repository says about merging to a branch."""

    methods: Collection[str]
    """Those that it allows: ``rebase``, ``fast-forward``, ``merge``, ``squash``."""
    auto_merge: bool = True
    """Whether the forge merges by itself once its conditions are met."""
    queue: bool = False
    """Whether requests are merged by a queue (GitHub's merge queue, GitLab's merge train), which picks the method."""


def pick_method(rules: Rules, *, keep_commit: bool, reviewed: bool) -> str:
    """The method to merge with.

    Args:
        keep_commit: the commit is somebody's approval, so its committer and signature must stay.
        reviewed: the forge's reviews count as approvals, so who approved shall stand in the message.

    Raises:
        UserError: the repository allows none that will do.
    """
    wanted = _KEEPS_COMMIT if keep_commit else (*_TAKES_MESSAGE, *_ALL) if reviewed else _ALL
    found = next((one for one in wanted if one in rules.methods), None)
    if found is None and keep_commit:
        raise UserError(
            "an approval must keep its commit, and the repository merges with another one "
            f"({', '.join(sorted(rules.methods)) or 'no method at all'})",
            hint="allow merge commits, or say `approvals: {from: forge}` in environment.yaml",
        )
    if found is None:
        raise UserError("the repository allows no method of merging", hint="allow one in its settings")
    return found
