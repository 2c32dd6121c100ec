"""How much memory the embedded cluster takes: its processes, and the containers of its real node."""

from __future__ import annotations

import psutil

from cartwright.cluster.node.layout import NodeLayout
from cartwright.cluster.node.machine import container_processes
from cartwright.cluster.processes import own_processes
from cartwright.cluster.state import Layout

__all__ = ["all_processes", "resident"]


def all_processes(layout: Layout) -> list[psutil.Process]:
    """Every process of the cluster, once: supervised ones and those inside of containers."""
    found = {process.pid: process for process in own_processes(layout)}
    found |= {process.pid: process for process in container_processes(NodeLayout.of(layout))}
    return list(found.values())


def resident(layout: Layout) -> int:
    """The sum of resident memory in bytes. Pages that processes share count once for each."""
    total = 0
    for process in all_processes(layout):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
