"""A cache of verdicts: small JSON values by the hash of all that decides them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cartwright.kernel import atomic
from cartwright.kernel.paths import cache_root

__all__ = ["code_hash", "digest", "load", "prune", "store", "take_folder"]

_KEEP_SECONDS = 14 * 24 * 3600.0


def digest(parts: Iterable[str]) -> str:
    """A key over texts; order counts."""
    total = hashlib.blake2b(digest_size=20)
    for part in parts:
        total.update(part.encode())
        total.update(b"\0")
    return total.hexdigest()


@cache
def code_hash() -> str:
    """Hash of this package's own source: a verdict of other code is no verdict of this."""
    folder = Path(__file__).parents[1]
    files = sorted(file for file in folder.rglob("*.py") if "templates" not in file.parts)
    return digest(part for file in files for part in (str(file.relative_to(folder)), file.read_text(encoding="utf-8")))


def load(kind: str, key: str) -> Any:
    """The value stored under a key, None where there is none."""
    try:
        return json.loads(_file(kind, key).read_bytes())
    except (OSError, ValueError):
        return None


def store(kind: str, key: str, value: Any) -> None:
    """Store a JSON value. A full disk or a read-only cache costs time later, not the verdict now."""
    file = _file(kind, key)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(file, json.dumps(value, separators=(",", ":")), mode=0o600)
    except OSError:
        return


def take_folder(kind: str, key: str) -> Path | None:
    """A kept folder that is used from now on, None where there is none. It stays for two weeks from its last use.

    Fill it with `cartwright.kernel.atomic.fill_folder` where there is none.
    """
    folder = cache_root() / kind / key
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a cache that can't be written to is not pruned either
            stack.enter_context(_pruning(kind, fcntl.LOCK_SH))
            os.utime(folder)
        return folder if folder.is_dir() else None


def prune(kinds: Iterable[str], *, folders: Iterable[str] = ()) -> None:
    """Drop entries of two weeks ago and older, at most once a day.

    Args:
        kinds: of values and files. Who reads one that goes makes it anew.
        folders: kinds of folders, see `take_folder`. Two weeks count from their last use.
    """
    marker = cache_root() / ".pruned"
    now = time.time()
    if marker.exists() and now - marker.stat().st_mtime < 24 * 3600:
        return
    for kind in kinds:
        for file in (cache_root() / kind).glob("*/*"):
            if now - file.stat().st_mtime > _KEEP_SECONDS:
                file.unlink(missing_ok=True)
    for kind in folders:
        if (cache_root() / kind).is_dir():
            _prune_folders(cache_root() / kind, kind, now)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    os.utime(marker)


def _prune_folders(home: Path, kind: str, now: float) -> None:
    # Nobody begins to use a folder between the look at its age and its removal. Its files go after the lock.
    with (
        tempfile.TemporaryDirectory(prefix=".pruned-", dir=home, ignore_cleanup_errors=True) as doomed,
        _pruning(kind, fcntl.LOCK_EX),
    ):
        for folder in home.iterdir():
            if folder.is_dir() and now - folder.stat().st_mtime > _KEEP_SECONDS:
                folder.rename(Path(doomed) / folder.name)


@contextmanager
def _pruning(kind: str, how: int) -> Iterator[None]:
    """Keep folders of a kind from being removed (shared), or from being taken into use (exclusive)."""
    with (cache_root() / f".{kind}.lock").open("w") as file:
        fcntl.flock(file, how)
        yield


def _file(kind: str, key: str) -> Path:
    return cache_root() / kind / key[:2] / f"{key}.json"
