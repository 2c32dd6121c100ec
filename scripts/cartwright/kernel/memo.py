"""A cache of verdicts: small JSON values by the hash of all that decides them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from cartwright.kernel import atomic
from cartwright.kernel.paths import cache_root

__all__ = ["code_hash", "digest", "load", "prune", "store"]

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


def prune(kinds: Iterable[str]) -> None:
    """Drop entries of two weeks ago and older, at most once a day."""
    marker = cache_root() / ".pruned"
    now = time.time()
    if marker.exists() and now - marker.stat().st_mtime < 24 * 3600:
        return
    for kind in kinds:
        for file in (cache_root() / kind).glob("*/*"):
            if now - file.stat().st_mtime > _KEEP_SECONDS:
                file.unlink(missing_ok=True)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    os.utime(marker)


def _file(kind: str, key: str) -> Path:
    return cache_root() / kind / key[:2] / f"{key}.json"
