"""What a machine needs for a real node, and what this one lacks."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cartwright.kernel.errors import ToolError
from cartwright.kernel.run import run
from cartwright.tools.packages import Package, find_packages

__all__ = ["CNI_FOLDER", "TIERS", "lacks", "overlays", "programs", "refusal"]

CNI_FOLDER = Path("/usr/lib/cni")
"""Where Debian's containernetworking-plugins puts the plugins."""

TIERS = ("images", "node")
"""Tiers of ``tools/debian-packages.toml`` that a node needs, and the registry of tier cluster besides."""

_PROBE = """\
set -e
mkdir lower upper work merged
mount -t tmpfs none upper && mkdir upper/files upper/work
mount -t overlay none -o lowerdir=lower,upperdir=upper/files,workdir=upper/work merged
ip link add probe0 type bridge
ip link add probe1 type veth peer name probe2
nft add table ip probe
"""
"""What containers are made of, in namespaces of its own: nothing of it is seen outside or stays."""


def lacks() -> str:
    """What keeps a real node from running here, in words for a person; empty where nothing does."""
    if sys.platform != "linux":
        return "a real node needs Linux"
    if os.geteuid() != 0:
        return "a real node needs root"
    missing = sorted(one.name for one in _packages() if one.path is None)
    if missing:
        return f"a real node needs {', '.join(missing)} (Debian: apt-get install {' '.join(missing)})"
    return refusal()


def refusal() -> str:
    """What the kernel, or the container that this runs in, does not allow; empty where a node can do its work."""
    try:
        with tempfile.TemporaryDirectory(prefix="cartwright-probe-") as folder:
            run(["unshare", "--mount", "--net", "sh", "-c", _PROBE], cwd=Path(folder), timeout=20)
    except ToolError as error:
        return f"containers can't be made here: {str(error).splitlines()[-1]}"
    for hierarchy in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")):
        if (hierarchy / "cgroup.procs").is_file():
            group = hierarchy / f"cartwright-probe-{os.getpid()}"
            try:
                group.mkdir()
                group.rmdir()
            except OSError as error:
                return f"containers can't be made here: no control group can be added: {error.strerror}"
            return ""
    return "containers can't be made here: no control groups are mounted below /sys/fs/cgroup"


def overlays(folder: Path) -> bool:
    """Whether layers can be laid over each other in this folder; not where it is itself such a layer."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".probe-", dir=folder) as side:
        script = "mkdir l u w m && mount -t overlay none -o lowerdir=l,upperdir=u,workdir=w m"
        try:
            run(["unshare", "--mount", "sh", "-c", script], cwd=Path(side), timeout=20)
        except ToolError:
            return False
    return True


def programs() -> Mapping[str, Path]:
    """Where the system's own programs are, by name; call it where `lacks` finds nothing."""
    return {one.path.name: one.path for one in _packages() if one.path is not None}


def _packages() -> list[Package]:
    """Those of the node itself, and the registry that its images come from."""
    return [one for one in find_packages() if one.tier in TIERS or one.program == "docker-registry"]
