"""The cache that tools lie in: who may write to it, and what is said meanwhile."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cartwright.kernel.paths import cache_root

__all__ = ["lock", "say"]


@contextmanager
def lock() -> Iterator[None]:
    """One build or download at a time per cache: a second process waits, then finds the tools there."""
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / ".build.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Tell how it goes: on standard error, at once."""
    sys.stderr.write(f"tools: {line}\n")
    sys.stderr.flush()
