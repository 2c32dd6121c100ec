"""Comparing generated texts with the files, and writing those that differ."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cartwright.kernel import atomic
from cartwright.kernel.errors import UserError

__all__ = ["stale", "write_all"]


def stale(root: Path, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Paths of the files that are missing or differ from what is wanted, sorted."""
    return tuple(path for path, text in sorted(wanted.items()) if _differs(root / path, text.encode()))


def write_all(root: Path, wanted: Mapping[str, str], paths: tuple[str, ...]) -> None:
    """Write the files in ``paths``: each to a side file first, and none in place before all are written.

    Raises:
        UserError: the disk or its permissions do not let us; no file has changed then.
    """
    try:
        atomic.write_all({root / path: wanted[path].encode() for path in paths})
    except OSError as error:
        place = Path(error.filename).relative_to(root) if error.filename else None
        raise UserError(error.strerror or os.strerror(error.errno or 0), file=place) from error


def _differs(file: Path, content: bytes) -> bool:
    try:
        return file.read_bytes() != content
    except OSError:
        return True
