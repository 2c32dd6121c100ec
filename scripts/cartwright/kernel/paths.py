"""Where things lie outside the repository's content: caches and run-time state."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_root", "state_dir"]


def cache_root() -> Path:
    """The folder for built tools, mirrors and schemas: ``$CARTWRIGHT_CACHE``, else ``~/.cache/cartwright``."""
    override = os.environ.get("CARTWRIGHT_CACHE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cartwright"


def state_dir(root: Path) -> Path:
    """The folder of what runs: ``$CARTWRIGHT_STATE``, else ``.cartwright`` in ``root``."""
    override = os.environ.get("CARTWRIGHT_STATE")
    return Path(override) if override else root / ".cartwright"
