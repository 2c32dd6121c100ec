"""What a real node changes on the machine, and how all of it is taken back.

Processes, mounts, network devices, packet filter tables, control groups, kernel settings and a few files of the
container runtime that lie outside of the state folder. What was there before is written down before anything changes,
so that `down` finds its way back after a crash too.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from cartwright.cluster.node import firewall
from cartwright.cluster.node.layout import RUNS, NodeLayout
from cartwright.kernel.atomic import write_text
from cartwright.kernel.errors import ClusterError, ToolError
from cartwright.kernel.run import run

__all__ = ["SHIM", "clean", "container_processes", "is_claimed", "prepare"]

SHIM = "containerd-shim"
"""How the names of the processes begin that hold containers."""

_SETTINGS = (
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/conf/all/route_localnet",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
)
"""Kernel settings below /proc/sys that kubelet, kube-proxy or `prepare` change."""
_TABLES = ("ip", "ip6")
"""Families of kube-proxy's nftables table."""
_CGROUPS = Path("/sys/fs/cgroup")
_SHIM_SOCKETS = Path("/run/containerd/s")
_CNI_RESULTS = Path("/var/lib/cni/results")
_OWNER = RUNS / "owner"
"""Names the node that has this machine: pod addresses and kube-proxy's table are there once."""
_END_SECONDS = 20.0


def is_claimed(node: NodeLayout | None = None) -> bool:
    """Whether another embedded cluster than this one's has its real node on this machine; any, if none is given."""
    try:
        owner = _OWNER.read_text(encoding="utf-8").strip()
    except OSError:
        return False
    return Path(owner).is_dir() and (node is None or owner != str(node.root))


def prepare(node: NodeLayout) -> None:
    """Make folders, the node's network device, and let the kernel forward packets. Safe to repeat.

    Raises:
        ClusterError: another embedded cluster has its node here.
        ToolError: ``ip`` failed.
    """
    if is_claimed(node):
        raise ClusterError(f"{_OWNER.read_text(encoding='utf-8').strip()} has the real node of this machine")
    node.root.mkdir(parents=True, exist_ok=True)
    node.root.chmod(0o711)  # containers of other users reach their volumes through it
    if not node.before.is_file():
        found = {name: value for name in _SETTINGS if (value := _setting(name)) is not None}
        found_dirs = [str(folder) for folder in (_SHIM_SOCKETS, _CNI_RESULTS, *_parents()) if folder.is_dir()]
        known = {"settings": found, "folders": found_dirs, "tables": firewall.tables()}
        write_text(node.before, json.dumps(known, indent=2) + "\n")
    for folder in (node.config / "cni", node.config / "registries", node.volumes, node.pod_logs, node.run):
        folder.mkdir(parents=True, exist_ok=True)
    _OWNER.write_text(f"{node.root}\n", encoding="utf-8")
    if not Path("/sys/class/net", node.device).exists():
        # A bridge without ports: it needs no kernel module that a small machine lacks, and carries an address as well.
        run(["ip", "link", "add", node.device, "type", "bridge"])
    run(["ip", "address", "replace", f"{node.address}/32", "dev", node.device])
    run(["ip", "link", "set", node.device, "up"])
    _set("net/ipv4/ip_forward", "1")


def clean(node: NodeLayout) -> list[str]:
    """Take back everything that the node changed, once its own processes are gone; returns what could not be.

    Volumes and images stay in ``node.root``, for the caller to keep or remove.
    """
    if not node.before.is_file():
        return []
    containers = _containers(node)
    sockets = [_shim_socket(node, one) for one in containers]
    _end(containers)
    problems = [*_unmount(node)]
    for name in [node.device, *_orphans(node)]:
        if Path("/sys/class/net", name).exists():
            problems += _try("ip", "link", "delete", name)
    for family in _TABLES:
        if not _try("nft", "list", "table", family, "kube-proxy"):
            problems += _try("nft", "delete", "table", family, "kube-proxy")
    before = json.loads(node.before.read_text(encoding="utf-8"))
    problems += firewall.clear(before=before.get("tables", []))
    for name, value in before["settings"].items():
        if _setting(name) != value:
            _set(name, value)
    _remove_cgroups(containers)
    for socket in sockets:
        if socket is not None:
            socket.unlink(missing_ok=True)
    for result in _results(node):
        result.unlink(missing_ok=True)
    shutil.rmtree(node.run, ignore_errors=True)
    if _OWNER.is_file() and _OWNER.read_text(encoding="utf-8").strip() == str(node.root):
        _OWNER.unlink()
    _remove_made([_CNI_RESULTS, _SHIM_SOCKETS, *_parents()], kept=before["folders"])
    node.before.unlink()
    return problems


