"""That a branch moved: its own module, as asking a remote for its newest commit needs no more of this package."""

from __future__ import annotations

__all__ = ["BranchMovedError"]


class BranchMovedError(Exception):
    """Someone else committed since the plan was made."""
