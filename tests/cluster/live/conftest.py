"""An embedded cluster with every environment, shared by the tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.sandbox import Sandbox, make_sandbox, until


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """All environments, up; shared by every test that leaves them as they were."""
    sandbox = make_sandbox(tmp_path_factory.mktemp("cluster"))
    try:
        done = sandbox.cartwright("up", "--timeout", "600")
        assert done.returncode == 0, done.stdout + done.stderr
        yield sandbox
    finally:
        sandbox.cartwright("down")


@pytest.fixture
def restored(cluster: Sandbox) -> Iterator[Sandbox]:
    """The cluster; what the test commits is taken back and synced back afterwards."""
    before = cluster.git("rev-parse", "HEAD")
    yield cluster
    cluster.git("clean", "--quiet", "--force", "-d")
    # Not by `git revert`, which stops at the commits that change no file, such as approvals.
    cluster.git("read-tree", "-u", "--reset", before)
    cluster.git("commit", "--quiet", "--allow-empty", "--message", "What the test committed is taken back")
    cluster.push()
    assert until(lambda: cluster.status()["good"], seconds=240), cluster.cartwright("status").stdout
