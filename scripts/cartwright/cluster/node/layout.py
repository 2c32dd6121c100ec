"""Names, addresses and folders of the real node."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cartwright.cluster.state import Layout

__all__ = ["LABEL", "NAME", "REAL", "RUNS", "SIMULATED", "NodeLayout"]

NAME = "real-1"
"""Name of the node."""
LABEL = "cartwright.dev/node"
"""Label of every node; its value says whether pods on it are containers."""
REAL = "real"
SIMULATED = "simulated"
RUNS = Path("/run/cartwright")
"""What holds the sockets and mounts of every embedded cluster's node."""


@dataclass(frozen=True)
class NodeLayout:
    """Where the node keeps its files, and what it calls the things it makes outside of them."""

    root: Path
    """Absolute path of the folder that holds images, containers and volumes."""

    @classmethod
    def of(cls, layout: Layout) -> NodeLayout:
        """The node of an embedded cluster."""
        return cls(layout.root / "node")

    @property
    def key(self) -> str:
        """Tells this cluster's things from another's on the same machine."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def run(self) -> Path:
        """Sockets and mounts. The path of a Unix socket is short, that of a state folder may not be."""
        return RUNS / self.key

    @property
    def containerd_socket(self) -> Path:
        """Where containerd answers kubelet."""
        return self.run / "containerd.sock"

    @property
    def config(self) -> Path:
        """Generated configuration."""
        return self.root / "config"

    @property
    def containerd(self) -> Path:
        """Images and snapshots."""
        return self.root / "containerd"

    @property
    def kubelet(self) -> Path:
        """Volumes of pods."""
        return self.root / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """Logs of containers."""
        return self.root / "pod-logs"

    @property
    def volumes(self) -> Path:
        """Persistent volumes: they stay when the node restarts."""
        return self.root / "volumes"

    @property
    def before(self) -> Path:
        """What the machine was like before the node came; there as long as something must be taken back."""
        return self.root / "before.json"

    @property
    def device(self) -> str:
        """Network device that carries the node's address."""
        return f"cw{self.key}"

    @property
    def pods(self) -> IPv4Network:
        """Addresses of pods."""
        return IPv4Network("10.244.0.0/24")

    @property
    def address(self) -> IPv4Address:
        """The node's own address, outside of the pods' range."""
        return IPv4Address("10.244.255.1")
