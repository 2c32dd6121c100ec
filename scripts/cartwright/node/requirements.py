"""What a machine needs for a real node, and what this one lacks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cartwright.errors import ClusterError

__all__ = ["CNI_FOLDER", "find_programs", "lacks"]

CNI_FOLDER = Path("/usr/lib/cni")
"""Where Debian's containernetworking-plugins puts the plugins."""

_PACKAGES: Mapping[str, str] = {
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
}
"""Program → Debian package that brings it."""
_PLUGINS = ("ptp", "host-local", "loopback")
_PATH = os.pathsep.join([os.defpath, "/usr/sbin", "/sbin", "/usr/local/sbin"])


def lacks() -> str:
    """What keeps a real node from running here, in words for a person; empty where nothing does."""
    if sys.platform != "linux":
        return "a real node needs Linux"
    if os.geteuid() != 0:
        return "a real node needs root"
    packages = {package for program, package in _PACKAGES.items() if _find(program) is None}
    if not all((CNI_FOLDER / plugin).is_file() for plugin in _PLUGINS):
        packages.add("containernetworking-plugins")
    if packages:
        return f"a real node needs {', '.join(sorted(packages))} (Debian: apt-get install {' '.join(sorted(packages))})"
    return ""


def find_programs() -> dict[str, Path]:
    """Where the system's own programs are.

    Raises:
        ClusterError: see `lacks`.
    """
    missing = lacks()
    if missing:
        raise ClusterError(missing)
    return {program: path for program in _PACKAGES if (path := _find(program))}


def _find(program: str) -> Path | None:
    found = shutil.which(program) or shutil.which(program, path=_PATH)
    return Path(found) if found else None