def container_processes(node: NodeLayout) -> list[psutil.Process]:
    """What runs inside of containers, the processes that hold pods' namespaces among them."""
    return [process for container in _containers(node) for process in _processes(container)]


def _parents() -> list[Path]:
    """Folders that the runtime makes, inner ones first."""
    return [Path("/var/lib/cni"), Path("/run/containerd"), RUNS]


def _results(node: NodeLayout) -> list[Path]:
    """What CNI plugins remember of the node's pods: each names the pod's network namespace, a file in our folder."""
    return [result for result in _CNI_RESULTS.glob("*") if f"{node.run}/" in result.read_text(encoding="utf-8")]


def _remove_made(folders: list[Path], *, kept: list[str]) -> None:
    for folder in folders:
        if str(folder) in kept or not folder.is_dir():
            continue
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                _rmdir(path)
        _rmdir(folder)


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # somebody else's files are in it


def _setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _set(name: str, value: str) -> None:
    try:
        Path("/proc/sys", name).write_text(value, encoding="utf-8")
    except OSError as error:
        raise ClusterError(f"the kernel setting {name.replace('/', '.')} can't be set: {error.strerror}") from error


def _containers(node: NodeLayout) -> list[str]:
    """Ids of the containers and sandboxes that containerd knows."""
    tasks = node.run / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io"
    return sorted(folder.name for folder in tasks.glob("*")) if tasks.is_dir() else []


def _shim_socket(node: NodeLayout, container: str) -> Path | None:
    file = node.run / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io" / container / "address"
    try:
        path = Path(file.read_text(encoding="utf-8").strip().removeprefix("unix://"))
    except OSError:
        return None
    return path if path.parent == _SHIM_SOCKETS else None


def _cgroups_of(container: str) -> list[Path]:
    """The container's control group in every hierarchy, or in the one that there is."""
    return [
        folder
        for folder in (*_CGROUPS.glob(f"*/k8s.io/{container}"), _CGROUPS / "k8s.io" / container)
        if folder.is_dir()
    ]


def _end(containers: list[str]) -> None:
    """Kill what runs in the containers and wait until it is gone."""
    deadline = time.monotonic() + _END_SECONDS
    while True:
        processes = [one for container in containers for one in _processes(container)]
        if not processes or time.monotonic() > deadline:
            return
        for one in processes:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, timeout=1)


def _processes(container: str) -> Iterator[psutil.Process]:
    pids = {pid for folder in _cgroups_of(container) for pid in (folder / "cgroup.procs").read_text().split()}
    for pid in pids:
        try:
            yield psutil.Process(int(pid))
        except psutil.NoSuchProcess:
            continue


def _unmount(node: NodeLayout) -> Iterator[str]:
    """Unmount everything below the node's folders, the innermost first."""
    for _ in range(5):
        points = _mounts(node)
        if not points:
            return
        for point in points:
            _try("umount", "--lazy", str(point))
    yield from (f"{point} is still mounted" for point in _mounts(node))


def _mounts(node: NodeLayout) -> list[Path]:
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        # Blanks and the like are written as octal numbers.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split()[4]))
        if any(point.is_relative_to(folder) for folder in (node.root, node.run)):
            found.append(point)
    return found[::-1]


def _orphans(node: NodeLayout) -> list[str]:
    """Host ends of pod networks that outlived their pods: they have the pods' gateway as address."""
    done = run(["ip", "-json", "address", "show", "type", "veth"], accept=(0, 1))
    try:
        links = json.loads(done.stdout or "[]")
    except ValueError:
        return []
    gateway = str(node.pods[1])
    return [
        link["ifname"]
        for link in links
        if any(address.get("local") == gateway for address in link.get("addr_info", ()))
    ]


def _remove_cgroups(containers: list[str]) -> None:
    for container in containers:
        for folder in _cgroups_of(container):
            for inner in sorted(folder.rglob("*"), reverse=True):
                if inner.is_dir():
                    _rmdir(inner)
            _rmdir(folder)
    for parent in (*_CGROUPS.glob("*/k8s.io"), _CGROUPS / "k8s.io"):
        if parent.is_dir():
            _rmdir(parent)


def _try(*command: str) -> list[str]:
    try:
        run([*command], timeout=30)
    except ToolError as error:
        return [str(error)]
    return []
