"""What a node changed on this machine is taken back, after a crash too. Comes last here: it ends the shared cluster."""

from __future__ import annotations

import os
import signal

import pytest

from tests.node.cluster import NodeCluster
from tests.node.machine_state import difference, machine_state

pytestmark = pytest.mark.node


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
    for name in ("supervisord", "containerd", "kubelet", "kube-proxy"):
        os.kill(sandbox.processes()[name], signal.SIGKILL)
    changed = difference(node_cluster.before, machine_state())
    assert {"mounts", "devices", "nftables", "files"} <= set(changed), "nothing to take back: this test tests nothing"
    done = sandbox.cartwright("down")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert difference(node_cluster.before, machine_state()) == {}
    assert not sandbox.state.exists()
