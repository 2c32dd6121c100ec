"""Git's lock files: one that a living git holds goes within moments, one that a killed git left is named."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tenacity

from cartwright.history.git import git_file
from cartwright.kernel.errors import UserError

__all__ = ["LockedError", "await_index", "find_lock", "wait_for_lock"]

_T = TypeVar("_T")
_SECONDS = 4.0
"""How long a lock may be held before it is taken for one that was left behind."""
_FOUND = re.compile(r"Unable to create '([^'\n]+\.lock)': File exists")
"""How git says that it found a lock, here or behind ``remote:``."""


class LockedError(UserError):
    """A lock file of Git stands in the way: names it, and says what has happened."""

    def __init__(self, message: str, *, file: str, there: str = "") -> None:
        super().__init__(message, file=file, hint=f"remove that file{there} if no git is at work")


def find_lock(said: str) -> str | None:
    """The lock file that stopped git, by its words; None where it was something else."""
    found = _FOUND.search(said)
    return posixpath.normpath(found[1]) if found else None


def wait_for_lock(once: Callable[[], _T]) -> _T:
    """Call, and call again for a few seconds while a lock stands in the way; return what the last call did.

    Raises:
        LockedError: the lock is still there.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(LockedError),
        stop=tenacity.stop_after_delay(_SECONDS),
        wait=tenacity.wait_random(0.1, 0.3),
        reraise=True,
    )(once)


def await_index(root: Path) -> None:
    """Wait until no git holds the lock on the work tree's index.

    Raises:
        LockedError: one still does.
    """
    lock = git_file(root, "index.lock")

    def look() -> None:
        if lock.exists():
            raise LockedError("locks the index; nothing was promoted", file=shown(root, lock))

    wait_for_lock(look)


def shown(root: Path, lock: Path) -> str:
    """A lock file as a person in the work tree names it."""
    return str(lock.relative_to(root)) if lock.is_relative_to(root) else str(lock)
