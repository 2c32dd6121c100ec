"""An embedded cluster with every environment, shared by the tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.sandbox import Sandbox, make_sandbox


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
