"""Debian packages that Cartwright uses, as ``tools/debian-packages.toml`` lists them, and where their programs are."""

from __future__ import annotations

import glob
import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Package", "find_packages"]

_SYSTEM = os.pathsep.join(["/usr/local/sbin", "/usr/sbin", "/sbin"])
"""Where Debian puts programs for administrators; not on everybody's PATH."""


@dataclass(frozen=True)
class Package:
    """A package, looked for on this machine."""

    name: str
    """What ``apt-get install`` calls it."""
    tier: str
    """What needs it: check, cluster, services, images, node or browser."""
    program: str
    """The program by which it is found: a name, or an absolute path that may hold ``*``."""
    path: Path | None
    """Where that is; None where the package is missing."""


def find_packages(tools: Path) -> list[Package]:
    """Every listed package.

    Args:
        tools: the repository's ``tools`` folder.
    """
    entries = tomllib.loads((tools / "debian-packages.toml").read_text(encoding="utf-8"))["package"]
    return [Package(one["name"], one["tier"], one["program"], _find(one["program"])) for one in entries]


def _find(program: str) -> Path | None:
    if program.startswith("/"):
        found = next(iter(sorted(glob.glob(program))), None)  # noqa: PTH207 - the pattern is absolute
    else:
        found = shutil.which(program) or shutil.which(program, path=_SYSTEM)
    return Path(found) if found else None
