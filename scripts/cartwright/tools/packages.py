"""Debian packages that Cartwright uses, as ``tools/debian-packages.toml`` lists them, and where their programs are."""

from __future__ import annotations

import glob
import os
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cartwright.kernel.errors import ToolError
from cartwright.tools import tools_folder

__all__ = ["Package", "find_packages", "require_programs"]

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


def require_programs(*names: str) -> Mapping[str, Path]:
    """Where programs of listed packages are, by name.

    Raises:
        ToolError: some are not there; names them and how to install them.
    """
    found = {one.program: one for one in find_packages()}
    missing = [name for name in names if found[name].path is None]
    if missing:
        raise ToolError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing "
            f"(Debian: apt-get install {' '.join(found[name].name for name in missing)}); "
            "`cartwright doctor` lists all that is missing"
        )
    return {name: path for name in names if (path := found[name].path)}


def find_packages(tools: Path | None = None) -> list[Package]:
    """Every listed package.

    Args:
        tools: the ``tools`` folder; this repository's own by default.
    """
    tools = tools or tools_folder()
    entries = tomllib.loads((tools / "debian-packages.toml").read_text(encoding="utf-8"))["package"]
    return [Package(one["name"], one["tier"], one["program"], _find(one["program"])) for one in entries]


def _find(program: str) -> Path | None:
    if program.startswith("/"):
        found = next(iter(sorted(glob.glob(program))), None)  # noqa: PTH207 - the pattern is absolute
    else:
        found = shutil.which(program) or shutil.which(program, path=_SYSTEM)
    return Path(found) if found else None
