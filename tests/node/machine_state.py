"""What a machine is like, as far as a node with containers changes it. Looked at by the tests' own means."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SYSCTLS = (
    *("net/ipv4/ip_forward", "net/ipv4/conf/all", "net/ipv4/conf/default", "net/ipv6/conf/all", "net/bridge"),
    *("net/netfilter", "vm", "kernel/panic", "kernel/panic_on_oops", "kernel/keys"),
)
# Counters and what the kernel itself moves.
_MOVING = frozenset({"nf_conntrack_count", "nf_conntrack_buckets", "stat_refresh", "compact_memory", "drop_caches"})
_FOLDERS = ("/run/cartwright", "/run/containerd", "/run/runc", "/var/lib/cni", "/etc/cni", "/opt/cni", "/run/netns")


def machine_state() -> Mapping[str, frozenset[str]]:
    """Everything by kind. Two of them are equal where nothing was left behind and nothing is missing."""
    return {
        "mounts": frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "devices": frozenset(link["ifname"] for link in json.loads(_run("ip", "-json", "link"))),
        "addresses": frozenset(_run("ip", "-oneline", "-4", "address").splitlines()),
        "routes": frozenset(_run("ip", "-4", "route", "show", "table", "all").splitlines()),
        "namespaces": frozenset(_run("ip", "netns", "list").splitlines()),
        "nftables": frozenset(_run("nft", "list", "tables").splitlines()),
        "address sets": frozenset(_run("ipset", "list", "-name").splitlines()),
        "control groups": frozenset(str(folder) for folder in Path("/sys/fs/cgroup").rglob("*") if folder.is_dir()),
        "settings": frozenset(_settings()),
        "files": frozenset(
            str(path) for top in _FOLDERS for path in (Path(top), *Path(top).rglob("*")) if path.exists()
        ),
    }


def difference(before: Mapping[str, frozenset[str]], after: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """What came (``+``) and what is gone (``-``), by kind; empty where all is as it was."""
    return {
        kind: changed
        for kind, old in before.items()
        if (
            changed := [f"+ {one}" for one in sorted(after[kind] - old)]
            + [f"- {one}" for one in sorted(old - after[kind])]
        )
    }


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _settings() -> list[str]:
    found = []
    for name in _SYSCTLS:
        top = Path("/proc/sys", name)
        for file in [top] if top.is_file() else top.rglob("*"):
            if file.is_file() and file.name not in _MOVING:
                try:
                    found.append(f"{file}={file.read_text().strip()}")
                except OSError:
                    continue
    return found
