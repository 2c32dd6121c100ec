"""What a node changed on this machine is taken back, after a crash too. Comes last here: it ends the shared cluster."""

from __future__ import annotations

import os
import re
import signal

import pytest

from cartwright.cluster.processes import own_processes
from tests.node.cluster import NodeCluster
from tests.node.machine_state import difference, machine_state

pytestmark = pytest.mark.node

_KILLED = ("supervisord", "containerd", "kubelet", "kube-proxy")


def test_data_outlives_the_node_and_down_after_a_crash_leaves_the_machine_as_it_was(node_cluster: NodeCluster) -> None:
    sandbox, shop = node_cluster.sandbox, node_cluster.shop
    order = shop.place(shop.stock()["id"], customer="restart")["id"]

    # The node stops and starts: volumes stay.
    done = sandbox.cartwright("down", "--keep-data")
    assert done.returncode == 0, done.stdout + done.stderr
    assert difference(node_cluster.before, machine_state()) == {}
    done = sandbox.cartwright("up", "--env", "dev", "--timeout", "600", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert node_cluster.is_stored(order)

    # Everything that could clean up is killed first.
    for name in _KILLED:
        os.kill(sandbox.processes()[name], signal.SIGKILL)
    changed = difference(node_cluster.before, machine_state())
    assert {"mounts", "devices", "nftables", "files"} <= set(changed), "nothing to take back: this test tests nothing"
    done = sandbox.cartwright("down")
    assert done.returncode == 0, done.stdout + done.stderr
    # No supervisor could ask the orphans to end: each is killed and named, and nothing else is said.
    lines = done.stderr.splitlines()
    assert lines, "no orphans: this test tests nothing"
    assert [line for line in lines if not re.fullmatch(r"killed \S+ \(\d+\), which was still running", line)] == []
    assert own_processes(sandbox.layout) == []
    assert difference(node_cluster.before, machine_state()) == {}
    left = sorted(str(path) for path in sandbox.state.rglob("*"))
    assert (left, sandbox.state.exists()) == ([], False)
