"""One embedded cluster with a real node, shared by the tests of this folder; the last of them takes it down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.sandbox import make_sandbox
from tests.node.cluster import NodeCluster
from tests.node.machine_state import machine_state


@pytest.fixture(scope="package")
def node_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeCluster]:
    """The hub's environment alone, up, with real pods."""
    before = machine_state()
    sandbox = make_sandbox(tmp_path_factory.mktemp("node"), real=True)
    try:
        done = sandbox.cartwright("up", "--env", "dev", "--timeout", "600", timeout=1500)
        assert done.returncode == 0, done.stdout + done.stderr
        yield NodeCluster(sandbox=sandbox, before=before)
    finally:
        sandbox.cartwright("down")
